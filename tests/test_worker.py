"""What a worker reports, in this process; real ones are in processes/test_supervisor.py."""

from __future__ import annotations

import logging
import multiprocessing
import signal

import pytest

from hostler.asgi import LifespanError
from hostler.errors import ConfigError, ListenError, NoSuchQueueError, Problem, WorkerError
from hostler.worker import Work, WorkerProcess, ending, log_to_stderr, main, why


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with exit status 0"),
        (3, "ended with exit status 3"),
        (-signal.SIGKILL, "was ended by SIGKILL"),
        (-1000, "was ended by signal 1000"),
    ],
)
def test_ending(status, words):
    assert ending(status) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoSuchQueueError("no queue 'q'"), "no queue 'q'"),
        (ListenError(98, "cannot listen: port 80 is in use"), "cannot listen: port 80 is in use"),
        (ListenError("cannot listen"), "cannot listen"),
        (ConfigError([Problem("a", "b"), Problem("c", "d")]), "a: b\nc: d"),
        (LifespanError("Traceback:\n  ...\nOSError: no database\n\n"), "the application did not start: OSError: no database"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)  # fmt: skip
def test_why(error, words):
    assert why(error) == words


def test_why_names_the_place():
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert why(caught.value).startswith(f"{__file__}, line ")
    assert why(caught.value).endswith(": ZeroDivisionError: division by zero")


@pytest.fixture
def signals():
    """Put the handlers of this process back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_worker_reports_why_it_cannot_start():
    reader, writer = multiprocessing.Pipe(duplex=False)
    with reader, pytest.raises(SystemExit) as caught:
        main(Work(app="no_such_module:app"), writer)
    assert caught.value.code == 1
    reader, writer = multiprocessing.Pipe(duplex=False)
    with reader:
        with pytest.raises(SystemExit):
            main(Work(app="hostler.demo.apps:Answering"), writer)
        assert "Answering is a class" in reader.recv()


@pytest.mark.usefixtures("signals")
def test_nobody_may_be_listening_to_the_report():
    reader, writer = multiprocessing.Pipe(duplex=False)
    reader.close()
    with pytest.raises(SystemExit):
        main(Work(app="nothing"), writer)
    assert writer.closed


async def test_a_worker_process_is_ready_stops_and_is_gone():
    worker = WorkerProcess(Work(app="hostler.demo.apps:worker"), 1)
    await worker.ready()
    worker.terminate()
    assert await worker.ended() == 0
    assert await worker.ended() == 0
    worker.terminate()
    worker.kill()


async def test_a_worker_process_that_is_killed_before_it_is_ready():
    worker = WorkerProcess(Work(app="hostler.demo.apps:worker"), 1)
    worker.kill()
    with pytest.raises(WorkerError, match=rf"process {worker.pid} was ended by SIGKILL before it was ready"):
        await worker.ready()


def test_logging_goes_to_stderr(capsys):
    logger = logging.getLogger("hostler")
    level = logger.level
    handler = log_to_stderr(logging.WARNING)
    try:
        logging.getLogger("hostler.queues").warning("careful")
        logging.getLogger("hostler.queues").info("whatever")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert capsys.readouterr().err.endswith("WARNING hostler.queues: careful\n")

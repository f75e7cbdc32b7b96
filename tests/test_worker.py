"""What a worker reports, in this process; real ones are in test_process.py and processes/test_supervisor.py."""

from __future__ import annotations

import logging
import multiprocessing
import signal

import pytest

from hostler.asgi import LifespanError
from hostler.errors import ConfigError, ListenError, NoSuchQueueError, Problem
from hostler.server.base import ServerKind
from hostler.worker import Work, log_to_stderr, main, why


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
@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("no_such_module:app", "there is no module 'no_such_module'"),
        ("hostler.demo.apps:Answering", "Answering is a class"),
    ],
)
def test_a_worker_reports_why_it_cannot_start(app, why):
    supervisors, workers = multiprocessing.Pipe()
    with supervisors, workers:
        with pytest.raises(SystemExit) as caught:
            main(Work(app=app), workers)
        assert caught.value.code == 1
        assert why in supervisors.recv()


@pytest.mark.usefixtures("signals")
def test_a_worker_that_cannot_have_its_server_reports_that():
    supervisors, workers = multiprocessing.Pipe()
    with supervisors, workers:
        with pytest.raises(SystemExit):
            main(Work(app="hostler.demo.apps:worker", server=ServerKind.HTTPSYS), workers)
        assert supervisors.recv().startswith("HTTP.sys is part of Windows")


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

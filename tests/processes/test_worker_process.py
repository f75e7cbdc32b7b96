"""A worker process as its supervisor has it, with real processes, on event loops of both kinds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import ExitStack

import pytest

from hostler.errors import WorkerError
from hostler.loaders import ApplicationLoader
from hostler.processes.worker_process import WorkerProcess, ending
from hostler.server.base import QueueMode, ServerKind
from hostler.server.choose import controlling
from hostler.server.prefix import UrlPrefix
from hostler.service import Service


class WithoutReaders(asyncio.SelectorEventLoop):
    """An event loop that can wait for as little as the Proactor of Windows."""

    def add_reader(self, *_):
        raise NotImplementedError

    def add_signal_handler(self, *_):
        raise NotImplementedError


@pytest.fixture(params=[asyncio.SelectorEventLoop, WithoutReaders], ids=["selector", "without readers"])
def run(request):
    """Run a coroutine function on an event loop; afterwards no thread of ours is left."""

    def run(main):
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(main(), 30))
        watching = [thread for thread in threading.enumerate() if thread.name.startswith("hostler-watch")]
        for thread in watching:
            thread.join(10)
            assert not thread.is_alive()

    return run


def start(app="hostler.demo.apps:worker", sockets=(), **more):
    return WorkerProcess(Service(loader=ApplicationLoader(app), **more), list(sockets), 1)


async def busy(stack):
    """Start a worker, and a request whose body it waits for; returns it, and the connection."""
    controlled = stack.enter_context(
        controlling(
            None, QueueMode.CREATE, [UrlPrefix.parse("http://127.0.0.1:0/")], kind=ServerKind.USERMODE
        )
    )
    worker = start(prefixes=controlled.prefixes, sockets=controlled.sockets, grace=20)
    await worker.ready()
    reader, writer = await asyncio.open_connection("127.0.0.1", controlled.prefixes[0].port)
    stack.callback(writer.close)
    writer.write(
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
        % controlled.prefixes[0].port
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    return worker, reader, writer


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with exit status 0"),
        (3, "ended with exit status 3"),
        (0xC0000005, "ended with exit status 0xc0000005"),
        (-signal.SIGKILL, "was ended by SIGKILL"),
        (-1000, "was ended by signal 1000"),
    ],
)
def test_ending(status, words):
    assert ending(status) == words


def test_a_worker_is_ready_stops_and_is_gone(run):
    async def main():
        worker = start()
        assert worker.pid not in {0, os.getpid()}
        await worker.ready()
        worker.terminate()
        assert await worker.ended() == 0
        assert await worker.ended() == 0
        worker.terminate()
        worker.kill()

    run(main)


def test_a_worker_says_again_and_again_that_it_is_idle(run):
    async def main():
        worker, notices = start(idle_timeout=0.01), asyncio.Semaphore(0)
        worker.when_idle(notices.release)
        await worker.ready()
        for _ in range(3):
            await notices.acquire()
        worker.terminate()
        assert await worker.ended() == 0

    run(main)


def test_a_worker_that_is_killed_before_it_is_ready(run):
    async def main():
        worker = start()
        worker.kill()
        with pytest.raises(
            WorkerError, match=rf"process {worker.pid} was ended by SIGKILL before it was ready"
        ):
            await worker.ready()

    run(main)


def test_a_worker_that_is_not_ready_is_ended_by_the_system(run):
    async def main():
        worker = start()
        worker.terminate()
        assert await worker.ended() in {-signal.SIGTERM, 0}  # in time, it ends itself

    run(main)


def test_a_worker_that_cannot_start_says_why_and_ends(run):
    async def main():
        worker = start("no_such_module:app")
        with pytest.raises(WorkerError, match="there is no module 'no_such_module'"):
            await worker.ready()
        assert await worker.ended() == 1

    run(main)


def test_a_worker_finishes_what_it_has(run):
    async def main():
        with ExitStack() as stack:
            worker, reader, writer = await busy(stack)
            worker.terminate()
            writer.write(b"hello")
            assert b'"received": 5' in await reader.read()
            assert await worker.ended() == 0

    run(main)


def test_a_worker_that_is_asked_twice_stops_at_once(run):
    async def main():
        with ExitStack() as stack:
            worker, reader, _ = await busy(stack)
            worker.terminate()
            worker.terminate()
            assert await worker.ended() == 128 + signal.SIGTERM
            with pytest.raises(ConnectionResetError):
                await reader.read()

    run(main)


@pytest.mark.skipif(sys.platform == "win32", reason="there it is TerminateProcess")
def test_an_administrators_sigterm_is_graceful_however_often(run):
    async def main():
        with ExitStack() as stack:
            worker, reader, writer = await busy(stack)
            os.kill(worker.pid, signal.SIGTERM)
            os.kill(worker.pid, signal.SIGTERM)
            worker.terminate()
            writer.write(b"hello")
            assert b'"received": 5' in await reader.read()
            assert await worker.ended() == 0

    run(main)


def test_nobody_minds_that_a_worker_ends_after_the_event_loop(run):
    pids = []

    async def main():
        worker = start()
        pids.append(worker.pid)
        await worker.ready()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    os.kill(pids[0], signal.SIGKILL)

    async def nothing():
        """See only that the thread ends."""

    run(nothing)

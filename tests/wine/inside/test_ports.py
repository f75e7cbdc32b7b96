"""hostler's completion ports on a real queue: the one with a thread on both event loops, and the Proactor's own."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from hostler.server.httpsys._bindings import ffi
from hostler.windows.port import ThreadPort
from hostler.windows.proactor import ProactorPort, find_iocp
from tests.wine.inside.native_queue import PENDING, ROOMY, NativeQueue
from tests.wine.inside.windows_process import handles

OPERATION_ABORTED = 995
MANY = 20
SPARE = 5


def make_thread_port(windows, loop):
    return ThreadPort(windows, loop)


def make_proactor_port(windows, loop):
    return ProactorPort(windows, loop, find_iocp(loop))


KINDS = {
    "thread, Proactor loop": (asyncio.ProactorEventLoop, make_thread_port),
    "thread, selector loop": (asyncio.SelectorEventLoop, make_thread_port),
    "Proactor's own": (asyncio.ProactorEventLoop, make_proactor_port),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def queue(windows):
    with NativeQueue(windows, port=False) as queue:
        yield queue


@pytest.fixture
def run(kind, windows, queue):
    """Run a coroutine function on the kind's loop with its port and the queue on it; both are closed at the end."""
    new_loop, make_port = kind

    async def main(function):
        port = make_port(windows, asyncio.get_running_loop())
        io = port.associate(queue.handle, queue.close)
        try:
            await function(port, io)
        finally:
            io.close()
            async with asyncio.timeout(10):
                await port.drained()
            port.close()

    def run(function):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main(function))

    return run


class Receive:
    """One receive; `done` is a future for (code, size)."""

    def __init__(self, queue, io):
        self._queue = queue
        self._io = io
        self.buffer = ffi.new("char[]", ROOMY)
        self.done = io.port.loop.create_future()
        self.operation = io.operation(lambda code, size: self.done.set_result((code, size)))

    def start(self):
        code = self.operation.start(self._call, self.buffer)
        if code != PENDING:
            self.done.set_result((code, self.operation.size[0]))
        return self

    def _call(self, overlapped):
        request = ffi.cast("HTTP_REQUEST *", self.buffer)
        return self._queue.http.HttpReceiveHttpRequest(
            self._queue.handle, 0, 0, request, ROOMY, self.operation.size, overlapped
        )

    @property
    def target(self):
        request = ffi.cast("HTTP_REQUEST *", self.buffer)
        return bytes(ffi.buffer(request.pRawUrl, request.RawUrlLength)).decode()


def test_requests_come_to_the_receives_that_wait(run, queue):
    async def main(port, io):
        # more than clients: "waiting requests" in tests/wine/limits.py
        receives = [Receive(queue, io).start() for _ in range(MANY + SPARE)]
        assert len(port.operations) == MANY + SPARE
        for number in range(MANY):
            queue.send(queue.client(), target=f"/{number}")
        async with asyncio.timeout(10):
            await first_done(receives, MANY)
        over = [receive for receive in receives if receive.done.done()]
        assert {receive.done.result()[0] for receive in over} == {0}
        assert sorted(int(receive.target[1:]) for receive in over) == list(range(MANY))
        assert len(port.operations) == SPARE

    run(main)


async def first_done(receives, count):
    """Wait until so many are over."""
    waiting = {receive.done for receive in receives}
    least = len(waiting) - count
    while len(waiting) > least:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


def test_what_is_cancelled_is_over_when_its_packet_has_come(run, queue):
    async def main(port, io):
        one, other = Receive(queue, io).start(), Receive(queue, io).start()
        one.operation.cancel()
        assert one.operation.pending
        async with asyncio.timeout(10):
            assert await one.done == (OPERATION_ABORTED, 0)
        assert not one.operation.pending
        assert list(port.operations.values()) == [other.operation]
        one.operation.cancel()  # for nothing

    run(main)


def test_closing_the_queue_ends_everything_on_it(run, queue):
    async def main(port, io):
        receives = [Receive(queue, io).start() for _ in range(MANY)]
        io.close()
        assert not queue.is_open
        async with asyncio.timeout(10):
            results = await asyncio.gather(*[receive.done for receive in receives])
        assert results == [(OPERATION_ABORTED, 0)] * MANY
        assert not port.operations

    run(main)


def test_an_operation_can_be_used_again(run, queue):
    async def main(port, io):
        receive = Receive(queue, io)
        for number in range(5):
            receive.done = port.loop.create_future()
            receive.start()
            queue.send(queue.client(), target=f"/{number}")
            async with asyncio.timeout(10):
                assert (await receive.done)[0] == 0
            assert receive.target == f"/{number}"

    run(main)


def test_a_loop_can_close_with_receives_pending(kind, windows, queue):
    """Nobody stopped anything: the port closes the queue, and waits until Windows writes no more."""
    new_loop, make_port = kind
    left = {}

    async def main():
        port = make_port(windows, asyncio.get_running_loop())
        io = port.associate(queue.handle, queue.close)
        left["port"] = port
        left["receives"] = [Receive(queue, io).start() for _ in range(MANY)]
        assert len(port.operations) == MANY

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    for thread in threading.enumerate():
        if thread.name == "hostler-completions":
            thread.join(10)
            assert not thread.is_alive()
    assert not queue.is_open
    assert not left["port"].operations
    assert not any(receive.done.done() for receive in left["receives"])


def test_no_handle_and_no_thread_is_left(kind, windows):
    new_loop, make_port = kind

    async def main(queue):
        port = make_port(windows, asyncio.get_running_loop())
        io = port.associate(queue.handle, queue.close)
        receives = [Receive(queue, io).start() for _ in range(3)]
        queue.send(queue.client())
        async with asyncio.timeout(10):
            await asyncio.wait([receive.done for receive in receives], return_when=asyncio.FIRST_COMPLETED)
            io.close()
            await port.drained()
        port.close()

    def once():
        with NativeQueue(windows, port=False) as queue, asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main(queue))
        gc.collect()
        return handles(), threading.active_count()

    once()
    before = once()
    for _ in range(5):
        after = once()
    assert after == before

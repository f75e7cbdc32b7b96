"""Completion ports: who is called back, when, and what stays alive until then."""

import asyncio
import gc
import threading
import weakref

import pytest

from hostler.server.httpsys import library
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.queue import create_queue
from hostler.server.httpsys.session import ServerSession
from hostler.server.options import ServerOptions
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.port import ThreadPort
from hostler.windows.proactor import ProactorPort, make_port
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.served import FakeProactor

PENDING = ErrorCode.ERROR_IO_PENDING


class Bench:
    """A queue on a completion port, with receives."""

    def __init__(self, windows, port):
        self.windows = windows
        self.port = port
        self.queue = create_queue(windows)
        self.io = port.associate(self.queue.handle, self.queue.close)
        self.results = []
        self.came = asyncio.Event()

    def done(self, code, size):
        self.results.append((code, size, threading.current_thread() is threading.main_thread()))
        self.came.set()

    def receive(self, done=None, keep=None):
        """Begin to wait for a request; returns the operation and what the call returned."""
        operation = self.io.operation(done or self.done)
        buffer = ffi.new("char[]", 4096)
        return operation, operation.start(
            lambda overlapped: self.windows.http.HttpReceiveHttpRequest(
                self.queue.handle, 0, 0, ffi.cast("HTTP_REQUEST *", buffer), 4096, operation.size, overlapped
            ),
            (buffer, keep),
        )

    async def end(self):
        self.io.close()
        await self.port.drained()
        self.port.close()


@pytest.fixture(params=["thread", "proactor"])
async def bench(request, machine):
    windows, loop = machine.process(), asyncio.get_running_loop()
    library.begin(windows)
    proactor = None
    if request.param == "proactor":
        proactor = loop._proactor = FakeProactor(windows, loop)
    bench = Bench(windows, make_port(windows, loop, use_proactor=request.param == "proactor"))
    yield bench
    await bench.end()
    if proactor is not None:
        await proactor.close()
        loop._proactor = None
    library.end(windows)


async def test_a_pending_call_calls_back_in_the_thread_of_the_loop(bench):
    operation, code = bench.receive()
    assert code == PENDING
    assert operation.pending
    operation.cancel()
    await asyncio.wait_for(bench.came.wait(), 5)
    assert bench.results == [(ErrorCode.ERROR_OPERATION_ABORTED, 0, True)]
    assert not operation.pending


async def test_the_two_ports_are_what_they_say(bench, request):
    wanted = ThreadPort if "thread" in request.node.name else ProactorPort
    assert type(bench.port) is wanted


async def test_closing_the_handle_completes_every_pending_call(bench):
    for _ in range(7):
        bench.receive()
    assert len(bench.port.operations) == 7
    bench.io.close()
    await asyncio.wait_for(bench.port.drained(), 5)
    assert [code for code, _, _ in bench.results] == [ErrorCode.ERROR_OPERATION_ABORTED] * 7
    assert not bench.port.operations


async def test_a_cancelled_call_keeps_its_memory_until_its_packet_is_taken(bench, machine):
    class Memory:
        pass

    memory = Memory()
    kept = weakref.ref(memory)
    machine.hold_packets = True
    operation, _ = bench.receive(keep=memory)
    operation.cancel()
    address = operation.address
    del operation, memory
    gc.collect()
    assert kept() is not None
    assert address in bench.port.operations
    machine.hold_packets = False
    machine.release_packets()
    await asyncio.wait_for(bench.came.wait(), 5)
    await bench.port.drained()
    gc.collect()
    assert kept() is None


async def test_cancelling_twice_is_no_matter(bench):
    operation, _ = bench.receive()
    operation.cancel()
    operation.cancel()
    await asyncio.wait_for(bench.came.wait(), 5)
    operation.cancel()
    assert len(bench.results) == 1


async def test_a_call_that_fails_at_once_calls_nobody(bench):
    operation = bench.io.operation(bench.done)
    assert (
        operation.start(lambda overlapped: ErrorCode.ERROR_CONNECTION_INVALID)
        == ErrorCode.ERROR_CONNECTION_INVALID
    )
    assert not operation.pending
    assert not bench.port.operations


async def test_a_call_that_raises_leaves_nothing_behind(bench):
    operation = bench.io.operation(bench.done)
    with pytest.raises(ZeroDivisionError):
        operation.start(lambda overlapped: 1 // 0)
    assert not bench.port.operations
    assert not operation.pending


async def test_an_operation_does_one_thing_at_a_time(bench):
    operation, _ = bench.receive()
    with pytest.raises(RuntimeError, match="under way"):
        operation.start(lambda overlapped: 0, b"of nobody")


async def test_after_more_data_at_once_the_next_call_has_an_overlapped_of_its_own(bench):
    operation = bench.io.operation(bench.done)
    before = operation.address
    keep = operation.overlapped
    assert operation.start(lambda overlapped: ErrorCode.ERROR_MORE_DATA) == ErrorCode.ERROR_MORE_DATA
    assert operation.address != before
    del keep


async def test_a_callback_that_fails_does_not_keep_others_from_theirs(bench):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: complaints.append(context["exception"])
    )

    def bad(code, size):
        raise LookupError("bad")

    first, _ = bench.receive(bad)
    second, _ = bench.receive()
    first.cancel()
    second.cancel()
    await asyncio.wait_for(bench.came.wait(), 5)
    await bench.port.drained()
    assert [type(error) for error in complaints] == [LookupError]
    assert len(bench.results) == 1


async def test_nothing_is_called_on_a_handle_that_is_closed(bench):
    operation, _ = bench.receive()
    bench.io.close()
    bench.io.close()
    operation.cancel()
    await asyncio.wait_for(bench.port.drained(), 5)
    assert operation.start(lambda overlapped: 1 // 0) == ErrorCode.ERROR_INVALID_HANDLE


async def test_packets_of_unknown_operations_are_ignored(bench):
    stray = ffi.new("OVERLAPPED *")
    operation, _ = bench.receive()
    bench.windows.kernel.PostQueuedCompletionStatus(bench.port._handle(), 0, 0, stray)
    operation.cancel()
    await asyncio.wait_for(bench.came.wait(), 5)
    assert [code for code, _, _ in bench.results] == [ErrorCode.ERROR_OPERATION_ABORTED]


async def test_where_packets_are_not_skipped_a_call_that_is_over_at_once_calls_back_too(machine):
    windows = machine.process()
    library.begin(windows)
    windows.fail("SetFileCompletionNotificationModes", ErrorCode.ERROR_INVALID_FUNCTION)
    bench = Bench(windows, ThreadPort(windows, asyncio.get_running_loop()))
    assert not bench.io.skips
    session = open_url(windows, bench.queue)
    machine.client().request("GET", "http://localhost:8080/")
    operation, code = bench.receive()
    assert code == PENDING
    await asyncio.wait_for(bench.came.wait(), 5)
    assert bench.results[0][0] == 0
    assert operation.size[0] == bench.results[0][1] > 0
    session.close()
    await bench.end()
    library.end(windows)


def open_url(windows, queue):
    session = ServerSession(windows)
    group = session.group_for(queue, ServerOptions())
    group.add_all([UrlPrefix.parse("http://localhost:8080/")], queue)
    return session


async def test_a_batch_wakes_the_loop_once(machine):
    windows, loop = machine.process(), asyncio.get_running_loop()
    library.begin(windows)
    bench = Bench(windows, ThreadPort(windows, loop))
    wakes = []
    deliver = bench.port._deliver
    bench.port._deliver = lambda: (wakes.append(len(bench.port._packets)), deliver())
    machine.hold_packets = True
    operations = [bench.receive()[0] for _ in range(40)]
    for operation in operations:
        operation.cancel()
    with machine.lock:  # the thread sees them all at once
        machine.hold_packets = False
        machine.release_packets()
    await asyncio.wait_for(bench.port.drained(), 5)
    assert len(bench.results) == 40
    assert len(wakes) < 5
    await bench.end()
    library.end(windows)


@pytest.mark.parametrize("pace", list(Pace))
def test_a_loop_that_is_closed_with_receives_pending_leaves_nothing_alive(machine, pace):
    machine.pace = pace
    windows = machine.process()

    async def main():
        bench = Bench(windows, ThreadPort(windows, asyncio.get_running_loop()))
        for _ in range(5):
            bench.receive()
        return bench.port

    library.begin(windows)
    port = asyncio.run(main())
    port._thread.join(5)
    assert not port._thread.is_alive()
    assert not port.operations
    library.end(windows)
    assert windows.alive() == {}


async def test_a_proactor_that_closes_with_receives_pending_is_drained_and_the_queue_closed(machine):
    windows, loop = machine.process(), asyncio.get_running_loop()
    library.begin(windows)
    proactor = loop._proactor = FakeProactor(windows, loop)
    bench = Bench(windows, make_port(windows, loop, use_proactor=True))
    for _ in range(5):
        bench.receive()
    await asyncio.wait_for(proactor.close(), 5)
    assert not bench.port.operations
    assert bench.results == []
    assert bench.queue.closed
    loop._proactor = None
    library.end(windows)
    assert windows.alive() == {}


def test_a_port_that_cannot_be_made_says_why(machine):
    windows = machine.process()
    windows.fail("CreateIoCompletionPort", ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
    loop = asyncio.new_event_loop()
    with pytest.raises(Win32Error, match="CreateIoCompletionPort"):
        ThreadPort(windows, loop)
    loop.close()

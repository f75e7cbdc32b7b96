"""Worker processes on Windows: spawned, watched and stopped over the pipe, on the Proactor event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial

import pytest

from hostler.errors import WorkerError
from hostler.loaders import ApplicationLoader
from hostler.processes.policy import WorkerPolicy
from hostler.processes.supervising import supervising
from hostler.processes.supervisor import Supervisor
from hostler.processes.worker_process import WorkerProcess
from hostler.server.base import QueueMode, ServerKind
from hostler.server.choose import controlling
from hostler.server.prefix import UrlPrefix
from hostler.service import Service, parse_prefixes

URL = "http://127.0.0.1:0/"
PATIENCE = 30.0


def service(app="hostler.demo.apps:worker", **more):
    return Service(loader=ApplicationLoader(app), server=ServerKind.USERMODE, grace=PATIENCE, **more)


def start(app="hostler.demo.apps:worker", **more):
    return WorkerProcess(service(app, **more), [], 1)


@contextlib.contextmanager
def listening():
    with controlling(None, QueueMode.CREATE, [UrlPrefix.parse(URL)], kind=ServerKind.USERMODE) as controlled:
        listening = service(prefixes=controlled.prefixes)
        yield partial(WorkerProcess, listening, controlled.sockets, 1), controlled.prefixes[0].port


async def begin(port):
    """Begin a request, all but its body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nexpect: 100-continue\r\ncontent-length: 5\r\n"
        b"connection: close\r\n\r\n" % port
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    return reader, writer


async def answer(reader, writer):
    """Send the body, and return the process that answered."""
    writer.write(b"hello")
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    assert b'"received": 5' in body
    return int(body.partition(b'"process": ')[2].partition(b",")[0])


@pytest.fixture(autouse=True)
async def bounded():
    async with asyncio.timeout(PATIENCE):
        assert type(asyncio.get_running_loop()).__name__ == "ProactorEventLoop"
        yield


async def test_a_worker_is_ready_stops_and_is_gone():
    worker = start()
    await worker.ready()
    worker.terminate()
    assert await worker.ended() == 0
    worker.terminate()
    worker.kill()


async def test_a_worker_that_is_ended_before_it_is_ready():
    worker = start()
    worker.terminate()
    with pytest.raises(WorkerError, match=r"was ended by SIGTERM before it was ready"):
        await worker.ready()


async def test_a_worker_that_cannot_start_says_why():
    worker = start("no_such_module:app")
    with pytest.raises(WorkerError, match="there is no module 'no_such_module'"):
        await worker.ready()
    assert await worker.ended() == 1


async def test_a_worker_finishes_what_it_has():
    with listening() as (start_listening, port):
        worker = start_listening()
        await worker.ready()
        request = await begin(port)
        worker.terminate()
        assert await answer(*request) == worker.pid
        assert await worker.ended() == 0


async def test_a_worker_that_is_asked_twice_stops_at_once():
    with listening() as (start_listening, port):
        worker = start_listening()
        await worker.ready()
        _, writer = await begin(port)
        worker.terminate()
        worker.terminate()
        assert await worker.ended() == 128 + signal.SIGTERM
        writer.close()


async def test_a_worker_says_when_it_is_idle():
    worker, idle = start(idle_timeout=0.05), asyncio.Semaphore(0)
    worker.when_idle(idle.release)
    await worker.ready()
    await idle.acquire()
    await idle.acquire()
    worker.terminate()
    assert await worker.ended() == 0


class Requests:
    """Says that a request waits when the test does; a controller's stand-in, which Wine has none of."""

    def __init__(self):
        self.wait = asyncio.Semaphore(0)
        self.enabled = True

    async def demanded(self):
        await self.wait.acquire()

    def set_enabled(self, enabled):
        self.enabled = enabled


async def test_workers_come_and_go_on_demand_with_real_processes():
    requests, policy = Requests(), WorkerPolicy(2, idle_timeout=0.5)
    supervisor = Supervisor(
        partial(WorkerProcess, service(idle_timeout=0.5), []), policy, controller=requests, grace=PATIENCE
    )
    await supervisor.start()
    keeping = asyncio.create_task(supervisor.keep())
    try:
        for _ in range(2):
            assert supervisor.pids == ()
            requests.wait.release()
            while not supervisor.pids:  # noqa: ASYNC110 - processes have no event for it
                await asyncio.sleep(0.01)
            while supervisor.pids:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await supervisor.stop()


@pytest.mark.logs_errors(
    "there is no module 'no_such_module'.*; out of service after 2 failures within 300 s"
)
async def test_workers_that_cannot_start_on_demand_put_the_queue_out_of_service():
    requests, policy = Requests(), WorkerPolicy(2, max_crashes=2)
    supervisor = Supervisor(
        partial(WorkerProcess, service("no_such_module:app"), []), policy, controller=requests
    )
    keeping = asyncio.create_task(supervisor.keep())
    requests.wait.release()
    while requests.enabled:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    assert supervisor.pids == ()
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_a_worker_that_is_killed():
    worker = start()
    await worker.ready()
    worker.kill()
    assert await worker.ended() == -signal.SIGTERM  # TerminateProcess, whatever it was called by


async def test_a_supervisor_replaces_a_worker_that_died_and_its_socket_is_shared():
    async with supervising(service(prefixes=parse_prefixes([URL])), WorkerPolicy.fixed(1)) as supervisor:
        port = supervisor.prefixes[0].port
        first = await answer(*await begin(port))
        assert supervisor.pids == (first,)
        await supervisor.restart()
        second = await answer(*await begin(port))
        assert supervisor.pids == (second,)
        assert second != first

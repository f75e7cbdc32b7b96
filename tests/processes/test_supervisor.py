"""The supervisor's decisions, with workers and a clock that do as they are told."""

from __future__ import annotations

import asyncio
import json
import logging
import signal

import anyio
import httpx
import pytest

from hostler.errors import UnsupportedError, WorkerError
from hostler.loaders import ApplicationLoader, DocumentLoader, HandlerLoader
from hostler.processes.serving import serving
from hostler.processes.supervisor import Backoff, Supervisor, _to_its_end, supervising
from hostler.server.base import ServerKind
from hostler.service import Service, parse_prefixes, prefixes_for
from hostler.testing import FakeClock


class FakeWorker:
    """A worker that is ready, and ends, when the test says so."""

    def __init__(self, number, pid, *, ready=True, stubborn=False):
        self.number, self.pid, self.stubborn = number, pid, stubborn
        self.signals = []
        self._reported, self._end = asyncio.Event(), asyncio.Event()
        self._failure = self.status = None
        if ready:
            self.become_ready()

    def become_ready(self):
        self._reported.set()

    def fail(self, why):
        self._failure = why
        self.end(1)

    def end(self, status):
        if not self._reported.is_set():
            self._failure = self._failure or "it ended"
        self._reported.set()
        self.status = status
        self._end.set()

    async def ready(self):
        await self._reported.wait()
        if self._failure:
            raise WorkerError(self._failure)

    async def ended(self):
        await self._end.wait()
        return self.status

    def terminate(self):
        self.signals.append("TERM")
        if not self.stubborn:
            self.end(0)

    def kill(self):
        self.signals.append("KILL")
        self.end(-signal.SIGKILL)


class Yard:
    """Starts fake workers, and keeps the back-off's sleeps."""

    def __init__(self, **how):
        self.how = how
        self.started = []
        self.clock = FakeClock()
        self.sleeps = []
        self.failing = []
        self._changed = asyncio.Condition()

    def start(self, number):
        if self.failing and isinstance(self.failing[0], OSError):
            raise self.failing.pop(0)
        fails = self.failing.pop(0) if self.failing else None
        worker = FakeWorker(
            number, 100 + len(self.started), **{**self.how, **({"ready": False} if fails else {})}
        )
        if fails:
            worker.fail(fails)
        self.started.append(worker)
        return worker

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def supervisor(self, workers=1, grace=0.0):
        return Supervisor(self.start, workers, grace=grace, clock=self.clock, sleep=self.sleep)

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - it takes a few turns of the loop
                await asyncio.sleep(0)


def test_the_back_off_doubles_while_workers_die_young():
    backoff = Backoff()
    assert [backoff.delay(1.0) for _ in range(12)] == [
        0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30,
    ]  # fmt: skip
    assert backoff.delay(10.0) == 0
    assert backoff.delay(9.9) == 0.1


async def test_start_waits_until_all_are_ready():
    yard = Yard(ready=False)
    supervisor = yard.supervisor(2)
    starting = asyncio.create_task(supervisor.start())
    await yard.until(lambda: len(yard.started) == 2)
    yard.started[1].become_ready()
    await asyncio.sleep(0)
    assert not starting.done()
    assert supervisor.pids == ()
    yard.started[0].become_ready()
    await starting
    assert supervisor.pids == (100, 101)


async def test_start_says_why_a_worker_cannot():
    yard = Yard()
    yard.failing = ["no such module"]
    supervisor = yard.supervisor(2)
    with pytest.raises(WorkerError, match="no such module"):
        await supervisor.start()
    await supervisor.stop_at_once()
    assert yard.started[1].signals == ["TERM"]


async def kept(yard, supervisor, body):
    await supervisor.start()
    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.keep)
        await body()
        group.cancel_scope.cancel()


async def test_workers_that_die_young_are_started_again_later_and_later(caplog):
    yard = Yard()
    supervisor = yard.supervisor()

    async def body():
        for count in range(1, 5):
            yard.started[-1].end(-signal.SIGSEGV if count == 1 else count)
            await yard.until(lambda count=count: len(yard.started) == count + 1)
        yard.clock.advance(10)
        yard.started[-1].end(0)
        await yard.until(lambda: len(yard.started) == 6)

    await kept(yard, supervisor, body)
    assert yard.sleeps == [0.1, 0.2, 0.4]
    assert [record.getMessage() for record in caplog.records] == [
        "worker 1 (process 100) was ended by SIGSEGV; another is started now",
        "worker 1 (process 101) ended with exit status 2; another is started in 0.1 s",
        "worker 1 (process 102) ended with exit status 3; another is started in 0.2 s",
        "worker 1 (process 103) ended with exit status 4; another is started in 0.4 s",
        "worker 1 (process 104) ended with exit status 0; another is started now",
    ]


async def test_a_worker_that_cannot_be_started_again_is_tried_later_and_later(caplog):
    yard = Yard()
    supervisor = yard.supervisor()

    async def body():
        yard.failing = ["a mistake", BlockingIOError(11, "no more processes"), "a mistake"]
        yard.started[0].end(1)
        await yard.until(lambda: supervisor.pids == (103,))

    await kept(yard, supervisor, body)
    assert yard.sleeps == [0.1, 0.2, 0.4]
    assert [record.getMessage() for record in caplog.records][1:] == [
        "worker 1 cannot start: a mistake; another is started in 0.1 s",
        "worker 1 cannot start: [Errno 11] no more processes; another is started in 0.2 s",
        "worker 1 cannot start: a mistake; another is started in 0.4 s",
    ]


async def test_a_restart_replaces_one_by_one_and_each_only_when_its_successor_is_ready():
    yard = Yard()
    supervisor = yard.supervisor(2)

    async def body():
        yard.how["ready"] = False
        supervisor.request_restart()
        await yard.until(lambda: len(yard.started) == 3)
        assert not any(worker.signals for worker in yard.started)
        yard.started[2].become_ready()
        await yard.until(lambda: len(yard.started) == 4)
        assert yard.started[0].signals == ["TERM"]
        assert yard.started[1].signals == []
        yard.started[3].become_ready()
        await yard.until(lambda: supervisor.pids == (102, 103))
        await yard.until(lambda: yard.started[1].signals == ["TERM"])

    await kept(yard, supervisor, body)
    assert len(yard.started) == 4
    assert yard.sleeps == []


async def test_a_restart_that_is_asked_for_during_a_restart_follows_it():
    yard = Yard()
    supervisor = yard.supervisor()

    async def body():
        yard.how["ready"] = False
        supervisor.request_restart()
        await yard.until(lambda: len(yard.started) == 2)
        supervisor.request_restart()
        supervisor.request_restart()
        yard.started[1].become_ready()
        await yard.until(lambda: len(yard.started) == 3)
        yard.started[2].become_ready()
        await yard.until(lambda: supervisor.pids == (102,))

    await kept(yard, supervisor, body)
    assert len(yard.started) == 3


async def test_a_worker_that_dies_while_its_successor_starts_is_replaced_all_the_same(caplog):
    yard = Yard()
    supervisor = yard.supervisor()

    async def body():
        yard.how["ready"] = False
        supervisor.request_restart()
        await yard.until(lambda: len(yard.started) == 2)
        yard.started[0].end(1)
        await yard.until(lambda: len(yard.started) == 3)
        yard.started[1].become_ready()
        await yard.until(lambda: yard.started[2].signals == ["TERM"])
        assert supervisor.pids == (101,)
        yard.started[1].end(3)
        await yard.until(lambda: len(yard.started) == 4)

    await kept(yard, supervisor, body)
    assert "worker 1 (process 101) ended with exit status 3" in caplog.text


async def test_a_restart_ends_at_a_successor_that_cannot_start(caplog):
    yard = Yard()
    supervisor = yard.supervisor(2)

    async def body():
        yard.failing = ["a mistake"]
        supervisor.request_restart()
        await yard.until(lambda: caplog.records)
        assert supervisor.pids == (100, 101)

    with caplog.at_level(logging.INFO, "hostler.supervisor"):
        await kept(yard, supervisor, body)
    assert [record.getMessage() for record in caplog.records] == [
        "the restart ends here, worker 1 goes on as it is: its successor cannot start: a mistake"
    ]


async def test_stop_kills_what_does_not_stop(caplog, monkeypatch):
    monkeypatch.setattr("hostler.processes.supervisor._EXIT_MARGIN", 0.01)
    yard = Yard(stubborn=True)
    supervisor = yard.supervisor()
    await supervisor.start()
    await supervisor.stop()
    assert yard.started[0].signals == ["TERM", "KILL"]
    assert "worker 1 (process 100) did not stop in 0.01 s, and is killed" in caplog.text


async def test_a_server_that_cannot_be_had_here_is_said_before_any_worker_starts():
    with pytest.raises(UnsupportedError, match=r"HTTP\.sys is part of Windows"):
        service = Service(
            loader=ApplicationLoader("a:b"),
            prefixes=parse_prefixes(["http://localhost:0/"]),
            server=ServerKind.HTTPSYS,
        )
        async with supervising(service, 1):
            pass


# -- what workers load ------------------------------------------------------------------------------------------------

GATEWAY = """
import hostler, os

async def handler(exchange):
    return await exchange.respond(200, str(os.getpid()))

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


async def answer(exchange):
    """Answer as a destination."""
    return await exchange.respond(200, "from the destination")


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    """A module that workers can import."""
    (tmp_path / "gateway.py").write_text(GATEWAY)
    monkeypatch.syspath_prepend(tmp_path)


async def ask(supervisor):
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{supervisor.prefixes[0].port}/")).text


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize("loader", [HandlerLoader("gateway:handler"), ApplicationLoader("gateway:app")])
async def test_workers_serve_handlers_and_applications(loader):
    service = Service(loader=loader, prefixes=prefixes_for(loader, ["http://127.0.0.1:0/"]))
    async with supervising(service, 1) as supervisor:
        assert await ask(supervisor) == str(supervisor.pids[0])


async def test_workers_serve_a_proxy_on_the_urls_of_its_document(tmp_path):
    async with serving(answer) as destination:
        document = {
            "Urls": "http://127.0.0.1:0/",
            "ReverseProxy": {
                "Routes": {"all": {"ClusterId": "one", "Match": {"Path": "/{**rest}"}}},
                "Clusters": {"one": {"Destinations": {"here": {"Address": destination.url}}}},
            },
        }
        path = tmp_path / "proxy.json"
        path.write_text(json.dumps(document))
        loader = DocumentLoader(str(path))
        service = Service(loader=loader, prefixes=prefixes_for(loader))
        async with supervising(service, 2) as supervisor:
            assert [await ask(supervisor) for _ in range(4)] == ["from the destination"] * 4


async def test_workers_are_ended_whoever_cancels_that():
    ended = []
    begun = asyncio.Event()

    async def end():
        begun.set()
        for _ in range(5):
            await asyncio.sleep(0)
        ended.append("worker")

    task = asyncio.create_task(_to_its_end(end()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended == ["worker"]

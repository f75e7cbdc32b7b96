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
from hostler.processes.policy import WorkerPolicy
from hostler.processes.serving import serving
from hostler.processes.supervising import _to_its_end, supervising
from hostler.processes.supervisor import Supervisor
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

    def when_idle(self, callback):
        self.be_idle = callback

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

    def supervisor(self, workers=1, grace=0.0, controller=None):
        policy = WorkerPolicy.fixed(workers) if isinstance(workers, int) else workers
        return Supervisor(
            self.start, policy, controller=controller, grace=grace, clock=self.clock, sleep=self.sleep
        )

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - it takes a few turns of the loop
                await asyncio.sleep(0)


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


# -- workers on demand ------------------------------------------------------------------------------------------------


class FakeController:
    """Says that a request waits when the test does, and keeps in order what it is asked."""

    def __init__(self):
        self.enabled = True
        self.waiting = self.failure = None

    async def demanded(self):
        assert self.waiting is None, "one caller at a time"
        self.waiting = asyncio.get_running_loop().create_future()
        if self.failure is not None:
            raise self.failure
        try:
            await self.waiting
        finally:
            self.waiting = None

    def demand(self):
        self.waiting.set_result(None)

    def set_enabled(self, enabled):
        self.enabled = enabled


async def kept_on_demand(yard, body, maximum=2, **policy):
    controller = FakeController()
    supervisor = yard.supervisor(WorkerPolicy(maximum, **policy), controller=controller)

    async def running():
        await yard.until(lambda: supervisor._group)
        await body(supervisor, controller)

    await kept(yard, supervisor, running)
    return supervisor


async def one_more(yard, supervisor, controller):
    """Demand a worker, and wait until it serves."""
    before = len(supervisor.pids)
    await yard.until(lambda: controller.waiting)
    controller.demand()
    await yard.until(lambda: len(supervisor.pids) == before + 1)


async def test_a_worker_is_started_for_each_demand_up_to_the_maximum():
    yard = Yard()

    async def body(supervisor, controller):
        assert supervisor.pids == ()
        await one_more(yard, supervisor, controller)
        await one_more(yard, supervisor, controller)
        await yard.until(lambda: controller.waiting is None)
        assert supervisor.pids == (100, 101)

    await kept_on_demand(yard, body)


async def test_a_demand_is_listened_for_again_when_the_worker_of_the_last_is_ready():
    yard = Yard(ready=False)

    async def body(supervisor, controller):
        await yard.until(lambda: controller.waiting)
        controller.demand()
        await yard.until(lambda: yard.started)
        for _ in range(10):
            await asyncio.sleep(0)
        assert controller.waiting is None
        yard.started[0].become_ready()
        await yard.until(lambda: controller.waiting)

    await kept_on_demand(yard, body)


async def test_who_is_idle_stops_after_demand_is_listened_for(caplog):
    yard = Yard()

    async def body(supervisor, controller):
        await one_more(yard, supervisor, controller)
        assert controller.waiting is None
        worker = yard.started[0]
        worker.terminate = lambda: (worker.signals.append(bool(controller.waiting)), worker.end(0))
        worker.be_idle()
        await yard.until(lambda: worker.signals)
        assert worker.signals == [True]
        assert supervisor.pids == ()
        await one_more(yard, supervisor, controller)

    with caplog.at_level(logging.INFO, "hostler.supervisor"):
        await kept_on_demand(yard, body, 1)
    assert "worker 1 (process 100) is idle, and stops" in caplog.text


async def test_a_demand_while_the_last_one_leaves_starts_another_beside_it():
    yard = Yard(stubborn=True)

    async def body(supervisor, controller):
        await one_more(yard, supervisor, controller)
        yard.started[0].be_idle()
        await yard.until(lambda: yard.started[0].signals)
        await one_more(yard, supervisor, controller)
        assert supervisor.pids == (101,)
        yard.started[0].end(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert supervisor.pids == (101,)
        assert len(yard.started) == 2
        yard.started[1].stubborn = False

    supervisor = await kept_on_demand(yard, body, 1)
    await supervisor.stop()
    assert yard.started[1].signals == ["TERM"]


async def test_the_minimum_does_not_leave():
    yard = Yard()

    async def body(supervisor, controller):
        await one_more(yard, supervisor, controller)
        yard.started[0].be_idle()
        yard.started[1].be_idle()
        await yard.until(lambda: supervisor.pids == (101,))
        for _ in range(10):
            await asyncio.sleep(0)
        assert yard.started[1].signals == []

    await kept_on_demand(yard, body, minimum=1)


async def test_who_is_leaving_keeps_its_grace_when_everything_stops():
    yard = Yard(stubborn=True)

    async def body(supervisor, controller):
        await one_more(yard, supervisor, controller)
        yard.started[0].be_idle()
        await yard.until(lambda: yard.started[0].signals)

    supervisor = await kept_on_demand(yard, body, 1)
    stopping = asyncio.create_task(supervisor.stop())
    for _ in range(10):
        await asyncio.sleep(0)
    assert yard.started[0].signals == ["TERM"]  # a second time would be: at once
    yard.started[0].end(0)
    await stopping


async def test_a_worker_that_cannot_start_is_tried_again_for_what_still_waits(caplog):
    yard = Yard()

    async def body(supervisor, controller):
        yard.failing = ["a mistake", "a mistake"]
        await one_more(yard, supervisor, controller)

    await kept_on_demand(yard, body, 1)
    assert yard.sleeps == [0.1]
    assert caplog.text.count("worker 1 cannot start: a mistake; another is started") == 2


@pytest.mark.parametrize("minimum", [0, 2])
async def test_too_many_failures_take_the_queue_out_of_service(caplog, minimum):
    yard = Yard()

    async def body(supervisor, controller):
        while len(supervisor.pids) < 2:
            await one_more(yard, supervisor, controller)
        healthy = yard.started[1]
        for number in range(5):
            assert controller.enabled
            yard.started[-1 if number else 0].end(-signal.SIGSEGV)
            await yard.until(lambda number=number: len(yard.started) == 3 + min(number, 3))
            await yard.until(lambda: len(supervisor.pids) == 2 or not controller.enabled)
        await yard.until(lambda: not controller.enabled)
        await yard.until(lambda: healthy.signals == ["TERM"])
        assert supervisor.pids == ()
        await yard.until(lambda: controller.waiting is None)
        assert len(yard.started) == 6

    await kept_on_demand(yard, body, minimum=minimum)
    last = caplog.records[-1]
    assert last.levelname == "ERROR"
    assert last.getMessage() == (
        "worker 1 (process 105) was ended by SIGSEGV; out of service after 5 failures within 300 s: no worker is started, "
        "and clients get 503; correct what these lines say, and start hostler again"
    )


@pytest.mark.logs_errors("out of service after 1 failure within 300 s")
async def test_a_worker_that_starts_when_the_others_fail_once_too_often_is_stopped_too():
    yard = Yard()

    async def body(supervisor, controller):
        yard.how["ready"] = False
        await yard.until(lambda: controller.waiting)
        controller.demand()
        await yard.until(lambda: len(yard.started) == 2)
        yard.started[0].end(1)
        await yard.until(lambda: yard.started[1].signals == ["TERM"])
        assert not controller.enabled

    await kept_on_demand(yard, body, minimum=1, max_crashes=1)


@pytest.mark.logs_errors("out of service after 1 failure within 300 s")
@pytest.mark.parametrize("minimum", [0, 1])
async def test_a_restart_puts_the_queue_in_service_again(minimum):
    yard = Yard()

    async def body(supervisor, controller):
        if not minimum:
            await one_more(yard, supervisor, controller)
        yard.started[0].end(1)
        await yard.until(lambda: not controller.enabled)
        supervisor.request_restart()
        await yard.until(lambda: controller.enabled)
        await yard.until(lambda: supervisor.pids == (101,))

    await kept_on_demand(yard, body, 1, minimum=minimum, max_crashes=1)


@pytest.mark.logs_errors("out of service after 1 failure within 300 s")
async def test_a_successor_that_is_ready_when_the_others_have_failed_once_too_often_is_stopped_too():
    yard = Yard()

    async def body(supervisor, controller):
        yard.how["ready"] = False
        supervisor.request_restart()
        await yard.until(lambda: len(yard.started) == 3)
        yard.started[1].end(1)
        await yard.until(lambda: not controller.enabled)
        yard.started[2].become_ready()
        await yard.until(lambda: yard.started[2].signals == ["TERM"])
        assert supervisor.pids == ()
        yard.how["ready"] = True
        supervisor.request_restart()
        await yard.until(lambda: len(supervisor.pids) == 2)
        assert controller.enabled

    await kept_on_demand(yard, body, minimum=2, max_crashes=1)


async def test_how_long_a_successor_has_lived_counts_from_its_own_start():
    yard = Yard()
    supervisor = yard.supervisor()

    async def body():
        yard.started[0].end(1)
        await yard.until(lambda: len(yard.started) == 2)
        yard.clock.advance(100.0)
        supervisor.request_restart()
        await yard.until(lambda: supervisor.pids == (102,))
        yard.started[2].end(1)
        await yard.until(lambda: len(yard.started) == 4)

    await kept(yard, supervisor, body)
    assert yard.sleeps == [0.1]


async def test_a_restart_replaces_those_that_are_there_and_nobody_leaves_meanwhile():
    yard = Yard()

    async def body(supervisor, controller):
        await one_more(yard, supervisor, controller)
        yard.how["ready"] = False
        supervisor.request_restart()
        await yard.until(lambda: len(yard.started) == 2)
        yard.started[0].be_idle()
        yard.started[1].become_ready()
        await yard.until(lambda: yard.started[0].signals == ["TERM"])
        await yard.until(lambda: supervisor.pids == (101,))
        assert len(yard.started) == 2
        assert controller.waiting
        yard.started[0].be_idle()  # it is not in any slot any more
        yard.started[1].be_idle()
        await yard.until(lambda: supervisor.pids == ())

    await kept_on_demand(yard, body)


async def test_where_nobody_says_when_a_request_waits_all_run(caplog):
    yard = Yard()
    controller = FakeController()
    controller.failure = OSError("HttpWaitForDemandStart shop: ERROR_CALL_NOT_IMPLEMENTED (120)")
    supervisor = yard.supervisor(WorkerPolicy(3, minimum=1), controller=controller)

    async def body():
        await yard.until(lambda: supervisor.pids == (100, 101, 102))
        yard.started[2].be_idle()
        assert supervisor.pids == (100, 101, 102)

    await kept(yard, supervisor, body)
    (record,) = caplog.records
    assert record.getMessage() == (
        "nobody says when a request waits, so that 3 workers run from here on, idle or not: "
        "HttpWaitForDemandStart shop: ERROR_CALL_NOT_IMPLEMENTED (120)"
    )


@pytest.mark.parametrize("policy", [WorkerPolicy(4), WorkerPolicy(4, minimum=4)])
async def test_the_user_mode_server_has_a_fixed_number_of_workers(policy):
    service = Service(loader=ApplicationLoader("a:b"), server=ServerKind.USERMODE, queue="shop")
    with pytest.raises(
        UnsupportedError, match=r"this is the user-mode server; give their number alone, as in --workers 4"
    ):
        async with supervising(service, policy):
            pass


# -- as a whole -------------------------------------------------------------------------------------------------------


async def test_a_server_that_cannot_be_had_here_is_said_before_any_worker_starts():
    with pytest.raises(UnsupportedError, match=r"HTTP\.sys is part of Windows"):
        service = Service(
            loader=ApplicationLoader("a:b"),
            prefixes=parse_prefixes(["http://localhost:0/"]),
            server=ServerKind.HTTPSYS,
        )
        async with supervising(service, WorkerPolicy.fixed(1)):
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
    async with supervising(service, WorkerPolicy.fixed(1)) as supervisor:
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
        async with supervising(service, WorkerPolicy.fixed(2)) as supervisor:
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

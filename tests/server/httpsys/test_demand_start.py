"""Workers that are started when requests wait, and stop when they are idle: a supervisor, a controller, servers."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from hostler import HttpSysOptions, QueueMode, ServerOptions, UnsupportedError, WorkerPolicy
from hostler.errors import WorkerError
from hostler.loaders import ApplicationLoader
from hostler.processes.supervising import supervising
from hostler.processes.supervisor import Supervisor
from hostler.server.base import ServerKind
from hostler.server.httpsys import controller as controllers
from hostler.server.httpsys.controller import Controller
from hostler.server.prefix import UrlPrefix
from hostler.service import Service
from tests.server.httpsys.model.queue import Demand
from tests.server.httpsys.served import URL, served

PREFIXES = (UrlPrefix.parse(URL),)


class Worker:
    """A worker process of the machine, whose server is in this one."""

    def __init__(self, site, number):
        self.pid = 1000 + len(site.started)
        self.became_ready, self.asked, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.windows = site.machine.process(f"worker {self.pid}")
        self.failure = site.failures.pop(0) if site.failures else None
        self.task = asyncio.create_task(self._run(site))

    async def _run(self, site):
        try:
            if self.failure is None:
                async with served(
                    self.windows, site.answer(self.pid), urls=[], queue=("q", QueueMode.ATTACH)
                ):
                    self.became_ready.set()
                    await self.asked.wait()
        finally:
            self.became_ready.set()
            self.over.set()

    async def ready(self):
        await self.became_ready.wait()
        if self.failure is not None:
            raise WorkerError(self.failure)

    async def ended(self):
        await self.over.wait()
        await self.task
        return 0

    def when_idle(self, callback):
        self.be_idle = callback

    def terminate(self):
        self.asked.set()

    def kill(self):
        raise AssertionError("it stops when it is asked to")


class Site:
    """A queue under a supervisor, and its clients."""

    def __init__(self, machine, controller, policy):
        self.machine, self.started, self.failures = machine, [], []
        self.held, self.go_on = asyncio.Event(), asyncio.Event()
        self.supervisor = Supervisor(self._start, policy, controller=controller, grace=5)

    def _start(self, number):
        self.started.append(Worker(self, number))
        return self.started[-1]

    def answer(self, pid):
        async def answer(exchange):
            if exchange.path == "/hold":
                self.held.set()
                await self.go_on.wait()
            return await exchange.respond(200, str(pid))

        return answer

    def request(self, path=""):
        return self.machine.client().request("GET", f"{URL}{path}")

    async def ask(self, path=""):
        response = await self.request(path).response()
        assert response.status == 200
        return int(response.body)

    @property
    def queue(self):
        return self.machine.queue("q")

    async def until(self, condition):
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - it takes a few turns of the loop
                await asyncio.sleep(0)


@asynccontextmanager
async def site(machine, maximum=2, options=None, **policy):
    controller = Controller.open(
        "q", QueueMode.CREATE, PREFIXES, options=options, windows=machine.process("controller")
    )
    try:
        made = Site(machine, controller, WorkerPolicy(maximum, **policy))
        await made.supervisor.start()
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            keeping = group.create_task(made.supervisor.keep())
            # a request that comes before this is a demand in the reading WAITING alone
            await machine.until(lambda: made.queue.demand)
            yield made
            keeping.cancel()
        controller.withdraw()
        await made.supervisor.stop()
    finally:
        controller.release()


readings = pytest.mark.parametrize("reading", list(Demand), ids=[reading.name for reading in Demand])


@readings
async def test_the_first_request_starts_the_first_worker(machine, reading):
    machine.demand = reading
    async with site(machine, 1) as shop:
        await machine.until(lambda: shop.queue.demand)
        assert shop.started == []
        assert await shop.ask() == 1000
        assert await shop.ask() == 1000
        assert len(shop.started) == 1


async def test_a_request_that_all_receives_are_busy_for_starts_another(machine):
    async with site(machine, 2) as shop:
        first = await shop.ask()
        holding = [shop.request("hold") for _ in range(20)]
        await machine.until(lambda: not shop.queue.waiting)
        await shop.held.wait()
        shop.go_on.set()
        assert {int((await call.response()).body) for call in holding} >= {first}


@readings
async def test_who_is_idle_leaves_and_the_next_request_starts_another(machine, reading):
    machine.demand = reading
    async with site(machine, 1) as shop:
        assert await shop.ask() == 1000
        shop.started[0].be_idle()
        await shop.started[0].over.wait()
        assert shop.supervisor.pids == ()
        assert await shop.ask() == 1001


@readings
async def test_a_request_while_the_last_worker_leaves_is_served_by_it_or_the_next(machine, reading):
    machine.demand = reading
    async with site(machine, 1) as shop:
        first = shop.request("hold")
        await shop.held.wait()
        shop.started[0].be_idle()  # it has just said so, when the request came
        await shop.started[0].asked.wait()
        during = [shop.request() for _ in range(5)]
        answers = [int((await call.response()).body) for call in during]
        assert answers[-1] == 1001
        shop.go_on.set()
        assert (await first.response()).body == b"1000"
        assert await shop.ask() == 1001


@readings
@pytest.mark.parametrize("turns", range(12))
async def test_a_request_is_lost_at_no_moment_of_a_leave(machine, reading, turns):
    machine.demand, machine.shuffle = reading, random.Random(turns)
    async with site(machine, 1) as shop:
        await shop.ask()
        shop.started[0].be_idle()
        for _ in range(turns):
            await asyncio.sleep(0)
        assert await shop.ask() in {1000, 1001}
        assert await shop.ask() in {1000, 1001}


@readings
@pytest.mark.parametrize("seed", range(5))
async def test_workers_come_and_go_at_random_and_every_request_is_answered(machine, reading, seed):
    machine.demand, machine.shuffle = reading, random.Random(seed)
    dice = random.Random(seed)
    async with site(machine, 3, minimum=seed % 2) as shop:
        calls = []
        for _ in range(60):
            if dice.random() < 0.5:
                calls.append(shop.request())
            elif shop.started:
                dice.choice(shop.started).be_idle()
            if dice.random() < 0.05:
                shop.supervisor.request_restart()
            for _ in range(dice.randrange(8)):
                await asyncio.sleep(0)
        for call in calls:
            assert (await call.response()).status == 200


@readings
async def test_what_waits_is_served_when_the_worker_starts_at_the_second_attempt(machine, reading):
    machine.demand = reading
    async with site(machine, 1) as shop:
        shop.failures = ["a mistake"]
        assert await shop.ask() == 1001


@readings
async def test_a_restart_replaces_the_worker_under_its_requests(machine, reading):
    machine.demand = reading
    async with site(machine, 1) as shop:
        first = shop.request("hold")
        await shop.held.wait()
        shop.supervisor.request_restart()
        await shop.started[0].asked.wait()
        assert await shop.ask() == 1001
        shop.go_on.set()
        assert (await first.response()).body == b"1000"


# -- out of service ---------------------------------------------------------------------------------------------------


@pytest.mark.logs_errors("out of service after 5 failures within 300 s")
@readings
async def test_workers_that_fail_too_often_take_the_queue_out_of_service_until_a_restart(machine, reading):
    machine.demand = reading
    options = ServerOptions(httpsys=HttpSysOptions(verbosity="limited"))
    async with site(machine, 1, options) as shop:
        shop.failures = ["a mistake"] * 5
        waits = shop.request()
        await machine.until(lambda: not shop.queue.enabled)
        assert len(shop.started) == 5
        assert (await shop.request().response()).status == 503
        assert machine.httperr == [(503, "Disabled")]
        shop.supervisor.request_restart()
        await machine.until(lambda: shop.queue.enabled)
        assert await shop.ask() == 1005
        assert (await waits.response()).body == b"1005"


@pytest.mark.logs_errors("out of service", "the queue cannot be disabled: HttpSetRequestQueueProperty")
async def test_a_queue_that_cannot_be_disabled_is_complained_about(machine):
    async with site(machine, 1, max_crashes=1) as shop:
        shop.failures = ["a mistake"]
        shop.supervisor._controller._windows.fail("HttpSetRequestQueueProperty", 5)
        shop.request()
        await shop.until(lambda: not shop.supervisor._staffing.in_service)


@pytest.mark.logs_errors("nobody says when a request waits, so that 2 workers run from here on")
async def test_where_the_kernel_tells_nobody_all_workers_run(machine):
    async with site(machine, 2) as shop:
        await machine.until(lambda: shop.queue.demand)
        shop.supervisor._controller._windows.fail("HttpWaitForDemandStart", 120)
        await shop.ask()
        await shop.until(lambda: len(shop.supervisor.pids) == 2)


# -- whose queue it is ------------------------------------------------------------------------------------------------


async def test_only_who_makes_the_queue_is_told(machine, monkeypatch):
    there = Controller.open("q", QueueMode.CREATE, windows=machine.process("first"))
    monkeypatch.setattr(controllers, "load", lambda: machine.process("second"))
    service = Service(
        loader=ApplicationLoader("a:b"), prefixes=PREFIXES, queue="q", server=ServerKind.HTTPSYS
    )
    with pytest.raises(
        UnsupportedError, match=r"queue q was made by another process, .* \(--mode create\), or"
    ):
        async with supervising(service, WorkerPolicy(2)):
            pass
    there.release()


async def test_without_requests_no_worker_is_started(machine, monkeypatch):
    monkeypatch.setattr(controllers, "load", lambda: machine.process("controller"))
    service = Service(
        loader=ApplicationLoader("a:b"), prefixes=PREFIXES, queue="q", server=ServerKind.HTTPSYS
    )
    async with supervising(service, WorkerPolicy(2)) as supervisor:
        await machine.until(lambda: machine.queue("q").demand)
        assert supervisor.pids == ()
        assert supervisor.prefixes == PREFIXES

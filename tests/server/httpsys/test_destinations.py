"""Destinations that are queues: which Windows has them, what their health is, and how they come and go."""

import asyncio
import logging

import pytest

from hostler.config.model import Cluster, Config, HealthCheck, PassiveHealthCheck, Route, queue
from hostler.errors import Reason, UnsupportedError
from hostler.fleet import Health
from hostler.proxy import Proxy
from hostler.server.base import QueueMode
from hostler.server.httpsys.server import HttpSysServer
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.delegating import BACK, FRONT, Q, delegating, hello, receiving, routed
from tests.server.httpsys.served import served

# -- which Windows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "missing"),
    [("2016", set()), ("new", {"HttpDelegateRequestEx"}), ("new", {"HttpIsFeatureSupported"})],
)
async def test_a_windows_that_cannot_delegate_says_so_at_startup(machine, version, missing):
    machine.release = {"2016": 2016, "new": 2025}[version]
    windows = machine.process("proxy", missing=missing)
    proxy = Proxy(*routed(Q))
    server = HttpSysServer(proxy, windows=windows)
    assert not server.can_delegate
    with pytest.raises(UnsupportedError, match=r"queue 'q'.*Windows 11, Windows Server 2022.*forward"):
        async with proxy.lifespan(server):
            pass
    await server.stop(0)
    assert not any(destination.rule for cluster in proxy.clusters for destination in cluster.destinations)


async def test_a_windows_that_cannot_delegate_serves_what_needs_none(machine):
    machine.release = 2016
    async with served(machine.process(), hello) as server:
        assert not server.can_delegate
        assert (await machine.client().request("GET", "http://localhost:8080/x").response()).status == 200


async def test_a_windows_without_the_flag_for_delegation_opens_without_it(machine):
    machine.release = 2019
    async with receiving(machine), delegating(machine) as front:
        for _ in range(2):
            assert (await front.get()).status == 200
        flags = [c.arguments[3] for c in front.windows.calls if c.function == "HttpCreateRequestQueue"]
        assert flags == [0, 1 | 8, 1]


# -- passive health (what counts as a failure of the destination) -----------------------------------------------------

PASSIVE = HealthCheck(passive=PassiveHealthCheck())


async def judged(machine, front):
    """Make as many requests as the policy wants to see, and return its verdict."""
    for _ in range(12):
        await front.request().over()
    (destination,) = front.proxy.clusters[0].destinations
    return destination.passive


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(87, Health.UNHEALTHY), (6807, Health.UNHEALTHY), (1229, Health.HEALTHY), (0, Health.HEALTHY)],
)
@pytest.mark.logs_errors("delegating to queue q .* failed", sometimes=True)
async def test_refusals_count_and_clients_that_left_do_not(machine, code, verdict):
    proxy = Proxy(*routed(Q, health_check=PASSIVE))
    async with receiving(machine), delegating(machine, proxy=proxy) as front:
        if code:
            front.windows.fail("HttpDelegateRequestEx", code, times=100)
        assert await judged(machine, front) is verdict


async def test_a_queue_that_is_not_there_is_not_unhealthy(machine):
    async with delegating(machine, proxy=Proxy(*routed(Q, health_check=PASSIVE))) as front:
        assert await judged(machine, front) is Health.HEALTHY


async def test_a_receiver_that_answers_500_is_not_unhealthy(machine):
    async def fail(exchange):
        return await exchange.respond(500)

    proxy = Proxy(*routed(Q, health_check=PASSIVE))
    async with receiving(machine, fail), delegating(machine, proxy=proxy) as front:
        assert await judged(machine, front) is Health.HEALTHY


# -- destinations come and go -----------------------------------------------------------------------------------------


def config(*destinations):
    return Config(*map(tuple, routed(*destinations)))


async def test_two_prefixes_on_one_queue_have_one_handle(machine):
    other = "http://localhost:9090/deep/"
    routes = [Route("/deep/{**rest}", "two"), Route("/{**rest}", "one")]
    clusters = [Cluster("one", [Q]), Cluster("two", [queue("Q", other)])]
    proxy = Proxy(routes, clusters)
    async with receiving(machine, urls=[BACK, other]), delegating(machine, proxy=proxy) as front:
        assert (await front.get("/a")).body == b"hello |/a|"
        assert (await front.get("/deep/a")).body == b"hello /deep|/a|"
        assert (front.looked, front.handles) == (1, 1)


async def test_the_handle_goes_with_the_last_destination(machine):
    routes = [Route("/a/{**rest}", "a"), Route("/b/{**rest}", "b")]
    both = [Cluster("a", [Q]), Cluster("b", [queue("Q", BACK.replace("localhost", "LOCALHOST"))])]
    async with receiving(machine), delegating(machine, proxy=Proxy(routes, both)) as front:
        for path in ("/a/", "/b/"):
            assert (await front.get(path)).status == 200
        assert (front.looked, front.handles) == (1, 1)
        first, second = (cluster.destinations[0].rule for cluster in front.proxy.clusters)
        assert first is second
        front.proxy.update(Config(tuple(routes[:1]), (both[0],)))
        assert front.handles == 1
        assert (await front.get("/a/")).status == 200
        front.proxy.update(Config((), ()))
        assert front.handles == 0
        front.proxy.update(Config(tuple(routes), tuple(both)))
        assert front.handles == 0
        assert (await front.get("/b/")).status == 200
        assert (front.looked, front.handles) == (2, 1)


async def test_a_request_under_way_is_told_that_a_reload_took_its_queue(machine):
    arrived, released = asyncio.Event(), asyncio.Event()

    async def hold(exchange, onward):
        arrived.set()
        await released.wait()
        return await onward(exchange)

    async with receiving(machine), delegating(machine, stages=[hold]) as front:
        refusal = asyncio.create_task(front.refused())
        await arrived.wait()
        front.proxy.update(Config((), ()))
        released.set()
        failure = await refusal
        assert failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
        assert "queue q left the configuration while the request was under way (a reload" in failure.detail
        assert front.handles == 0


async def test_a_destination_that_gets_another_queue_goes_there(machine):
    other = "http://localhost:9091/"

    async def second(exchange):
        return await exchange.respond(200, "second")

    async with (
        receiving(machine),
        receiving(machine, second, name="r", urls=[other]),
        delegating(machine, queue("q", BACK, id="d")) as front,
    ):
        assert (await front.get()).body == b"hello |/|"
        front.proxy.update(config(queue("r", other, id="d")))
        assert front.handles == 0
        assert (await front.get()).body == b"second"
        assert front.handles == 1


async def test_stopping_closes_the_handle_before_rules_are_given_back(machine):
    async with receiving(machine), delegating(machine) as front:
        await front.get()
        await front.server.stop(5)
        assert front.windows.alive() == {}
        (destination,) = front.proxy.clusters[0].destinations
        assert destination.rule is not None


# -- a server that has a queue itself ---------------------------------------------------------------------------------


async def test_a_server_with_a_named_queue_delegates_to_another(machine):
    async with receiving(machine), delegating(machine, queue=("front", QueueMode.CREATE)) as front:
        assert (await front.get("/x")).body == b"hello |/x|"


@pytest.mark.logs_errors("delegating to queue q .* failed")
async def test_a_server_that_attached_delegates_what_came_by_its_own_prefixes(machine):
    theirs = "http://localhost:7070/"
    attached = ("front", QueueMode.CREATE_OR_ATTACH)
    async with (
        receiving(machine, name="front", urls=[theirs]) as owner,
        receiving(machine),
        delegating(machine, queue=attached) as front,
    ):
        await owner._receiver.stop()
        assert (await front.get()).status == 200
        # of what came by the others' prefixes HTTP.sys knows no rule: only their process can make one
        answer = await machine.client().request("GET", theirs).response()
        assert (answer.status, front.failure.reason) == (503, Reason.REQUEST)


async def test_a_server_that_only_serves_a_queue_delegates_nothing_and_says_so(machine, caplog):
    async with receiving(machine, name="front", urls=[FRONT]) as owner, receiving(machine):
        await owner._receiver.stop()
        async with delegating(machine, queue=("front", QueueMode.ATTACH)) as front:
            failure = await front.refused()
            assert (failure.reason, failure.cause.code) == (Reason.REQUEST, ErrorCode.ERROR_INVALID_PARAMETER)
            (error,) = [item for item in caplog.records if item.levelno == logging.ERROR]
            assert error.name == "hostler.server.httpsys.delegation"

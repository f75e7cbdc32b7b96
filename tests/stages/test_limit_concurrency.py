"""So many exchanges at once: of a route, and at a destination."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from hostler import (
    Cluster,
    ConcurrencyDefinition,
    Definitions,
    Kind,
    Policies,
    Proxy,
    Reason,
    Route,
    queue,
    serving,
)
from hostler.fleet import LiveRoute
from hostler.fleet.equipment import equip
from hostler.outcome import Outcome
from hostler.stages import limit_concurrency, limit_in_flight
from hostler.testing import exchange, live
from tests.client.peers import connected, until
from tests.server.usermode.peers import working

ONWARD = Outcome(Kind.RESPONDED, 200)


class Slow:
    """What an exchange goes on to; it is over when it is told to be."""

    def __init__(self):
        self.inside = []
        self.most = 0
        self.done = asyncio.Event()

    async def __call__(self, exchange):
        self.inside.append(exchange)
        self.most = max(self.most, len(self.inside))
        try:
            await self.done.wait()
        finally:
            self.inside.remove(exchange)
        return await exchange.respond(200)


def on_route(name="few", previous=None, **limit):
    config = Route("/", concurrency_policy=name)
    definitions = Definitions(concurrency={"Few": ConcurrencyDefinition(1, **limit)})
    route = LiveRoute("r", config, None, equip(Policies().recipes, config, None, definitions))
    if previous is not None:
        route.state = previous.state
    return route


def on(route):
    given = exchange()
    given.route = route
    return given


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_too_many_is_503():
    route, slow = on_route(), Slow()
    first = asyncio.create_task(limit_concurrency(on(route), slow))
    await settle()
    refused = on(route)
    outcome = await limit_concurrency(refused, slow)
    assert (outcome.kind, outcome.failure.reason) == (Kind.FAILED, Reason.NO_AVAILABLE_DESTINATIONS)
    assert outcome.failure.detail == "route r: 1 exchanges are under way and 0 wait"
    response = refused.stream.response
    assert (response.status, response.headers.get("retry-after")) == (503, "1")
    slow.done.set()
    assert (await first).status == 200
    assert (await limit_concurrency(on(route), slow)).status == 200


async def test_one_waits_in_line_and_goes_on():
    route, slow = on_route(queue_limit=1), Slow()
    tasks = [asyncio.create_task(limit_concurrency(on(route), slow)) for _ in range(2)]
    await settle()
    assert len(slow.inside) == 1
    slow.done.set()
    assert [outcome.status for outcome in await asyncio.gather(*tasks)] == [200, 200]
    assert slow.most == 1


async def test_one_waits_only_so_long():
    route, slow = on_route(queue_limit=1, queue_timeout=0.01), Slow()
    first = asyncio.create_task(limit_concurrency(on(route), slow))
    await settle()
    late = on(route)
    outcome = await limit_concurrency(late, slow)
    assert outcome.failure.detail == "route r: none of 1 exchanges was over within 0.01 s"
    assert late.stream.response.headers.get("retry-after") == "1"
    slow.done.set()
    await first


async def test_what_is_under_way_counts_after_a_reload():
    slow = Slow()
    before = on_route()
    first = asyncio.create_task(limit_concurrency(on(before), slow))
    await settle()
    assert (await limit_concurrency(on(on_route(previous=before)), slow)).status == 503
    slow.done.set()
    await first


async def test_an_exchange_that_fails_gives_its_permit_back():
    async def broken(exchange):
        raise LookupError

    route = on_route()
    for _ in range(3):
        with pytest.raises(LookupError):
            await limit_concurrency(on(route), broken)


@pytest.mark.parametrize("name", ["disable", "", None])
def test_a_route_without_a_limit_pays_nothing(name):
    assert not limit_concurrency.concerns_route(Route("/", concurrency_policy=name))
    given = on(on_route(name))
    assert limit_concurrency(given, lambda it: it) is given
    given.route = None
    assert limit_concurrency(given, lambda it: it) is given


async def test_each_destination_has_a_line_of_its_own():
    slow = Slow()
    cluster = live(
        Cluster("c", ["http://a:1", "http://b:1"], destination_concurrency=ConcurrencyDefinition(1))
    )
    one, other = cluster.destinations
    first = asyncio.create_task(limit_in_flight(exchange(cluster=cluster, candidates=[one]), slow))
    await settle()
    assert (await limit_in_flight(exchange(cluster=cluster, candidates=[one]), slow)).status == 503
    second = asyncio.create_task(limit_in_flight(exchange(cluster=cluster, candidates=[other]), slow))
    slow.done.set()
    assert [(await task).status for task in (first, second)] == [200, 200]


def test_a_cluster_without_a_limit_pays_nothing():
    assert not limit_in_flight.concerns(Cluster("c", ["http://a"]))
    given = exchange(cluster=live(Cluster("c", ["http://a:1"])))
    assert limit_in_flight(given, lambda it: it) is given


# -- with a server ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def waiting(handler, **options):
    """Serve a destination behind a proxy that lets one exchange through; gives where to connect."""
    limit = ConcurrencyDefinition(1, queue_limit=10, queue_timeout=20)
    async with serving(handler) as there:
        proxy = Proxy(
            [Route("/{**rest}", "c", id="r", concurrency_policy="one")],
            [Cluster("c", [there.url])],
            definitions=Definitions(concurrency={"one": limit}),
        )
        async with serving(proxy) as served:
            yield served.url, proxy._fleet.snapshot.routes["r"].state


GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("how", ["reset", "end", "close"])
async def test_a_client_that_leaves_does_not_wait(how):
    slow = Slow()
    async with waiting(slow) as (url, state), connected(url) as one, connected(url) as two:
        one.send(GET)
        await until(lambda: slow.inside)
        two.send(GET)
        permits = state["permits"]
        await until(lambda: permits.waiting == 1)
        getattr(two, how)()
        await until(lambda: permits.waiting == 0)
        async with connected(url) as three:
            three.send(GET)
            await until(lambda: permits.waiting == 1)
            slow.done.set()
            assert (await one.answer()).status == 200
            assert (await three.answer()).status == 200
        assert permits.taken == 0


@pytest.mark.usefixtures("runtime")
async def test_what_is_delegated_counts_until_it_is_answered():
    slow = Slow()
    proxy = Proxy(
        [Route("/{**rest}", "c")],
        [
            Cluster(
                "c",
                [queue("q", "http://*:80/")],
                destination_concurrency=ConcurrencyDefinition(1),
            )
        ],
    )
    async with working(slow), serving(proxy) as served, connected(served.url) as one:
        one.send(GET)
        await until(lambda: slow.inside)
        async with connected(served.url) as two:
            two.send(GET)
            assert (await two.answer()).status == 503
        slow.done.set()
        assert (await one.answer()).status == 200
        one.send(GET)
        assert (await one.answer()).status == 200

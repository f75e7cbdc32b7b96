"""Which stages an exchange meets, by its route and its cluster."""

from __future__ import annotations

import pytest

from hostler.config.model import Cluster, Config, Route
from hostler.pipeline import for_clusters, for_routes
from hostler.proxy import Proxy
from hostler.testing import exchange

BOTH = Cluster("both", ["http://127.0.0.1:9"], metadata={"marked": "yes"})
PLAIN = Cluster("plain", ["http://127.0.0.1:9"])


def _is_marked(config: Route | Cluster) -> bool:
    return "marked" in config.metadata


class Steps:
    """The stages under test, which note themselves in the exchange and go onward; the last one answers."""

    def __init__(self) -> None:
        self.met: list[str] = []

    async def of_all(self, exchange, onward):
        self.met.append("all")
        return await onward(exchange)

    async def last(self, exchange, onward):
        return await exchange.respond(200)

    def of_routes(self):
        @for_routes(_is_marked)
        async def of_routes(exchange, onward):
            self.met.append("route")
            return await onward(exchange)

        return of_routes

    def of_clusters(self):
        @for_clusters(_is_marked)
        async def of_clusters(exchange, onward):
            self.met.append("cluster")
            return await onward(exchange)

        return of_clusters


ROUTES = (
    Route("/marked/both", "both", metadata={"marked": "yes"}),
    Route("/marked/plain", "plain", metadata={"marked": "yes"}),
    Route("/other/both", "both"),
    Route("/other/plain", "plain"),
)


def _proxy(*stages) -> Proxy:
    return Proxy(ROUTES, (BOTH, PLAIN), pipeline=stages)


@pytest.mark.parametrize(
    ("path", "met"),
    [
        ("/marked/both", ["all", "route", "cluster"]),
        ("/marked/plain", ["all", "route"]),
        ("/other/both", ["all", "cluster"]),
        ("/other/plain", ["all"]),
    ],
)
async def test_a_stage_is_met_where_it_concerns_the_route_and_the_cluster(path, met):
    steps = Steps()
    proxy = _proxy(steps.of_all, steps.of_routes(), steps.of_clusters(), steps.last)
    await proxy(exchange(path=path))
    assert steps.met == met


async def test_a_stage_that_is_an_object_says_it_by_a_method():
    class Limit:
        def __init__(self) -> None:
            self.count = 0

        def concerns_route(self, route: Route) -> bool:
            return _is_marked(route)

        async def __call__(self, exchange, onward):
            self.count += 1
            return await onward(exchange)

    limit = Limit()
    proxy = _proxy(limit, Steps().last)
    await proxy(exchange(path="/marked/plain"))
    await proxy(exchange(path="/other/plain"))
    assert limit.count == 1


async def test_behind_a_stage_of_a_user_the_stages_are_those_of_where_it_moved_the_exchange():
    steps = Steps()

    async def move(exchange, onward):
        exchange.cluster = moved = next(cluster for cluster in proxy.clusters if cluster.id == "both")
        exchange.candidates = moved.available
        return await onward(exchange)

    proxy = _proxy(move, steps.of_routes(), steps.of_clusters(), steps.last)
    await proxy(exchange(path="/marked/plain"))
    assert steps.met == ["route", "cluster"]


async def test_a_reload_that_changes_whom_a_stage_concerns_is_followed():
    steps = Steps()
    proxy = _proxy(steps.of_routes(), steps.last)
    proxy.update(Config((Route("/other/plain", "plain", metadata={"marked": "yes"}),), (PLAIN,)))
    await proxy(exchange(path="/other/plain"))
    assert steps.met == ["route"]

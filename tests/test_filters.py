"""Filters: what they may change, and what becomes of one that fails."""

from __future__ import annotations

import asyncio

from attrs import evolve

from hostler import filters as module
from hostler.config.model import Cluster, Config, Route
from hostler.config.union import Draft
from hostler.errors import Problem
from hostler.filters import Filters

DRAFT = Draft(
    Config([Route("/a", "C", id="a"), Route("/b", id="b")], [Cluster("c"), Cluster("d")], ["http://u/"])
)


async def first(cluster):
    return evolve(cluster, balance="Random")


async def second(cluster):
    return evolve(cluster, metadata={"was": cluster.balance})


async def with_its_cluster(route, cluster):
    return evolve(route, metadata={"cluster": cluster.balance if cluster else "none"})


async def test_clusters_go_through_their_filters_in_order_and_routes_see_what_came_of_them():
    filtered = (await Filters([first, second], [with_its_cluster]).apply(DRAFT)).config
    assert [(cluster.id, cluster.balance, cluster.metadata["was"]) for cluster in filtered.clusters] == [
        ("c", "Random", "Random"),
        ("d", "Random", "Random"),
    ]
    assert [route.metadata["cluster"] for route in filtered.routes] == ["Random", "none"]
    assert filtered.urls == ("http://u/",)


async def test_without_filters_nothing_is_touched():
    assert await Filters().apply(DRAFT) is DRAFT


class Failing:
    async def __call__(self, cluster):
        raise LookupError("no vault")


async def forgetful(cluster):
    return None


async def test_a_filter_that_raises_is_a_problem_of_what_it_got_and_the_traceback_is_logged(caplog):
    filtered = await Filters([first, Failing()], []).apply(evolve(DRAFT, problems=[Problem("", "before")]))
    assert [str(problem) for problem in filtered.problems] == [
        "before",
        "Clusters.c: the filter Failing raised LookupError('no vault'); correct it",
        "Clusters.d: the filter Failing raised LookupError('no vault'); correct it",
    ]
    assert filtered.config.clusters == DRAFT.config.clusters
    assert caplog.records[0].exc_info


async def test_a_filter_that_returns_something_else():
    filtered = await Filters([forgetful], []).apply(DRAFT)
    assert str(filtered.problems[0]) == (
        "Clusters.c: the filter forgetful returned None; return the Cluster, or another Cluster"
    )


async def test_others_have_their_turn_while_filters_wait_for_nothing(monkeypatch):
    monkeypatch.setattr(module, "_SLICE", 0.0)
    config = Config(clusters=[Cluster(str(number)) for number in range(100)])
    filtering = asyncio.create_task(Filters([first], []).apply(Draft(config)))
    turns = 0
    while not filtering.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100

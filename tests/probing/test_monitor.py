"""Probing round after round: when, whom, and what becomes of it."""

from __future__ import annotations

import asyncio
import logging

import pytest
from attrs import evolve

from hostler.config.model import ActiveHealthCheck, Cluster, Config, HealthCheck
from hostler.fleet import Health
from hostler.fleet.equipment import Recipe
from hostler.fleet.snapshot import Fleet
from hostler.policies import Policies
from hostler.probing import ProbeResponse, probe_request
from hostler.probing.monitor import MAX_PROBES, MAX_PROBES_OF_CLUSTER, Monitor
from hostler.stages.forward import SENDER
from hostler.steps import finish
from hostler.testing import FakeClock, FakeSender

UNKNOWN, UP, DOWN = Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY


class Destinations(FakeSender):
    """Answers probes by their origin: with a status, with an exception, or when a future is done."""

    def __init__(self):
        super().__init__()
        self.answers = {}
        self.under_way = self.most = 0

    async def probe(self, request, timeout):
        self.probed.append(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            answer = self.answers.get(request.origin, 200)
            if isinstance(answer, asyncio.Future):
                answer = await answer
            if isinstance(answer, Exception):
                raise answer
            return ProbeResponse(answer)
        finally:
            self.under_way -= 1

    @property
    def origins(self):
        return [request.origin for request in self.probed]


def cluster_of(*ids, name="api", enabled=True, interval=15.0, **keys):
    active = ActiveHealthCheck(enabled=enabled, interval=interval, **keys)
    return Cluster(name, {key: f"http://{key}" for key in ids}, health_check=HealthCheck(active=active))


class House:
    """A fleet, a monitor that follows it, and destinations, at a time that stands still."""

    def __init__(self, policies=None):
        self.sender = Destinations()
        make_sender = Recipe(part=SENDER, owner=Cluster, settings=lambda _: (), make=lambda: self.sender)
        self.fleet = Fleet((*(policies or Policies()).recipes, make_sender))
        self.clock = FakeClock(100.0)
        self.monitor = Monitor(self.clock, self.clock.call_later)

    def load(self, *clusters):
        self.fleet.apply(finish(self.fleet.build(Config(clusters=clusters))))
        self.monitor.follow(self.fleet.snapshot.clusters.values())

    async def settle(self):
        """Let everything happen that needs no time."""
        before = None
        while before != (now := (len(self.sender.probed), self.sender.under_way)):
            before = now
            for _ in range(10):
                await asyncio.sleep(0)

    async def pass_time(self, seconds):
        self.clock.advance(seconds)
        await self.settle()

    def health(self, name="api"):
        return {one.id: one.active for one in self.fleet.find_cluster(name).destinations}


@pytest.fixture
async def house():
    made = House()
    yield made
    await made.monitor.close()


# -- when


async def test_the_first_round_begins_at_once_and_asks_all(house):
    house.load(cluster_of("a", "b"), cluster_of("c", name="shop"))
    await house.settle()
    assert house.sender.origins == ["http://a", "http://b", "http://c"]
    assert house.health() == {"a": UP, "b": UP}


async def test_the_next_round_comes_an_interval_after_the_end_of_the_last(house):
    answer = house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a", interval=5.0))
    await house.pass_time(20.0)
    assert len(house.sender.probed) == 1
    answer.set_result(200)
    await house.settle()
    await house.pass_time(4.9)
    assert len(house.sender.probed) == 1
    await house.pass_time(0.1)
    assert len(house.sender.probed) == 2


async def test_a_cluster_without_active_check_is_not_probed(house):
    house.load(cluster_of("a", enabled=False))
    await house.pass_time(100.0)
    assert house.sender.probed == []


async def test_a_cluster_that_comes_with_a_reload_is_probed_at_once(house):
    house.load(cluster_of("a"))
    await house.settle()
    house.load(cluster_of("a"), cluster_of("b", name="shop"))
    await house.settle()
    assert house.sender.origins == ["http://a", "http://b"]


async def test_a_destination_that_comes_with_a_reload_is_probed_in_the_next_round(house):
    house.load(cluster_of("a"))
    await house.settle()
    house.load(cluster_of("a", "b"))
    await house.pass_time(15.0)
    assert house.sender.origins == ["http://a", "http://a", "http://b"]


@pytest.mark.parametrize("without", [[], [cluster_of("a", enabled=False)]], ids=["gone", "off"])
async def test_a_cluster_that_a_reload_takes_away_is_probed_no_more(house, without):
    house.load(cluster_of("a"))
    await house.settle()
    house.load(*without)
    await house.pass_time(100.0)
    assert len(house.sender.probed) == 1


async def test_a_round_ends_with_its_cluster(house):
    house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"))
    await house.settle()
    house.load()
    await house.settle()
    assert house.sender.under_way == 0


@pytest.mark.parametrize(
    ("before", "after", "due"), [(15.0, 5.0, 5.0), (15.0, 30.0, 30.0), (60.0, 5.0, 10.0)]
)
async def test_another_interval_counts_from_the_end_of_the_last_round(house, before, after, due):
    house.load(cluster_of("a", interval=before))
    await house.settle()
    if due > after:
        await house.pass_time(due)
        house.load(cluster_of("a", interval=after))
    else:
        house.load(cluster_of("a", interval=after))
        await house.pass_time(due - 0.1)
        assert len(house.sender.probed) == 1
        await house.pass_time(0.1)
    await house.pass_time(0.0)
    assert len(house.sender.probed) == 2


async def test_a_reload_changes_nothing_of_a_round_under_way_and_the_next_is_as_it_says(house):
    answer = house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a", path="/old"))
    await house.settle()
    house.load(cluster_of("a", path="/new", interval=1.0))
    answer.set_result(200)
    await house.settle()
    assert house.health() == {"a": UP}
    await house.pass_time(1.0)
    assert [request.target for request in house.sender.probed] == ["/old", "/new"]


async def test_a_reload_every_few_milliseconds_neither_stops_nor_multiplies_the_rounds(house):
    configs = [cluster_of("a", "b", interval=interval) for interval in (1.0, 1.1)]
    for turn in range(1000):
        house.load(configs[turn % 2])
        await house.pass_time(0.005)
    assert 2 * 4 <= len(house.sender.probed) <= 2 * 6


async def test_nobody_is_probed_once_it_is_closed(house):
    house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"), cluster_of("b", name="shop"))
    await house.settle()
    await house.monitor.close()
    assert house.sender.under_way == 0
    await house.pass_time(100.0)
    assert len(house.sender.probed) == 2


async def test_closing_waits_for_what_a_reload_cut_short_before(house):
    house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"))
    await house.settle()
    house.load()
    await house.monitor.close()
    assert house.sender.under_way == 0


async def test_one_that_hangs_puts_no_other_cluster_off(house):
    house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"), cluster_of("b", name="shop"))
    await house.settle()
    for _ in range(3):
        await house.pass_time(15.0)
    assert house.sender.origins == ["http://a", "http://b", "http://b", "http://b", "http://b"]


async def test_so_many_of_a_cluster_at_a_time_and_no_more(house):
    names = [f"d{number}" for number in range(1000)]
    house.load(cluster_of(*names), cluster_of("other", name="shop"))
    await house.settle()
    assert len(house.sender.probed) == 1001
    assert house.sender.most <= MAX_PROBES_OF_CLUSTER + 1
    assert set(house.health().values()) == {UP}


async def test_so_many_of_a_proxy_at_a_time_and_no_more(house):
    clusters = [cluster_of(*(f"c{c}d{d}" for d in range(100)), name=f"c{c}") for c in range(7)]
    house.load(*clusters)
    await house.settle()
    assert len(house.sender.probed) == 700
    assert house.sender.most <= MAX_PROBES


# -- the first round


async def test_initial_probes_are_completed_when_each_has_ended_somehow(house):
    loop = asyncio.get_running_loop()
    slow = house.sender.answers["http://b"] = loop.create_future()
    house.sender.answers["http://a"] = OSError("refused")
    assert not house.monitor.initial_probes_completed
    house.load(cluster_of("a"), cluster_of("b", name="shop"))
    await house.settle()
    assert not house.monitor.initial_probes_completed
    house.sender.answers["http://c"] = loop.create_future()
    house.load(cluster_of("a"), cluster_of("b", name="shop"), cluster_of("c", name="late"))
    slow.set_result(500)
    await house.settle()
    assert house.monitor.initial_probes_completed


async def test_without_active_checks_they_are_completed_at_once(house):
    house.load(cluster_of("a", enabled=False))
    assert house.monitor.initial_probes_completed


async def test_a_cluster_that_is_gone_is_not_waited_for(house):
    house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"))
    house.load()
    assert house.monitor.initial_probes_completed


# -- asking for a round


async def test_a_round_that_is_asked_for_takes_the_place_of_the_next(house):
    house.load(cluster_of("a"))
    await house.settle()
    await house.pass_time(10.0)
    house.sender.answers["http://a"] = 500
    for _ in range(2):
        await house.monitor.check(house.fleet.snapshot.clusters.values())
    assert house.health() == {"a": DOWN}
    await house.pass_time(14.9)
    assert len(house.sender.probed) == 3
    await house.pass_time(0.1)
    assert len(house.sender.probed) == 4


async def test_a_round_that_is_asked_for_is_the_one_under_way(house):
    answer = house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"))
    checks = [
        asyncio.create_task(house.monitor.check(house.fleet.snapshot.clusters.values())) for _ in range(3)
    ]
    await house.settle()
    answer.set_result(200)
    await asyncio.gather(*checks)
    assert len(house.sender.probed) == 1


async def test_asking_for_a_round_of_what_is_not_probed(house):
    house.load(cluster_of("a", enabled=False))
    await house.monitor.check(house.fleet.snapshot.clusters.values())
    assert house.sender.probed == []


async def test_whoever_asked_for_a_round_is_told_when_it_is_cut_short(house):
    house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.load(cluster_of("a"))
    check = asyncio.create_task(house.monitor.check(house.fleet.snapshot.clusters.values()))
    await house.settle()
    house.load()
    await check


# -- what becomes of it


@pytest.mark.parametrize("failure", [500, OSError("refused"), TimeoutError(), ValueError("not an address")])
async def test_two_failures_take_a_destination_out_and_one_success_brings_it_back(house, failure):
    house.load(cluster_of("a", "b"))
    await house.settle()
    house.sender.answers["http://a"] = failure
    await house.pass_time(15.0)
    assert house.health() == {"a": UP, "b": UP}
    await house.pass_time(15.0)
    assert [one.id for one in house.fleet.find_cluster("api").available] == ["b"]
    house.sender.answers["http://a"] = 204
    await house.pass_time(15.0)
    assert len(house.fleet.find_cluster("api").available) == 2


async def test_health_and_counts_survive_a_reload(house):
    house.sender.answers["http://a"] = 500
    house.load(cluster_of("a", "b"))
    await house.settle()
    house.load(cluster_of("a", "b", path="/other"))
    await house.pass_time(15.0)
    house.load(cluster_of("a", "b"))
    assert house.health() == {"a": DOWN, "b": UP}


async def test_a_destination_that_went_during_the_round_is_not_judged(house):
    told = []
    answer = house.sender.answers["http://a"] = asyncio.get_running_loop().create_future()
    house.fleet.listeners.add(lambda cluster, destination, *_: told.append(destination.id))
    house.load(cluster_of("a", "b"))
    house.load(cluster_of("b"))
    answer.set_result(200)
    await house.settle()
    assert told == ["b"]


async def test_what_is_logged(house, caplog):
    caplog.set_level(logging.INFO)
    house.load(cluster_of("a", "b", path="/health"))
    await house.settle()
    house.sender.answers["http://a"] = 503
    house.sender.answers["http://b"] = TimeoutError("no answer within 10 s")
    for _ in range(3):
        await house.pass_time(15.0)
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("INFO", "cluster api: destination http://a is healthy; GET http://a/health was answered with 200"),
        ("INFO", "cluster api: destination http://b is healthy; GET http://b/health was answered with 200"),
        ("WARNING", "cluster api: destination http://a is unhealthy; GET http://a/health was answered with 503"),
        ("WARNING", "cluster api: destination http://b is unhealthy; GET http://b/health failed: no answer within 10 s"),
    ]  # fmt: skip


# -- policies and requests of one's own


async def run_with(policies, *clusters):
    house = House(policies)
    try:
        house.load(*clusters)
        await house.settle()
        await house.pass_time(15.0)
        return house
    finally:
        await house.monitor.close()


async def test_a_policy_sees_each_round_whole_and_decides():
    rounds = []

    def policy(cluster, results):
        rounds.append(
            (cluster.id, [(result.destination.id, result.success, result.error) for result in results])
        )
        return {result.destination: DOWN for result in results[:1]}

    house = await run_with(
        Policies(active_health={"First": lambda cluster: policy}), cluster_of("a", "b", policy="first")
    )
    assert rounds == [("api", [("a", True, None), ("b", True, None)])] * 2
    assert house.health() == {"a": DOWN, "b": UNKNOWN}


@pytest.mark.parametrize("verdict", ["raise", None, {"a": "healthy"}, "a string of Health"])
@pytest.mark.logs_errors("cluster api: judging the destinations by their probes raised")
async def test_a_policy_that_raises_or_returns_no_verdicts_hurts_nobody_else(verdict):
    def policy(cluster, results):
        if verdict == "raise":
            raise LookupError
        if isinstance(verdict, dict):
            return {results[0].destination: verdict["a"]}
        return verdict

    house = await run_with(
        Policies(active_health={"Broken": lambda cluster: policy}),
        cluster_of("a", policy="broken"),
        cluster_of("b", name="shop"),
    )
    assert house.health() == {"a": UNKNOWN}
    assert house.health("shop") == {"b": UP}
    assert house.sender.origins.count("http://a") == 2


@pytest.mark.parametrize("kind", ["function", "coroutine"])
async def test_a_request_of_ones_own(kind):
    def with_token(cluster, destination):
        request = probe_request(cluster.config, destination.config)
        return evolve(request, headers=(*request.headers, ("Authorization", "Bearer 7")))

    async def later(cluster, destination):
        await asyncio.sleep(0)
        return with_token(cluster, destination)

    chosen = with_token if kind == "function" else later
    house = await run_with(
        Policies(probe_request={"WithToken": lambda cluster: chosen}), cluster_of("a", request="WithToken")
    )
    assert [dict(request.headers)["Authorization"] for request in house.sender.probed] == ["Bearer 7"] * 2


@pytest.mark.logs_errors("cluster api: destination http://a is not probed: making the request raised")
async def test_a_request_that_cannot_be_made_says_nothing_of_its_destination():
    def request(cluster, destination):
        if destination.id == "a":
            raise LookupError
        return probe_request(cluster.config, destination.config)

    house = await run_with(
        Policies(probe_request={"Broken": lambda cluster: request}), cluster_of("a", "b", request="broken")
    )
    assert house.health() == {"a": UNKNOWN, "b": UP}


@pytest.mark.logs_errors("cluster api: destination http://a is not probed: making the request raised")
async def test_a_request_that_takes_too_long_to_be_made_is_given_up():
    async def request(cluster, destination):
        await asyncio.get_running_loop().create_future()

    house = House(Policies(probe_request={"Hanging": lambda cluster: request}))
    house.load(cluster_of("a", request="hanging", timeout=0.01))
    await house.monitor.check(house.fleet.snapshot.clusters.values())
    await house.monitor.close()
    assert house.health() == {"a": UNKNOWN}

from __future__ import annotations

import asyncio
import logging
import random

import pytest
from attrs import evolve

from hostler.config.model import Cluster, Config, HealthCheck, PassiveHealthCheck, Route, queue
from hostler.errors import Failure, Reason, Side
from hostler.fleet import Health
from hostler.fleet.snapshot import Fleet
from hostler.outcome import Kind, Outcome
from hostler.pipeline import fold
from hostler.policies import Policies
from hostler.stages import balance, passive_health
from hostler.stages.health import PASSIVE_HEALTH, PassiveHealth, TransportFailureRate
from hostler.steps import finish
from hostler.testing import FakeClock, FakeRule, exchange, live

GOOD = Outcome(Kind.FORWARDED, 200)
BAD = Outcome(Kind.FAILED, 502, failure=Failure(Reason.REQUEST))
COUNTED = {
    Reason.REQUEST,
    Reason.REQUEST_TIMED_OUT,
    Reason.REQUEST_BODY_DESTINATION,
    Reason.RESPONSE_BODY_DESTINATION,
    Reason.UPGRADE_REQUEST_DESTINATION,
    Reason.UPGRADE_RESPONSE_DESTINATION,
}


@pytest.fixture
def clock():
    return FakeClock(1000.0)


def cluster_of(*destinations, policy=None, period=60.0, **keys):
    checks = HealthCheck(
        PassiveHealthCheck(reactivation_period=period), available_destinations_policy="HealthyAndUnknown"
    )
    return live(
        Cluster("api", destinations or ("http://a:80", "http://b:80"), health_check=checks, **keys),
        passive=policy,
    )


class Judge:
    """A policy and a destination, to feed outcomes to."""

    def __init__(self, clock, **metadata):
        cluster = cluster_of(metadata={key.replace("_", "."): value for key, value in metadata.items()})
        self.destination = cluster.destinations[0]
        self.policy = TransportFailureRate(cluster.config, clock=clock)

    def see(self, outcome, times=1):
        for _ in range(times):
            health = self.policy(exchange(), self.destination, outcome)
        return health


# -- TransportFailureRate


def test_fewer_than_ten_exchanges_tell_nothing(clock):
    judge = Judge(clock)
    assert judge.see(BAD, 9) is Health.HEALTHY
    assert judge.see(BAD) is Health.UNHEALTHY


@pytest.mark.parametrize(
    ("good", "bad", "health"), [(8, 2, Health.HEALTHY), (7, 3, Health.UNHEALTHY), (71, 29, Health.HEALTHY)]
)
def test_the_limit_is_three_in_ten(clock, good, bad, health):
    judge = Judge(clock)
    judge.see(GOOD, good)
    assert judge.see(BAD, bad) is health


@pytest.mark.parametrize(
    ("limit", "bad", "health"),
    [
        ("0.5", 4, Health.HEALTHY),
        ("0.5", 5, Health.UNHEALTHY),
        ("0", 0, Health.UNHEALTHY),
        ("1.1", 10, Health.HEALTHY),
    ],
)
def test_the_clusters_metadata_sets_the_limit(clock, limit, bad, health):
    judge = Judge(clock, TransportFailureRateHealthPolicy_RateLimit=limit)
    outcomes = [BAD] * bad + [GOOD] * (10 - bad)
    assert [judge.see(outcome) for outcome in outcomes][-1] is health


def test_the_history_goes_back_sixty_seconds_from_the_end_of_a_bucket(clock):
    judge = Judge(clock)
    judge.see(BAD, 10)
    clock.advance(61)
    assert judge.see(GOOD, 10) is Health.UNHEALTHY
    clock.advance(0.1)
    assert judge.see(GOOD) is Health.HEALTHY


def test_what_is_forgotten_counts_no_more(clock):
    judge = Judge(clock)
    judge.see(GOOD, 100)
    clock.advance(62)
    assert judge.see(BAD, 9) is Health.HEALTHY
    assert judge.see(BAD) is Health.UNHEALTHY


def test_a_bucket_holds_a_second(clock):
    judge = Judge(clock)
    judge.see(BAD, 5)
    clock.advance(0.9)
    judge.see(BAD, 5)  # the same bucket: forgotten together
    clock.advance(60.2)
    assert judge.see(GOOD) is Health.HEALTHY


def test_buckets_are_forgotten_one_by_one(clock):
    judge = Judge(clock)
    judge.see(BAD, 5)
    clock.advance(1)
    judge.see(BAD, 10)
    clock.advance(60.5)
    assert judge.see(GOOD) is Health.UNHEALTHY  # 10 of 11
    clock.advance(1)
    assert judge.see(GOOD) is Health.HEALTHY


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.yarp_name)
def test_which_failures_count(clock, reason):
    outcome = Outcome(Kind.FAILED, reason.status, failure=Failure(reason))
    assert Judge(clock).see(outcome, 10) is (Health.UNHEALTHY if reason in COUNTED else Health.HEALTHY)


@pytest.mark.parametrize("status", [200, 404, 500, 503])
def test_any_answer_is_a_success(clock, status):
    assert Judge(clock).see(Outcome(Kind.FORWARDED, status), 20) is Health.HEALTHY


def test_a_failure_on_the_clients_side_does_not_count(clock):
    failure = Failure(Reason.REQUEST_TIMED_OUT, side=Side.CLIENT)
    assert Judge(clock).see(Outcome(Kind.FAILED, 504, failure=failure), 10) is Health.HEALTHY


def test_a_failure_that_the_client_did_not_wait_for_does_not_count(clock):
    assert Judge(clock).see(Outcome(Kind.FAILED, 0, failure=Failure(Reason.REQUEST)), 10) is Health.HEALTHY


def test_a_delegated_exchange_that_broke_counts_whatever_the_client_got(clock):
    judge = Judge(clock)
    judge.destination.rule = FakeRule()
    outcome = Outcome(Kind.FAILED, 0, failure=Failure(Reason.RESPONSE_BODY_DESTINATION))
    assert judge.see(outcome, 10) is Health.UNHEALTHY


def test_each_destination_has_a_history_of_its_own(clock):
    cluster = cluster_of()
    policy = TransportFailureRate(cluster.config, clock=clock)
    one, other = cluster.destinations
    for _ in range(10):
        policy(exchange(), one, BAD)
        health = policy(exchange(), other, GOOD)
    assert health is Health.HEALTHY


# -- the stage


class Verdicts:
    """A policy whose verdicts were decided before."""

    def __init__(self, *verdicts):
        self.verdicts = list(verdicts)

    def __call__(self, exchange, destination, outcome):
        return self.verdicts.pop(0)


class Looking(Verdicts):
    window = 60.0


async def go(stage, cluster, outcome=GOOD, *, index=0, **keys):
    """Send an exchange through `stage` to a destination of `cluster`."""

    async def onward(exchange):
        exchange.destination = cluster.destinations[index]
        return outcome

    return await stage(exchange(cluster=cluster, **keys), onward)


async def test_a_destination_that_breaks_too_often_is_not_available(clock):
    cluster = cluster_of()
    cluster.equipment[PASSIVE_HEALTH] = TransportFailureRate(cluster.config, clock=clock)
    stage = PassiveHealth(clock.call_later)
    for _ in range(10):
        assert await go(stage, cluster, BAD) is BAD
    assert [destination.config.address for destination in cluster.available] == ["http://b:80"]


async def test_it_is_unknown_after_the_window(clock):
    cluster = cluster_of(policy=Looking(Health.UNHEALTHY), period=10.0)
    await go(PassiveHealth(clock.call_later), cluster)
    clock.advance(59.9)
    assert cluster.destinations[0].passive is Health.UNHEALTHY
    clock.advance(0.1)
    assert cluster.destinations[0].passive is Health.UNKNOWN
    assert cluster.available == cluster.destinations


@pytest.mark.parametrize(("policy", "seconds"), [(Looking, 90.0), (Verdicts, 90.0), (Verdicts, 5.0)])
async def test_it_is_unknown_after_the_reactivation_period(clock, policy, seconds):
    cluster = cluster_of(policy=policy(Health.UNHEALTHY), period=seconds)
    await go(PassiveHealth(clock.call_later), cluster)
    clock.advance(seconds - 0.1)
    assert cluster.destinations[0].passive is Health.UNHEALTHY
    clock.advance(0.1)
    assert cluster.destinations[0].passive is Health.UNKNOWN


async def test_a_destination_that_recovers_is_not_reactivated_later(clock):
    cluster = cluster_of(policy=Verdicts(Health.UNHEALTHY, Health.HEALTHY))
    stage = PassiveHealth(clock.call_later)
    await go(stage, cluster)
    await go(stage, cluster)
    clock.advance(100)
    assert cluster.destinations[0].passive is Health.HEALTHY


async def test_the_last_fall_counts_for_the_reactivation(clock):
    cluster = cluster_of(policy=Verdicts(Health.UNHEALTHY, Health.HEALTHY, Health.UNHEALTHY))
    stage = PassiveHealth(clock.call_later)
    for _ in range(3):
        await go(stage, cluster)
        clock.advance(25)
    clock.advance(34)
    assert cluster.destinations[0].passive is Health.UNHEALTHY
    clock.advance(1)
    assert cluster.destinations[0].passive is Health.UNKNOWN


async def test_staying_unhealthy_does_not_put_the_reactivation_off(clock):
    cluster = cluster_of(policy=Verdicts(Health.UNHEALTHY, Health.UNHEALTHY))
    stage = PassiveHealth(clock.call_later)
    await go(stage, cluster)
    clock.advance(50)
    await go(stage, cluster)
    clock.advance(10)
    assert cluster.destinations[0].passive is Health.UNKNOWN


async def test_a_health_that_was_set_by_hand_is_kept(clock):
    cluster = cluster_of(policy=Verdicts(Health.UNHEALTHY))
    await go(PassiveHealth(clock.call_later), cluster)
    cluster.set_passive(cluster.destinations[0], Health.HEALTHY)
    clock.advance(60)
    assert cluster.destinations[0].passive is Health.HEALTHY


async def test_a_reactivation_reaches_the_cluster_of_after_a_reload(clock):
    config = Cluster(
        "api", ["http://a:80", "http://b:80"], health_check=HealthCheck(PassiveHealthCheck(policy="Verdicts"))
    )
    policies = Policies(passive_health={"Verdicts": lambda cluster: Verdicts(Health.UNHEALTHY)})
    fleet = Fleet(policies.recipes)
    fleet.apply(finish(fleet.build(Config(clusters=[config]))))
    await go(PassiveHealth(clock.call_later), fleet.find_cluster("api"))
    fleet.apply(finish(fleet.build(Config(clusters=[config]))))
    assert len(fleet.find_cluster("api").available) == 1
    clock.advance(60)
    assert len(fleet.find_cluster("api").available) == 2


async def test_the_stage_of_the_package_uses_the_event_loop():
    cluster = cluster_of(policy=Verdicts(Health.UNHEALTHY), period=0.0)
    await go(passive_health, cluster)
    assert cluster.destinations[0].passive is Health.UNHEALTHY
    due = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0, due.set_result, None)
    await due
    assert cluster.destinations[0].passive is Health.UNKNOWN


@pytest.mark.parametrize("missing", ["cluster", "policy", "destination"])
async def test_without_anything_to_judge_nothing_happens(missing):
    cluster = cluster_of(policy=None if missing == "policy" else Verdicts())
    given = exchange(cluster=None if missing == "cluster" else cluster)

    async def onward(exchange):
        if missing != "destination":
            exchange.destination = cluster.destinations[0]
        return GOOD

    assert await passive_health(given, onward) is GOOD
    assert cluster.destinations[0].passive is Health.UNKNOWN


async def test_a_delegated_exchange_is_judged_too(clock):
    cluster = cluster_of(queue("reports", "http://*:80/"))
    cluster.equipment[PASSIVE_HEALTH] = TransportFailureRate(cluster.config, clock=clock)
    outcome = Outcome(Kind.FAILED, 503, "reports", failure=Failure(Reason.REQUEST, status=503))
    for _ in range(10):
        await go(PassiveHealth(clock.call_later), cluster, outcome)
    assert cluster.destinations[0].passive is Health.UNHEALTHY


async def test_an_exception_is_no_verdict():
    cluster = cluster_of(policy=Verdicts())

    async def onward(exchange):
        exchange.destination = cluster.destinations[0]
        raise LookupError

    with pytest.raises(LookupError):
        await passive_health(exchange(cluster=cluster), onward)


async def test_what_is_logged(clock, caplog):
    caplog.set_level(logging.INFO)
    cluster = cluster_of(
        policy=Verdicts(Health.HEALTHY, Health.UNHEALTHY, Health.UNHEALTHY, Health.UNHEALTHY)
    )
    stage = PassiveHealth(clock.call_later)
    await go(stage, cluster)
    await go(stage, cluster, BAD, route=Route("/x", "api", id="x"))
    await go(stage, cluster, BAD)
    clock.advance(60)
    await go(stage, cluster)
    judge, fleet = "hostler.stages.health", "hostler.fleet"
    assert [record.name for record in caplog.records] == [judge, judge, fleet, judge]
    fallen = "cluster api: destination http://a:80 is unhealthy for 60 s; the last exchange, by route"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "cluster api: destination http://a:80 is healthy"),
        ("WARNING", f"{fallen} x, ended with {BAD.failure}"),
        ("INFO", "cluster api: destination http://a:80 is unknown"),
        ("WARNING", f"{fallen} -, ended with 200"),
    ]


# -- what else counts as a failure


def judge_of(clock, **keys):
    """A policy with settings of the passive check, and a destination."""
    cluster = live(
        Cluster("api", ["http://a"], health_check=HealthCheck(PassiveHealthCheck(**keys))),
    )
    return TransportFailureRate(cluster.config, clock=clock), cluster.destinations[0]


@pytest.mark.parametrize("kind", [Kind.FORWARDED, Kind.DELEGATED])
@pytest.mark.parametrize(
    ("status", "health"),
    [
        (200, Health.HEALTHY),
        (429, Health.UNHEALTHY),
        (499, Health.HEALTHY),
        (500, Health.UNHEALTHY),
        (599, Health.UNHEALTHY),
    ],
)
def test_statuses_that_count_as_failures(clock, kind, status, health):
    policy, destination = judge_of(clock, unhealthy_statuses=["5xx", "429"])
    for _ in range(10):
        said = policy(exchange(), destination, Outcome(kind, status))
    assert said is health


@pytest.mark.parametrize("reason", [Reason.RESPONSE_BODY_CANCELED, Reason.RESPONSE_BODY_CLIENT])
def test_a_status_counts_whoever_broke_the_body_off(clock, reason):
    policy, destination = judge_of(clock, unhealthy_statuses=["5xx"])
    for _ in range(10):
        said = policy(exchange(), destination, Outcome(Kind.FAILED, 500, failure=Failure(reason)))
    assert said is Health.UNHEALTHY


def test_the_status_of_a_failure_is_not_the_destinations(clock):
    policy, destination = judge_of(clock, unhealthy_statuses=["5xx"])
    outcome = Outcome(Kind.FAILED, 503, failure=Failure(Reason.NO_AVAILABLE_DESTINATIONS))
    for _ in range(10):
        said = policy(exchange(), destination, outcome)
    assert said is Health.HEALTHY


def test_what_a_stage_answered_itself_is_no_failure_of_the_destination(clock):
    policy, destination = judge_of(clock, unhealthy_statuses=["5xx"])
    for _ in range(10):
        said = policy(exchange(), destination, Outcome(Kind.RESPONDED, 503))
    assert said is Health.HEALTHY


@pytest.mark.parametrize(
    ("seconds", "health"), [(1.9, Health.HEALTHY), (2.0, Health.HEALTHY), (2.1, Health.UNHEALTHY)]
)
async def test_answers_that_begin_late_count_as_failures(clock, seconds, health):
    checks = HealthCheck(PassiveHealthCheck(latency_limit=2.0))
    cluster = live(Cluster("api", ["http://a"], health_check=checks))
    cluster.equipment[PASSIVE_HEALTH] = TransportFailureRate(cluster.config, clock=clock)
    stage = PassiveHealth(clock.call_later, clock)

    async def onward(exchange):
        exchange.destination = cluster.destinations[0]
        clock.advance(seconds)
        await exchange.start(200)
        clock.advance(30.0)  # how long the body takes does not matter
        await exchange.end()
        return GOOD

    for _ in range(10):
        clock.now = 1000.0
        await stage(exchange(cluster=cluster), onward)
    assert cluster.destinations[0].passive is health


# -- trials: the half-open circuit


class Circuit:
    """Two destinations, the first of which breaks, behind `balance` and the stage, at a time that stands still."""

    def __init__(self, clock, *, policy="HealthyAndUnknown", period=30.0, names="ab"):
        checks = HealthCheck(
            PassiveHealthCheck(half_open=True, reactivation_period=period),
            available_destinations_policy=policy,
        )
        self.cluster = live(Cluster("api", {name: f"http://{name}" for name in names}, health_check=checks))
        self.cluster.equipment[PASSIVE_HEALTH] = TransportFailureRate(self.cluster.config, clock=clock)
        self.clock = clock
        self.first = self.cluster.destinations[0]
        self.run = fold([balance, PassiveHealth(clock.call_later, clock), self.send])
        self.sent = []
        self.answers = {}

    async def send(self, exchange, onward):
        (exchange.destination,) = exchange.candidates
        self.sent.append(exchange.destination.id)
        answer = self.answers.get(exchange.destination.id, GOOD)
        return await answer if isinstance(answer, asyncio.Future) else answer

    def go(self, given=None):
        return asyncio.ensure_future(self.run(given or exchange(cluster=self.cluster)))

    async def open(self):
        """Have the first destination break until it is left out; return what the trial waits for."""
        self.answers["a"] = BAD
        for _ in range(10):
            await self.go()
        assert self.available == self.others
        self.sent.clear()

    async def half_open(self):
        """Have the first destination on trial, with an answer that is to come."""
        await self.open()
        self.clock.advance(30.0)
        self.answers["a"] = asyncio.get_running_loop().create_future()
        return self.answers["a"]

    @property
    def available(self):
        return [destination.id for destination in self.cluster.available]

    @property
    def others(self):
        return [destination.id for destination in self.cluster.destinations[1:]]


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_open_circuit_lets_nothing_through_for_the_reactivation_period(clock):
    circuit = Circuit(clock)
    await circuit.open()
    await circuit.go()
    assert circuit.sent == ["b"]
    clock.advance(29.9)
    assert circuit.available == ["b"]
    clock.advance(0.1)
    assert circuit.available == ["a", "b"]
    assert circuit.first.passive is Health.UNKNOWN


async def test_on_trial_one_exchange_at_a_time_is_let_through(clock):
    circuit = Circuit(clock)
    await circuit.half_open()
    tries = [circuit.go()]
    await turns()
    tries += [circuit.go(), circuit.go()]
    await turns()
    assert circuit.sent == ["a", "b", "b"]
    circuit.answers["a"].set_result(GOOD)
    await asyncio.gather(*tries)
    assert circuit.available == ["a", "b"]
    assert circuit.first.passive is Health.HEALTHY
    assert circuit.first.trial is None


async def test_one_that_was_listed_before_the_trial_began_goes_elsewhere(clock):
    circuit = Circuit(clock)
    await circuit.half_open()
    waited = exchange(cluster=circuit.cluster)
    circuit.go()
    await turns()
    circuit.go(waited)
    await turns()
    assert circuit.sent == ["a", "b"]
    circuit.answers["a"].set_result(GOOD)


async def test_one_that_was_listed_before_and_has_nowhere_else_to_go_is_not_sent(clock):
    circuit = Circuit(clock, names="a")
    await circuit.half_open()
    waited = exchange(cluster=circuit.cluster)
    trial = circuit.go()
    await turns()
    assert circuit.available == []

    async def refuse(exchange, onward):
        assert exchange.candidates == ()
        return BAD

    stage = PassiveHealth(clock.call_later, clock)
    assert await fold([stage, refuse])(waited) is BAD
    circuit.answers["a"].set_result(GOOD)
    await trial


async def test_a_trial_that_fails_opens_the_circuit_for_another_period(clock):
    circuit = Circuit(clock)
    await circuit.half_open()
    circuit.answers["a"] = BAD
    await circuit.go()
    assert circuit.first.passive is Health.UNHEALTHY
    clock.advance(29.9)
    assert circuit.available == ["b"]
    clock.advance(0.1)
    assert circuit.available == ["a", "b"]
    circuit.answers["a"] = GOOD
    await circuit.go()
    assert circuit.first.passive is Health.HEALTHY


async def test_a_success_forgets_what_was_before_it(clock):
    circuit = Circuit(clock, period=1.0)
    await circuit.open()
    clock.advance(1.0)
    circuit.answers["a"] = GOOD
    await circuit.go()
    circuit.answers["a"] = BAD
    await circuit.go()
    assert circuit.first.passive is Health.HEALTHY  # 1 of 2, not 11 of 12


GONE = Outcome(Kind.FAILED, 0, failure=Failure(Reason.REQUEST_CANCELED))
UNSEEN = Outcome(Kind.FAILED, 0, failure=Failure(Reason.REQUEST))


@pytest.mark.parametrize("outcome", [GONE, UNSEEN])
async def test_a_trial_whose_client_left_says_nothing_and_is_followed_by_another(clock, outcome):
    circuit = Circuit(clock)
    answer = await circuit.half_open()
    trial = circuit.go()
    await turns()
    answer.set_result(outcome)
    await trial
    assert circuit.first.trial is not None
    assert circuit.available == ["a", "b"]
    circuit.answers["a"] = GOOD
    await circuit.go()
    assert circuit.first.trial is None


async def test_a_trial_that_is_cancelled_is_followed_by_another(clock):
    circuit = Circuit(clock)
    await circuit.half_open()
    trial = circuit.go()
    await turns()
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert circuit.available == ["a", "b"]
    assert circuit.first.passive is Health.UNKNOWN


async def test_a_trial_without_end_makes_room_for_another_and_the_first_to_end_decides(clock):
    circuit = Circuit(clock)
    first = await circuit.half_open()
    one = circuit.go()
    await turns()
    clock.advance(29.9)
    assert circuit.available == ["b"]
    clock.advance(0.1)
    assert circuit.available == ["a", "b"]
    circuit.answers["a"] = GOOD
    await circuit.go()
    assert circuit.first.passive is Health.HEALTHY
    first.set_result(BAD)
    await one
    assert circuit.first.passive is Health.HEALTHY  # judged like any other: 1 of 2


async def test_what_is_no_trial_does_not_count_meanwhile(clock):
    circuit = Circuit(clock)
    answer = circuit.answers["a"] = asyncio.get_running_loop().create_future()
    early = circuit.go()
    await turns()
    await circuit.half_open()
    answer.set_result(GOOD)
    await early
    assert circuit.first.passive is Health.UNKNOWN
    assert circuit.first.trial is not None


async def test_in_a_panic_all_go_through(clock):
    circuit = Circuit(clock, policy="HealthyOrPanic", names="a")
    circuit.answers["a"] = BAD
    for _ in range(10):
        await circuit.go()
    clock.advance(30.0)
    answer = circuit.answers["a"] = asyncio.get_running_loop().create_future()
    tries = [circuit.go(), circuit.go()]
    await turns()
    assert len(circuit.sent) == 12
    answer.set_result(GOOD)
    await asyncio.gather(*tries)
    assert circuit.first.passive is Health.HEALTHY


async def test_a_policy_that_knows_no_trials_decides_them(clock):
    circuit = Circuit(clock)
    circuit.cluster.equipment[PASSIVE_HEALTH] = Verdicts(Health.UNHEALTHY, Health.UNHEALTHY, Health.HEALTHY)
    for _ in range(3):
        await circuit.go()
        clock.advance(30.0)
    assert circuit.first.passive is Health.HEALTHY
    assert circuit.sent == ["a"] * 3


async def test_a_trial_outlives_the_setting(clock):
    circuit = Circuit(clock)
    await circuit.half_open()
    circuit.cluster.config = evolve(circuit.cluster.config, health_check=HealthCheck(PassiveHealthCheck()))
    circuit.answers["a"] = GOOD
    await circuit.go()
    assert circuit.first.trial is None
    assert circuit.first.passive is Health.HEALTHY


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_one_at_a_time_is_tried_and_nothing_is_stuck(clock, seed):
    chance = random.Random(seed)
    circuit = Circuit(clock, period=30.0)
    under_way = []
    for _ in range(300):
        action = chance.random()
        if action < 0.5:
            before, trial = circuit.sent.count("a"), circuit.first.trial
            busy = trial is not None and trial.under_way
            answer = circuit.answers["a"] = asyncio.get_running_loop().create_future()
            under_way.append((answer, circuit.go()))
            await turns()
            assert not (busy and circuit.sent.count("a") > before)
        elif action < 0.9 and under_way:
            answer, task = under_way.pop(chance.randrange(len(under_way)))
            if chance.random() < 0.2:
                task.cancel()
            elif not answer.done():
                answer.set_result(chance.choice([GOOD, BAD, BAD, GONE]))
            await turns()
        else:
            clock.advance(chance.choice([0.5, 5.0, 31.0]))
    for answer, _ in under_way:
        if not answer.done():
            answer.set_result(GOOD)
    await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
    circuit.answers["a"] = GOOD
    for _ in range(40):
        clock.advance(31.0)
        await circuit.go()
    assert circuit.first.trial is None
    assert circuit.first.passive is Health.HEALTHY
    assert circuit.available == ["a", "b"]


async def test_what_is_logged_of_a_trial(clock, caplog):
    caplog.set_level(logging.INFO)
    circuit = Circuit(clock)
    await circuit.half_open()
    circuit.answers["a"] = GOOD
    await circuit.go()
    assert [record.getMessage() for record in caplog.records][-3:] == [
        f"cluster api: destination http://a is unhealthy for 30 s; the last exchange, by route -, ended with {BAD.failure}",
        "cluster api: destination http://a is on trial",
        "cluster api: destination http://a is healthy",
    ]

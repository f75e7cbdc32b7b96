"""How a name in a configuration becomes a policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import fields

from hostler import Cluster, Config, Policies, Route
from hostler.checking import find_problems
from hostler.config.model import HealthCheck, PassiveHealthCheck, SessionAffinity
from hostler.fleet import LiveCluster
from hostler.fleet.available import AVAILABLE_DESTINATIONS
from hostler.fleet.equipment import equip as equip_by
from hostler.stages.affinity import AFFINITY, AFFINITY_FAILURE, redistribute
from hostler.stages.affinity.hashed import HASH_COOKIE, HashedKeyCookie
from hostler.stages.balance import BALANCE, Balancing
from hostler.stages.balance.even import PowerOfTwoChoices
from hostler.stages.health import PASSIVE_HEALTH, TransportFailureRate


def equip(config, policies=None, previous=None):
    return equip_by((policies or Policies()).recipes, config, previous)


def live(config, policies):
    return LiveCluster(config.id, config, equip(config, policies))


def problems_of(cluster, policies=None):
    """Return what is said about the policies that a cluster names, by path under it."""
    return {problem.path: problem.message for problem in (policies or Policies()).problems(cluster, "c")}


class Last:
    """Takes the last one."""

    def __init__(self, balancing):
        assert isinstance(balancing, Balancing)

    def __call__(self, exchange, candidates, /):
        return candidates[-1]

    class Nested:
        def __init__(self, balancing):
            pass

        def __call__(self, exchange, candidates, /):
            return candidates[0]


NOT_CALLABLE = 5


def test_a_cluster_that_names_nothing_has_what_yarp_gives_it():
    made = equip(Cluster("c"))
    assert isinstance(made[BALANCE], PowerOfTwoChoices)
    assert made.keys() == {BALANCE, AVAILABLE_DESTINATIONS}


def test_a_cluster_that_switches_everything_on_has_yarps_defaults():
    config = Cluster(
        "c",
        balance="",
        affinity=SessionAffinity("key", policy="", failure_policy=""),
        health_check=HealthCheck(PassiveHealthCheck(policy=""), available_destinations_policy=""),
    )
    made = equip(config)
    assert isinstance(made[AFFINITY], HashedKeyCookie)
    assert made[AFFINITY_FAILURE] is redistribute
    assert isinstance(made[PASSIVE_HEALTH], TransportFailureRate)
    assert made[AVAILABLE_DESTINATIONS](()) == ()


def test_a_route_names_no_policy_yet():
    assert equip(Route("/")) == {}


@pytest.mark.parametrize("name", ["RoundRobin", "roundrobin", "ROUNDROBIN", ""])
def test_names_have_no_case_and_no_name_is_the_default(name):
    assert callable(equip(Cluster("c", balance=name))[BALANCE])


def test_a_policy_of_ones_own_may_stand_beside_hostlers_or_take_its_place():
    policies = Policies(balance={"Last": Last, "random": Last})
    assert isinstance(equip(Cluster("c", balance="LAST"), policies)[BALANCE], Last)
    assert isinstance(equip(Cluster("c", balance="Random"), policies)[BALANCE], Last)
    assert not isinstance(equip(Cluster("c", balance="RoundRobin"), policies)[BALANCE], Last)


def test_each_cluster_has_a_policy_of_its_own():
    policies = Policies(balance={"Last": Last})
    one, two = (equip(Cluster(name, balance="Last"), policies)[BALANCE] for name in "ab")
    assert one is not two


def test_a_dotted_name_is_imported():
    assert type(equip(Cluster("c", balance=f"{__name__}:Last"))[BALANCE]).__name__ == "Last"
    assert type(equip(Cluster("c", balance=f"{__name__}:Last.Nested"))[BALANCE]).__name__ == "Nested"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.such.module:thing", "there is no module 'no'"),
        (f"{__name__}:nothing", "there is no attribute 'nothing'"),
        ("broken_policy_module:thing", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_imported_is_a_problem_with_its_place(name, why, tmp_path, monkeypatch):
    (tmp_path / "broken_policy_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    message = problems_of(Cluster("c", balance=name))["c.LoadBalancingPolicy"]
    assert why in message
    with pytest.raises(LookupError, match=re.escape(message)):
        equip(Cluster("c", balance=name))


def test_what_cannot_be_called_is_a_problem_too():
    message = problems_of(Cluster("c", balance=f"{__name__}:NOT_CALLABLE"))["c.LoadBalancingPolicy"]
    assert "which cannot be called" in message


def test_affinity_and_passive_health_are_made_of_their_configuration():
    asked = []
    policies = Policies(
        affinity={"Mine": lambda config: asked.append(config) or "affinity"},
        passive_health={"Mine": lambda config: asked.append(config) or "passive"},
    )
    affinity = SessionAffinity("key", policy="Mine")
    config = Cluster(
        "c", affinity=affinity, health_check=HealthCheck(passive=PassiveHealthCheck(policy="Mine"))
    )
    made = equip(config, policies)
    assert (made[AFFINITY], made[PASSIVE_HEALTH]) == ("affinity", "passive")
    assert asked == [affinity, config]


def test_what_is_switched_off_is_not_made():
    config = Cluster("c", affinity=SessionAffinity("key", enabled=False, policy="Nonsense"))
    assert AFFINITY not in equip(config)


def test_what_did_not_change_is_kept():
    policies = Policies()
    before = live(Cluster("c", balance="RoundRobin"), policies)
    same = equip(Cluster("c", ["http://a"], balance="RoundRobin"), policies, before)
    assert same[BALANCE] is before.equipment[BALANCE]
    other = equip(Cluster("c", balance="Random"), policies, before)
    assert other[BALANCE] is not before.equipment[BALANCE]


def test_a_policy_is_made_anew_when_what_it_is_made_of_changes():
    policies = Policies()
    before = live(Cluster("c", affinity=SessionAffinity("key")), policies)
    same = equip(Cluster("c", ["http://a"], affinity=SessionAffinity("key")), policies, before)
    assert same[AFFINITY] is before.equipment[AFFINITY]
    other = equip(Cluster("c", affinity=SessionAffinity("another")), policies, before)
    assert other[AFFINITY] is not before.equipment[AFFINITY]


def test_a_name_that_cannot_be_imported_is_a_problem_of_the_configuration():
    config = Config(clusters=[Cluster("a", balance="nowhere:lb"), Cluster("b", balance="random:choice")])
    (problem,) = find_problems(config)
    assert problem.path == "Clusters.a.LoadBalancingPolicy"
    assert "nowhere:lb" in problem.message


@pytest.mark.parametrize("page", ["stages.md", "yarp-compatibility.md"])
def test_the_pages_name_every_kind_and_every_policy(page):
    text = (Path(__file__).parents[1] / "docs" / page).read_text()
    for row in fields(Policies):
        if row.metadata:
            kind = row.metadata["kind"]
            assert kind.key.rpartition(".")[0] in text
            assert [name for name in (*kind.builtin, kind.default) if f"`{name}`" not in text] == []


# -- names


@pytest.mark.parametrize("name", ["leastrequests", "RANDOM", "", "random:choice", "random:Random.choice"])
def test_a_name_is_known_in_any_case_or_imported(name):
    assert problems_of(Cluster("c", balance=name)) == {}


def test_a_slip_is_recognised():
    assert problems_of(Cluster("c", balance="RoundRobbin")) == {
        "c.LoadBalancingPolicy": 'unknown policy "RoundRobbin"; did you mean RoundRobin?'
    }


def test_a_slip_in_a_name_of_ones_own_is_recognised_too():
    message = problems_of(Cluster("c", balance="Nearst"), Policies(balance={"Nearest": Last}))
    assert message == {"c.LoadBalancingPolicy": 'unknown policy "Nearst"; did you mean Nearest?'}


def test_what_is_not_like_any_gets_the_list():
    assert problems_of(Cluster("c", balance="xyz")) == {
        "c.LoadBalancingPolicy": 'unknown policy "xyz"; use ConsistentHash, FirstAlphabetical, LeastRequests, '
        "PowerOfTwoChoices, Random, RoundRobin, or package.module:name"
    }


def test_a_program_may_add_a_policy_that_hostler_will_have_later():
    mine = Policies(
        affinity={"Cookie": HASH_COOKIE}, affinity_failure={"Return503Error": lambda: redistribute}
    )
    affinity = SessionAffinity("key", policy="cookie", failure_policy="return503error")
    assert problems_of(Cluster("c", affinity=affinity), mine) == {}


@pytest.mark.parametrize(
    ("health", "path", "hint"),
    [
        (
            HealthCheck(PassiveHealthCheck(policy="TransportFailureRat")),
            "Passive.Policy",
            "TransportFailureRate",
        ),
        (
            HealthCheck(available_destinations_policy="HealthyOrPanik"),
            "AvailableDestinationsPolicy",
            "HealthyOrPanic",
        ),
    ],
)
def test_the_health_policies(health, path, hint):
    (said,) = problems_of(Cluster("c", health_check=health)).items()
    assert said[0] == f"c.HealthCheck.{path}"
    assert f"did you mean {hint}?" in said[1]

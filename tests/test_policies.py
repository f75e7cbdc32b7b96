"""How a name in a configuration becomes a policy."""

from __future__ import annotations

import pytest

from hostler import Cluster, Config, ConfigError, Policies
from hostler.config.model import HealthCheck, HttpClient, HttpRequest, PassiveHealthCheck, SessionAffinity
from hostler.fleet import Fleet
from hostler.proxy import find_problems


def equip(config, policies=None, previous=None):
    return (policies or Policies()).equip(config, previous)


def live(config, policies):
    fleet = Fleet()
    fleet.apply((config,), policies.equip)
    return fleet.find(config.id)


class Last:
    """Takes the last one."""

    def __call__(self, exchange, candidates, /):
        return candidates[-1]

    class Nested:
        def __call__(self, exchange, candidates, /):
            return candidates[0]


NOT_CALLABLE = 5


def test_a_cluster_that_names_nothing_has_what_yarp_gives_it():
    made = equip(Cluster("c"))
    assert made.balance is not None
    assert (made.affinity, made.passive) == (None, None)


@pytest.mark.parametrize("name", ["RoundRobin", "roundrobin", "ROUNDROBIN", ""])
def test_names_have_no_case_and_no_name_is_the_default(name):
    assert callable(equip(Cluster("c", balance=name)).balance)


def test_a_policy_of_ones_own_may_stand_beside_hostlers_or_take_its_place():
    policies = Policies(balance={"Last": Last, "random": Last})
    assert isinstance(equip(Cluster("c", balance="LAST"), policies).balance, Last)
    assert isinstance(equip(Cluster("c", balance="Random"), policies).balance, Last)
    assert not isinstance(equip(Cluster("c", balance="RoundRobin"), policies).balance, Last)
    assert "last" in policies.names().balance


def test_each_cluster_has_a_policy_of_its_own():
    policies = Policies(balance={"Last": Last})
    one, two = (equip(Cluster(name, balance="Last"), policies).balance for name in "ab")
    assert one is not two


def test_a_dotted_name_is_imported():
    assert type(equip(Cluster("c", balance=f"{__name__}:Last")).balance).__name__ == "Last"
    assert type(equip(Cluster("c", balance=f"{__name__}:Last.Nested")).balance).__name__ == "Nested"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.such.module:thing", "No module named"),
        (f"{__name__}:nothing", "has no attribute 'nothing'"),
        ("broken_policy_module:thing", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_imported_is_a_problem_with_its_place(name, why, tmp_path, monkeypatch):
    (tmp_path / "broken_policy_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        equip(Cluster("c", balance=name))
    (problem,) = caught.value.problems
    assert problem.path == "Clusters.c.LoadBalancingPolicy"
    assert why in problem.message
    assert "write it as package.module:attribute" in problem.message


def test_what_cannot_be_called_is_a_problem_too():
    with pytest.raises(ConfigError, match="which cannot be called"):
        equip(Cluster("c", balance=f"{__name__}:NOT_CALLABLE"))


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
    assert (made.affinity, made.passive) == ("affinity", "passive")
    assert asked == [affinity, config]


def test_what_is_switched_off_is_not_made():
    config = Cluster("c", affinity=SessionAffinity("key", enabled=False, policy="Nonsense"))
    assert equip(config).affinity is None


def test_what_did_not_change_is_kept():
    policies = Policies()
    before = live(Cluster("c", balance="RoundRobin"), policies)
    same = equip(Cluster("c", ["http://a"], balance="RoundRobin"), policies, before)
    assert same.balance is before.equipment.balance
    assert same.sender is before.equipment.sender
    other = equip(Cluster("c", balance="Random"), policies, before)
    assert other.balance is not before.equipment.balance
    assert other.sender is before.equipment.sender


@pytest.mark.parametrize(
    "change",
    [
        {"http_client": HttpClient(max_connections_per_server=1)},
        {"http_request": HttpRequest(activity_timeout=1)},
    ],
)
def test_another_client_setting_makes_another_client(change):
    policies = Policies()
    before = live(Cluster("c"), policies)
    assert equip(Cluster("c", **change), policies, before).sender is not before.equipment.sender


def test_a_name_that_cannot_be_imported_is_a_problem_of_the_configuration():
    config = Config(clusters=[Cluster("a", balance="nowhere:lb"), Cluster("b", balance="random:choice")])
    (problem,) = find_problems(config)
    assert problem.path == "Clusters.a.LoadBalancingPolicy"
    assert "nowhere:lb" in problem.message

"""What is made for clusters and routes, and what is kept when they are configured anew."""

from __future__ import annotations

from hostler.config.model import Cluster, Route
from hostler.fleet import LiveCluster, LiveRoute
from hostler.fleet.equipment import Part, Recipe, equip

LIMIT = Part()


class Limit:
    def __init__(self, seconds):
        self.seconds = seconds


def limits(owner, settings):
    return [Recipe(part=LIMIT, owner=owner, settings=settings, make=Limit)]


OF_ROUTES = limits(Route, lambda route: None if route.timeout is None else (route.timeout,))


def live(config):
    return LiveRoute(config.id, config, None, equip(OF_ROUTES, config, None))


def test_a_part_is_made_of_its_settings():
    assert equip(OF_ROUTES, Route("/", timeout=2.0), None)[LIMIT].seconds == 2.0


def test_what_is_switched_off_is_missing():
    equipment = equip(OF_ROUTES, Route("/"), None)
    assert equipment == {}
    assert equipment.get(LIMIT) is None


def test_a_recipe_for_routes_makes_nothing_for_clusters():
    assert equip(OF_ROUTES, Cluster("c"), None) == {}


def test_what_has_the_same_settings_is_kept():
    before = live(Route("/", timeout=2.0))
    same = equip(OF_ROUTES, Route("/other", timeout=2.0), before)
    other = equip(OF_ROUTES, Route("/", timeout=3.0), before)
    assert same[LIMIT] is before.equipment[LIMIT]
    assert other[LIMIT].seconds == 3.0


def test_what_is_switched_on_later_is_made_then_and_what_is_switched_off_is_not_kept():
    on, off = Route("/", timeout=2.0), Route("/")
    assert equip(OF_ROUTES, on, live(off))[LIMIT].seconds == 2.0
    assert equip(OF_ROUTES, off, live(on)) == {}


def test_clusters_are_equipped_by_the_same_rule():
    recipes = limits(Cluster, lambda cluster: (cluster.balance,))
    config = Cluster("c", balance="Random")
    before = LiveCluster("c", config, equip(recipes, config, None))
    assert (
        equip(recipes, Cluster("c", ["http://a"], balance="Random"), before)[LIMIT] is before.equipment[LIMIT]
    )

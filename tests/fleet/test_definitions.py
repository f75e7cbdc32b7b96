"""Policies that a document defines, brought to life: one object for all that name it, kept while it is the same."""

from __future__ import annotations

import pytest
from attrs import field, frozen

from hostler import Config, Definitions, Route, TimeoutDefinition
from hostler.fleet.equipment import Part, Recipe
from hostler.fleet.snapshot import Fleet
from hostler.steps import finish

COUNTER = Part()


@frozen(eq=False)
class Counter:
    name: str
    definition: TimeoutDefinition | None
    made: list = field(factory=list)


def with_definition(settings, definitions):
    (name,) = settings
    return (name, definitions.timeouts.get(name))


@pytest.fixture
def fleet():
    recipe = Recipe(
        part=COUNTER,
        owner=Route,
        settings=lambda route: None if route.timeout_policy is None else (route.timeout_policy,),
        resolve=with_definition,
        make=Counter,
        shared=True,
    )
    return Fleet([recipe])


def counters(fleet, names, **timeouts):
    """Configure a route for each name; returns what each has."""
    routes = [Route(f"/{index}", timeout_policy=name) for index, name in enumerate(names)]
    definitions = Definitions(
        timeouts={name: TimeoutDefinition(seconds) for name, seconds in timeouts.items()}
    )
    fleet.apply(finish(fleet.build(Config(routes, definitions=definitions))))
    return [route.equipment.get(COUNTER) for route in fleet.snapshot.routes.values()]


def test_all_that_name_it_have_one(fleet):
    one, other, another, none = counters(fleet, ["a", "a", "b", None], a=1, b=1)
    assert one is other
    assert another is not one
    assert none is None
    assert one.definition == TimeoutDefinition(1)


def test_it_is_kept_while_its_definition_is_the_same(fleet):
    (before,) = counters(fleet, ["a"], a=1)
    kept, also_of_a_new_route = counters(fleet, ["a", "a"], a=1, b=5)
    assert kept is also_of_a_new_route is before
    (changed,) = counters(fleet, ["a"], a=2)
    assert changed is not before
    assert changed.definition == TimeoutDefinition(2)


def test_what_nobody_names_any_more_is_let_go(fleet):
    (before,) = counters(fleet, ["a"], a=1)
    counters(fleet, [None], a=1)
    (again,) = counters(fleet, ["a"], a=1)
    assert again is not before


def test_a_configuration_that_was_built_and_not_put_in_force_changes_nothing(fleet):
    (before,) = counters(fleet, ["a"], a=1)
    finish(
        fleet.build(
            Config(
                [Route("/", timeout_policy="a")],
                definitions=Definitions(timeouts={"a": TimeoutDefinition(9)}),
            )
        )
    )
    assert counters(fleet, ["a"], a=1) == [before]

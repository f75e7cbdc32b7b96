"""Layers of a configuration, merged as .NET merges them."""

from __future__ import annotations

import pytest

from hostler.config.layers import Layer, merge
from hostler.config.places import Origin, Place
from hostler.errors import Problem


def layers(*values):
    return [Layer(Origin(f"{number}.json", Place), value) for number, value in enumerate(values)]


def merged(*values):
    value, problems = merge(layers(*values))
    assert problems == []
    return value


def said(*values):
    return [str(problem) for problem in merge(layers(*values))[1]]


@pytest.mark.parametrize(
    ("below", "above", "both"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {}}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"A": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"A": {"B": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": ["x", "y"]}, {"a": ["z"]}, {"a": ["z", "y"]}),
        ({"a": ["x"]}, {"a": ["y", "z"]}, {"a": ["y", "z"]}),
        ({"a": ["x", "y"]}, {"a": {"1": "z"}}, {"a": ["x", "z"]}),
        ({"a": ["x"]}, {"a": {"1": "z"}}, {"a": ["x", "z"]}),
        ({"a": ["x"]}, {"a": {"7": "z"}}, {"a": {"0": "x", "7": "z"}}),
        ({"a": {"1": "x"}}, {"a": ["z"]}, {"a": ["z", "x"]}),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"c": 3}]}, {"a": [{"b": 1, "c": 3}]}),
        ({"a:b": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a:b": 2, "A:c": 3}, {"a": {"b": 2, "c": 3}}),
        ({"a:b:c": 1}, {"a": {"b:c": 2}}, {"a": {"b": {"c": 2}}}),
    ],
)
def test_what_two_layers_say_together(below, above, both):
    before = repr((below, above))
    assert merged(below, above) == both
    assert repr((below, above)) == before


def test_the_last_of_several_prevails():
    assert merged({"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 2}, {"c": 3}) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(
    ("where", "key"),
    [
        (["ReverseProxy", "Routes"], "a:b"),
        (["ReverseProxy", "Clusters", "c", "Destinations"], "http://a:80/"),
        (["ReverseProxy", "Clusters", "c", "Metadata"], "a:b"),
        (["Policies", "Timeouts"], "a:b"),
    ],
)
def test_a_colon_in_an_id_is_a_part_of_it(where, key):
    def within(value):
        for step in reversed(where):
            value = {step: value}
        return value

    assert merged(within({key: {"x": 1}}), within({key: {"y": 2}})) == within({key: {"x": 1, "y": 2}})


@pytest.mark.parametrize("nothing", [None, {}, []])
@pytest.mark.parametrize("something", [{"b": 1}, ["x"]])
def test_nothing_takes_nothing_away_and_that_is_said(something, nothing):
    value, [warning] = merge(
        layers({"ReverseProxy": {"Routes": something}}, {"ReverseProxy": {"Routes": nothing}})
    )
    assert value == {"ReverseProxy": {"Routes": something}}
    shown = {None: "null"}.get(nothing, nothing) if nothing is None else nothing
    assert str(warning) == (
        f"1.json: warning: Routes: {shown} takes nothing away from what the layers below say; change it there"
    )


def test_a_value_where_the_layers_below_have_members():
    assert said({"ReverseProxy": {"Routes": {"shop": {"Order": 1}}}}, {"reverseproxy:routes:SHOP": "x"}) == [
        '1.json: Routes.shop: "x" is a value, and the layers below have members here; keep one of the two'
    ]


def test_what_is_wrong_with_a_layer_is_said_of_it():
    good, bad = layers({"a": 1}, {"a": 2})
    bad = Layer(bad.origin, bad.value, (Problem("a", "appears twice"),))
    assert [str(problem) for problem in merge([good, bad])[1]] == ["1.json: a: appears twice"]
    assert said({"a": {}}, {"b:c": 1, "b": {"c": 2}}) == [
        "1.json: b:c: appears more than once (a colon is a level); keep one"
    ]


def test_a_layer_that_is_no_object():
    assert said({"a": 1}, ["x"]) == ['1.json: ["x"] is no layer over 0.json; expected an object, {...}']
    assert merge(layers([1], {"a": 1})) == ([1], [])


def test_layers_that_nest_without_end():
    deep = 1
    for _ in range(500):
        deep = {"a": deep}
    [problem] = merge(layers(deep, deep))[1]
    assert "nests deeper than 64 levels" in problem.message

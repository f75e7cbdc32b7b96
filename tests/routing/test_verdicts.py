"""Verdicts: what each route lacks, and that they agree with the table."""

from __future__ import annotations

import pytest

from hostler.config.model import HeaderMatch, HeaderMatchMode, QueryMatch, Route
from hostler.fleet import LiveRoute
from hostler.routing.table import Match, Table
from hostler.routing.verdicts import Question, judge
from hostler.testing import exchange

ROUTES = [
    Route("/a", "c", id="late", order=1),
    Route("/a", "c", id="plain"),
    Route("/a", "c", id="put", methods=["PUT", "POST"]),
    Route("/a", "c", id="host", hosts=["h.example", "*.example:81", "x.example"]),
    Route("/{n:int}", "c", id="int"),
    Route(
        "/a",
        "c",
        id="conditions",
        headers=[HeaderMatch("x", "1"), HeaderMatch("y", mode=HeaderMatchMode.EXISTS)],
        query_parameters=[QueryMatch("q", "1")],
    ),
]


def table(routes=ROUTES):
    return Table([LiveRoute(route.id, route) for route in routes])


def verdicts(target="/a", method="GET", *, headers=(), host="other", routes=ROUTES):
    request = exchange(method, target, headers=headers, host=host)
    question = Question(method, request.host, request.port, request.path, request)
    return judge(table(routes), question), table(routes).find(
        method, request.host, request.port, request.path, request
    )


def said(*args, **rules):
    return {verdict.route.id: verdict.failed for verdict in verdicts(*args, **rules)[0]}


def test_routes_stand_in_the_order_of_precedence():
    assert list(said()) == ["put", "host", "conditions", "plain", "int", "late"]


def test_each_says_what_the_request_is_not():
    assert said() == {
        "put": ("method: PUT or POST",),
        "host": ("host: h.example or *.example:81 or x.example",),
        "conditions": ('header rule 1: x is "1"', "header rule 2: y exists", 'query rule 1: q is "1"'),
        "plain": (),
        "int": ("path: /{n:int}",),
        "late": (),
    }


def test_conditions_are_judged_one_by_one():
    assert said("/a?q=1", headers=[("x", "1")])["conditions"] == ("header rule 2: y exists",)


def test_a_far_route_says_host_and_path_alone():
    failed = said("/b", "DELETE")
    assert failed["host"] == ("host: h.example or *.example:81 or x.example", "path: /a")
    assert failed["conditions"] == failed["put"] == ("path: /a",)


@pytest.mark.parametrize(("host", "rank_before"), [("x.example", True), ("y.example:81", False)])
def test_a_route_stands_where_the_host_puts_it_that_the_request_is_for(host, rank_before):
    routes = [ROUTES[3], Route("/a", "c", id="other", hosts=["y.example", "x.example:81", "*.example"])]
    order = list(said(host=host, routes=routes))
    assert order.index("host") < order.index("other") if rank_before else order == ["other", "host"]


def test_routes_of_one_rank_have_one():
    found, _ = verdicts("/x", routes=[Route("/{a}", "c", id="one"), Route("/{b}", "c", id="two")])
    assert [verdict.failed for verdict in found] == [(), ()]
    assert found[0].rank == found[1].rank


ASKING = [("Origin", "https://o"), ("Access-Control-Request-Method", "PUT")]


def test_preflights():
    routes = [
        Route("/a", "c", id="get", methods=["GET"], cors_policy="ours"),
        Route("/a", "c", id="put", methods=["PUT"], cors_policy="ours"),
        Route("/a", "c", id="options", methods=["OPTIONS"]),
    ]
    assert said("/a", "OPTIONS", headers=ASKING, routes=routes) == {
        "get": ("method: GET, and the preflight is for PUT",),
        "put": (),
        "options": ("preflight: it has no CorsPolicy, and other routes of the path have one",),
    }


@pytest.mark.parametrize("target", ["/a", "/a/", "/7", "/b", "/a?q=1"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("host", ["other", "h.example", "x.example:81"])
@pytest.mark.parametrize("headers", [(), [("x", "1"), ("y", "1")]])
def test_the_first_that_lacks_nothing_is_the_one_that_the_table_finds(target, method, host, headers):
    found, match = verdicts(target, method, headers=headers, host=host)
    first = next((verdict.route.id for verdict in found if not verdict.failed), None)
    assert first == (match.route.id if isinstance(match, Match) else None)

"""Pages of other origins: preflights, permissions, and what becomes of a destination's own."""

from __future__ import annotations

import pytest

from hostler.config.access import CorsDefinition
from hostler.config.model import Route
from hostler.contract import Delegated
from hostler.stages.cors import CORS, Cors, cors
from hostler.testing import FakeRule, FakeStream, exchange

PAGE = "https://app.example.com"
OURS = CorsDefinition(
    allowed_origins=[PAGE],
    allowed_methods=["PUT", "DELETE"],
    allowed_headers=["X-Tenant"],
    exposed_headers=["X-Total"],
    allow_credentials=True,
    preflight_max_age=600.5,
)
PREFLIGHT = [("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-tenant,x-other")]


async def ask(policy, method="GET", *, origin=PAGE, headers=(), answer=(), stream=None):
    stream = stream or FakeStream()
    origins = [origin] if isinstance(origin, str) else origin
    given = exchange(
        method,
        headers=[*(("Origin", value) for value in origins), *headers],
        stream=stream,
        route=Route("/", id="r", cors_policy="ours"),
    )
    if policy is not Ellipsis:
        given.route.equipment[CORS] = Cors(policy)

    async def onward(given):
        return await given.respond(200, "answered", headers=answer)

    await cors(given, onward)
    return stream.response


def permissions(response):
    return {
        name.lower().removeprefix("access-control-"): value
        for name, value in response.headers
        if name.lower().startswith(("access-control", "vary"))
    }


async def test_a_preflight_is_answered_with_what_the_policy_permits():
    response = await ask(OURS, "OPTIONS", headers=PREFLIGHT)
    assert (response.status, response.body) == (204, b"")
    assert permissions(response) == {
        "allow-origin": PAGE,
        "allow-credentials": "true",
        "allow-methods": "PUT, DELETE",
        "allow-headers": "X-Tenant",
        "max-age": "600",
        "vary": "Origin",
    }


async def test_a_preflight_of_another_origin_gets_no_permission():
    response = await ask(OURS, "OPTIONS", origin="https://evil.example", headers=PREFLIGHT)
    assert (response.status, permissions(response)) == (204, {"vary": "Origin"})


async def test_stars_permit_what_was_asked_for():
    policy = CorsDefinition([PAGE], ["*"], ["*"], allow_credentials=True)
    headers = [("Access-Control-Request-Method", "PURGE"), ("Access-Control-Request-Headers", "a, b")]
    response = await ask(policy, "OPTIONS", headers=headers)
    assert permissions(response)["allow-methods"] == "PURGE"
    assert permissions(response)["allow-headers"] == "a, b"


@pytest.mark.parametrize("value", ["", "a b", "a,,b", "caf\xe9", "PUT,"])
async def test_what_is_no_method_and_no_names_is_not_repeated(value):
    policy = CorsDefinition(["*"], ["*"], ["*"])
    headers = [("Access-Control-Request-Method", value), ("Access-Control-Request-Headers", value)]
    response = await ask(policy, "OPTIONS", headers=headers)
    assert (response.status, permissions(response)) == (204, {"allow-origin": "*"})


@pytest.mark.parametrize(
    ("method", "origin", "headers"),
    [("OPTIONS", PAGE, []), ("OPTIONS", [], PREFLIGHT), ("GET", PAGE, PREFLIGHT)],
)
async def test_what_is_no_preflight_goes_onward(method, origin, headers):
    response = await ask(OURS, method, origin=origin, headers=headers)
    assert (response.status, response.body) == (200, b"answered")


async def test_an_answer_says_who_may_read_it():
    assert permissions(await ask(OURS)) == {
        "allow-origin": PAGE,
        "allow-credentials": "true",
        "expose-headers": "X-Total",
        "vary": "Origin",
    }


@pytest.mark.parametrize("origin", [[], ["https://evil.example"], [PAGE, PAGE], ["null"], [""]])
async def test_an_answer_to_anybody_else_says_only_that_it_depends_on_the_origin(origin):
    assert permissions(await ask(OURS, origin=origin)) == {"vary": "Origin"}


@pytest.mark.parametrize("origin", [[], [PAGE], ["null"]])
async def test_where_every_origin_may_the_answer_is_the_same_for_all(origin):
    assert permissions(await ask(CorsDefinition("*"), origin=origin)) == {"allow-origin": "*"}


async def test_the_policy_takes_the_place_of_what_the_destination_permits():
    theirs = [
        ("Access-Control-Allow-Origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("Access-Control-Expose-Headers", "X-Secret"),
        ("Vary", "Accept"),
        ("Access-Control-Other", "kept"),
    ]
    response = await ask(OURS, origin="https://evil.example", answer=theirs)
    assert "access-control-allow-origin" not in response.headers
    assert "access-control-allow-credentials" not in response.headers
    assert "access-control-expose-headers" not in response.headers
    assert response.headers.get("access-control-other") == "kept"
    assert response.headers.get_all("vary") == ["Accept", "Origin"]


@pytest.mark.parametrize(
    ("allowed", "origin", "permitted"),
    [
        ("https://*.example.com", "https://a.example.com", True),
        ("https://*.example.com", "https://a.b-c.example.com", True),
        ("https://*.Example.com/", "https://a.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://.example.com", False),
        ("https://*.example.com", "https://evilexample.com", False),
        ("https://*.example.com", "https://a.example.com.evil", False),
        ("https://*.example.com", "https://evil/.example.com", False),
        ("https://*.example.com", "https://evil#.example.com", False),
        ("https://*.example.com", "https://evil\\.example.com", False),
        ("https://*.example.com", "https://user@a.example.com", False),
        ("https://*.example.com", "https://a.example.com\n", False),
        ("https://*.example.com", "http://a.example.com", False),
        ("https://*.example.com", "https://a.example.com:8443", False),
        ("https://*.example.com:8443", "https://a.example.com:8443", True),
        ("https://example.com:443", "https://example.com", True),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("http://[::1]:3000", "http://[::1]:3000", True),
        ("https://a.example.com", "https://axexample.com", False),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example", True),
    ],
)
def test_which_origins_match(allowed, origin, permitted):
    headers = Cors(CorsDefinition([allowed])).answer([origin.encode("latin-1")])
    assert any(name == b"Access-Control-Allow-Origin" for name, _ in headers) is permitted


async def test_disable_refuses_preflights_and_leaves_the_rest_to_the_destination():
    response = await ask(None, "OPTIONS", headers=PREFLIGHT)
    assert (response.status, permissions(response)) == (204, {})
    response = await ask(None, answer=[("Access-Control-Allow-Origin", "*")])
    assert permissions(response) == {"allow-origin": "*"}


async def test_without_a_policy_nothing_is_said():
    assert permissions(await ask(...)) == {}


async def test_a_delegated_answer_gets_the_permissions_added():
    stream = FakeStream(delegation=Delegated(200))
    given = exchange(headers=[("Origin", PAGE)], stream=stream, route=Route("/", id="r"))
    given.route.equipment[CORS] = Cors(OURS)
    await cors(given, lambda given: given.delegate(FakeRule()))
    _, added = stream.delegated
    assert (b"Access-Control-Allow-Origin", PAGE.encode()) in added

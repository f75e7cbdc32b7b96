"""Refusing what is too much."""

from __future__ import annotations

import pytest

from hostler import Definitions, Policies, RateLimiterDefinition, Route
from hostler.fleet import LiveRoute
from hostler.fleet.equipment import equip
from hostler.outcome import Kind, Outcome
from hostler.rate_limiting.policy import Refused
from hostler.stages import limit_rate
from hostler.testing import exchange

ONWARD = Outcome(Kind.RESPONDED, 200)


async def onward(exchange):
    return ONWARD


def live(policies=None, name="slow", **definition):
    config = Route("/", rate_limiter_policy=name)
    definitions = Definitions(rate_limiters={"Slow": RateLimiterDefinition(2, 60, **definition)})
    return LiveRoute("r", config, None, equip((policies or Policies()).recipes, config, None, definitions))


def on(route, **kwargs):
    given = exchange(**kwargs)
    given.route = route
    return given


async def test_what_is_too_much_is_429():
    route = live()
    for _ in range(2):
        assert await limit_rate(on(route), onward) is ONWARD
    given = on(route)
    outcome = await limit_rate(given, onward)
    assert (outcome.kind, outcome.status) == (Kind.RESPONDED, 429)
    assert given.stream.response.body == b"429 Too Many Requests\n"
    assert 1 <= int(given.stream.response.headers.get("retry-after")) <= 120
    assert await limit_rate(on(route, client=("192.0.2.1", 1)), onward) is ONWARD


@pytest.mark.parametrize(("seconds", "said"), [(7, "7"), (6.2, "7"), (0.4, "1"), (0, "1")])
async def test_a_policy_of_the_programs(seconds, said):
    async def mine(exchange):
        return Refused(seconds, 503)

    given = on(live(Policies(rate_limiter={"Mine": mine}), "mine"))
    await limit_rate(given, onward)
    assert (given.stream.response.status, given.stream.response.headers.get("retry-after")) == (503, said)


@pytest.mark.parametrize("name", ["Default", "disable", "", None])
async def test_a_route_without_a_policy_pays_nothing(name):
    assert not limit_rate.concerns_route(Route("/", rate_limiter_policy=name))
    assert await limit_rate(on(live(name=name)), onward) is ONWARD
    assert await limit_rate(exchange(), onward) is ONWARD

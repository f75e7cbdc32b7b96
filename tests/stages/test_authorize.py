"""Whom a route's policy lets in, and what becomes of everybody else."""

from __future__ import annotations

import pytest

from hostler import Denied, Granted
from hostler.config.model import Route
from hostler.pipeline import compose
from hostler.stages.authorize import AUTHORIZATION, authorize
from hostler.testing import FakeStream, exchange


async def answer(given):
    return await given.respond(200, f"hello {given.granted and given.granted.user}")


async def ask(policy, stream=None):
    stream = stream or FakeStream()
    given = exchange(stream=stream, route=Route("/", id="r", authorization_policy="staff"))
    if policy is not None:
        given.route.equipment[AUTHORIZATION] = policy
    await compose([authorize], answer)(given)
    return stream.response


async def test_who_is_granted_goes_on_and_later_stages_know_who_that_is():
    async def staff(exchange):
        return Granted("alice", {"sub": "alice"})

    response = await ask(staff)
    assert (response.status, response.body) == (200, b"hello alice")


@pytest.mark.parametrize("kind", [list, dict])
async def test_who_is_denied_gets_the_policys_answer(kind):
    headers = kind([("WWW-Authenticate", 'Basic realm="r"')])

    async def staff(exchange):
        return Denied(401, headers, "no password")

    response = await ask(staff)
    assert (response.status, response.body) == (401, b"401 Unauthorized\n")
    assert response.headers.get("www-authenticate") == 'Basic realm="r"'


async def test_denied_is_forbidden_unless_it_says_otherwise():
    async def nobody(exchange):
        return Denied()

    assert (await ask(nobody)).status == 403


async def test_a_policy_that_raises_lets_nobody_in():
    async def broken(exchange):
        raise LookupError("no such table")

    stream = FakeStream()
    with pytest.raises(LookupError, match="no such table"):
        await ask(broken, stream)
    assert not stream.started


@pytest.mark.parametrize("returned", [None, True, "alice", 200, Granted, {"user": "alice"}])
async def test_a_policy_that_returns_something_else_lets_nobody_in(returned):
    async def odd(exchange):
        return returned

    stream = FakeStream()
    with pytest.raises(
        TypeError, match=r"policy staff of route r returned .*: return Granted\(\.\.\.\) or Denied"
    ):
        await ask(odd, stream)
    assert not stream.started


async def test_a_route_without_a_policy_is_open():
    assert (await ask(None)).body == b"hello None"


@pytest.mark.parametrize(
    ("policy", "concerned"),
    [(None, False), ("", False), ("anonyMous", False), ("Default", True), ("staff", True)],
)
def test_which_routes_it_concerns(policy, concerned):
    assert authorize.concerns_route(Route("/", id="r", authorization_policy=policy)) is concerned

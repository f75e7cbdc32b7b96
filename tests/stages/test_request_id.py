"""The id of a request, and the stage that hands it on."""

from __future__ import annotations

import pytest

from hostler.stages import request_id
from hostler.testing import FakeStream, exchange


async def answer(given):
    return await given.respond(200)


def asked(*values, stream=None):
    return exchange("GET", "/", headers=[("X-Request-ID", value) for value in values], stream=stream)


def test_each_request_has_an_id_of_its_own():
    ids = {exchange("GET", "/").id for _ in range(100)}
    assert len(ids) == 100
    given = exchange("GET", "/")
    assert given.id == given.id


@pytest.mark.parametrize("value", ["abc", "0b1f-2:3/4+5=", "x" * 128])
def test_the_clients_id_is_kept(value):
    assert asked(value).id == value


@pytest.mark.parametrize("value", ["", "two words", "x" * 129, "a\tb", "caf\xe9", "a,b", '"'])
def test_an_id_that_would_not_do_in_a_log_is_replaced(value):
    assert asked(value).id != value


async def test_the_stage_tells_the_destination_and_the_client():
    stream = FakeStream()
    given = asked(stream=stream)
    await request_id(given, answer)
    assert given.request.headers.get("x-request-id") == given.id
    assert stream.response.headers.get("x-request-id") == given.id


async def test_the_stage_replaces_an_id_that_will_not_do():
    given = asked("two words")
    await request_id(given, answer)
    assert given.request.headers.get_all("x-request-id") == [given.id]


async def test_an_answer_that_has_an_id_keeps_it():
    stream = FakeStream()
    given = asked("abc", stream=stream)

    async def other(given):
        return await given.respond(200, headers=[("X-Request-ID", "theirs")])

    await request_id(given, other)
    assert stream.response.headers.get_all("x-request-id") == ["theirs"]

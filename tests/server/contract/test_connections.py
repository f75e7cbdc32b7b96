"""Connections: several requests on one, clients that leave, upgrades."""

from __future__ import annotations

import asyncio

import pytest

from tests.server.contract.abilities import needs
from tests.server.contract.clients import Client, visitor

# -- one after the other ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", ["hello", "echo", pytest.param("pieces", marks=needs("own framing"))])
async def test_a_connection_carries_one_request_after_the_other(machine, handler):
    node = await machine.serve(handler)
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(5):
            answer = await client.get("/x")
            assert (answer.status, answer.get("connection")) == (200, None)


async def test_pipelined_requests_are_answered_in_order(machine):
    node = await machine.serve("hello")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(b"".join(client.request("GET", f"/{number}") for number in range(50)))
        for number in range(50):
            assert (await client.answer()).body == f"hello |/{number}".encode()


async def test_pipelined_bodies_go_to_their_own_requests(machine):
    node = await machine.serve("echo")
    async with await Client.connect(node.urls[0]) as client:
        bodies = [b"%d" % number * number for number in range(1, 40)]
        await client.send(b"".join(client.request("POST", "/", body=body) for body in bodies))
        for body in bodies:
            assert (await client.answer()).body == body


@needs("requests in pieces")
async def test_a_request_cut_into_single_bytes_is_the_same_request(machine):
    node = await machine.serve("echo")
    async with await Client.connect(node.urls[0]) as client:
        for byte in client.request("POST", "/", body=b"in pieces"):
            await client.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await client.answer()).body == b"in pieces"


@needs("closing")
@pytest.mark.parametrize(
    ("version", "lines"), [("1.1", ["Connection: close"]), ("1.1", ["Connection: Close, x"]), ("1.0", [])]
)
async def test_a_connection_is_closed_when_the_client_wants_that(machine, version, lines):
    node = await machine.serve("hello")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get("/x", *lines, version=version)
        assert (answer.status, answer.body, answer.get("connection").lower()) == (200, b"hello |/x", "close")
        assert await client.rest() == b""


@needs("http/1.0 keep-alive")
async def test_an_http_1_0_connection_is_kept_when_the_client_wants_that(machine):
    node = await machine.serve("hello")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(3):
            answer = await client.get("/x", "Connection: keep-alive", version="1.0")
            assert (answer.body, answer.get("connection").lower()) == (b"hello |/x", "keep-alive")


@needs("half-closed clients")
async def test_a_client_that_sends_no_more_gets_its_answer(machine):
    node = await machine.serve("hello")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/last"))
        client.shut()
        assert (await client.answer()).body == b"hello |/last"
        assert await client.rest() == b""


async def test_a_client_that_leaves_between_requests_leaves_no_trace(machine):
    node = await machine.serve("hello")
    for _ in range(5):
        async with await Client.connect(node.urls[0]) as client:
            assert (await client.get("/")).status == 200
        async with await Client.connect(node.urls[0]) as client:
            await client.send(b"GET /half HTTP/1.1\r\nHo")
    async with visitor() as client:
        assert (await client.get(node.urls[0])).status_code == 200


# -- clients that leave -----------------------------------------------------------------------------------------------


@needs("disconnect notice")
@pytest.mark.parametrize("after", ["", "1"])
async def test_a_handler_learns_that_its_client_is_gone(machine, after):
    node = await machine.serve("patient")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", f"/?after={after}"))
        await node.reported("waiting")
        client.reset()
        assert await node.reported("gone") == {"side": "CLIENT"}
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/"))
        await node.reported("waiting")


@needs("disconnect notice")
async def test_a_handler_that_has_not_taken_the_body_learns_that_its_client_is_gone(machine):
    node = await machine.serve("untaken")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", "Content-Length: 5") + b"he")
        await node.reported("waiting")
        client.reset()
        assert await node.reported("gone") == {"closed": True, "received": 0}


async def test_a_handler_whose_client_is_gone_may_answer_all_the_same(machine):
    node = await machine.serve("held")
    async with await Client.connect(node.urls[0]) as client, await Client.connect(node.urls[0]) as other:
        await client.send(client.request("GET", "/gone"))
        await node.reported("held")
        await other.send(other.request("GET", "/here"))
        await node.reported("held")
        client.reset()
        await node.open("go on")
        assert (await other.answer()).body == b"held /here"


# -- upgrades ---------------------------------------------------------------------------------------------------------


async def upgraded(client, protocol, early=b""):
    """Ask for another protocol, and take the answer's head."""
    lines = ("Connection: upgrade", f"Upgrade: {protocol}")
    await client.send(client.request("GET", "/", *lines) + early)
    status, headers = await client.head()
    assert status == 101
    assert dict(headers)["upgrade"] == protocol


@needs("upgrades")
@pytest.mark.parametrize("early", [b"", b"early "])
async def test_an_upgraded_connection_carries_bytes_both_ways(machine, early):
    node = await machine.serve("shouting")
    async with await Client.connect(node.urls[0]) as client:
        await upgraded(client, "shouting", early)
        for word in (b"hello", b"over", b"there"):
            await client.send(word)
            assert (await client.until(word.upper())).removeprefix(early.upper()) == word.upper()
            early = b""
        size = 300_000
        sending = asyncio.create_task(client.send(b"x" * size))
        assert await client.exactly(size) == b"X" * size
        await sending


@needs("upgrades")
async def test_a_client_may_end_its_direction_of_an_upgraded_connection_first(machine):
    node = await machine.serve("shouting")
    async with await Client.connect(node.urls[0]) as client:
        await upgraded(client, "shouting")
        await client.send(b"good")
        client.shut()
        assert await client.rest() == b"GOODBYE"
        assert await node.reported("hung up") == {"size": 4}


@needs("upgrades", "half-close")
async def test_a_handler_may_end_its_direction_of_an_upgraded_connection_first(machine):
    node = await machine.serve("farewell")
    async with await Client.connect(node.urls[0]) as client:
        await upgraded(client, "farewell")
        assert await client.rest() == b"that is all"
        await client.send(b"and so do we")
        client.shut()
        assert await node.reported("heard") == {"data": "and so do we"}


@needs("upgrades", "disconnect notice")
async def test_a_handler_learns_that_the_client_of_an_upgraded_connection_is_gone(machine):
    node = await machine.serve("shouting")
    async with await Client.connect(node.urls[0]) as client:
        await upgraded(client, "shouting")
        await client.send(b"hello")
        await client.until(b"HELLO")
        client.reset()
        assert (await node.reported("lost"))["side"] == "CLIENT"

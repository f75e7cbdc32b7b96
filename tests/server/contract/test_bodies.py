"""Requests with bodies: how they arrive, how they are held back, how they break."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from tests.server.contract.abilities import needs
from tests.server.contract.clients import BROKEN, Client, chunked, visitor

MUCH = 48 << 20
"""More than any system keeps between a sender and a receiver."""


def facts(answer):
    """Return the facts in an answer."""
    assert answer.status == 200, answer
    return httpx.Response(200, content=answer.body).json()


def sized(size):
    """Return a body of that size, and what `digest` says of it."""
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    return body, sum(body) % (1 << 32)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "QUERY"])
async def test_a_body_arrives(machine, method):
    node = await machine.serve("echo")
    async with visitor() as client:
        answer = await client.request(method, node.urls[0], content=b"one two three")
    assert (answer.status_code, answer.content) == (200, b"one two three")


@pytest.mark.parametrize(
    "size", [0, 1, 4096, *(pytest.param(size, marks=needs("large bodies")) for size in (65_536, 1_000_000))]
)
async def test_a_body_of_known_length_arrives_whole(machine, size):
    body, checksum = sized(size)
    node = await machine.serve("digest")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            lines = [] if size else ["Content-Length: 0"]
            sending = asyncio.create_task(client.send(client.request("POST", "/", *lines, body=body)))
            found = facts(await client.answer())
            await sending
            assert found == {"size": size, "checksum": checksum, "framing": size, "trailers": []}


@needs("chunked requests")
@pytest.mark.parametrize("size", [0, 1, 4096, 1_000_000])
async def test_a_body_in_chunks_arrives_whole(machine, size):
    body, checksum = sized(size)
    pieces = [body[at : at + 70_000] for at in range(0, size, 70_000)]
    node = await machine.serve("digest")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            head = client.request("POST", "/", "Transfer-Encoding: chunked")
            sending = asyncio.create_task(client.send(head + chunked(*pieces)))
            found = facts(await client.answer())
            await sending
            assert found == {"size": size, "checksum": checksum, "framing": -1, "trailers": []}


@needs("chunked requests", "request trailers")
async def test_trailers_arrive_after_the_body(machine):
    node = await machine.serve("digest")
    async with await Client.connect(node.urls[0]) as client:
        head = client.request("POST", "/", "Transfer-Encoding: chunked", "Trailer: x-sum")
        await client.send(head + chunked(b"abc", trailers=[b"x-sum: 294"]))
        found = facts(await client.answer())
        assert [[name.lower(), value] for name, value in found["trailers"]] == [["x-sum", "294"]]


async def test_the_outcome_counts_the_bytes_of_both_bodies(machine):
    node = await machine.serve("digest")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.ask("POST", "/", body=b"x" * 1000)
        assert await node.reported("outcome") == {"received": 1000, "sent": len(answer.body)}


@needs("full duplex")
async def test_a_body_can_be_answered_while_it_comes(machine):
    node = await machine.serve("ping_pong")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", "Content-Length: 9"))
        status, _ = await client.head()
        assert status == 200
        for piece in (b"one", b"two", b"end"):
            await client.send(piece)
            assert await client.until(piece.upper())


# -- back-pressure ----------------------------------------------------------------------------------------------------


@needs("large bodies")
async def test_a_handler_that_stops_the_flow_stops_the_client(machine):
    node = await machine.serve("dam")
    async with await Client.connect(node.urls[0]) as client:
        sending = asyncio.create_task(client.send(client.request("POST", "/", body=bytes(MUCH))))
        await node.reported("paused")
        assert await client.held_up(), "the client could send all of it"
        await node.open("flow")
        found = facts(await client.answer())
        await sending
        assert found["size"] == MUCH
        assert found["through"] < 1 << 20
        assert found["largest"] <= 1 << 20


@needs("large bodies")
async def test_a_body_goes_on_with_the_next_pump(machine):
    node = await machine.serve("relay")
    async with await Client.connect(node.urls[0]) as client:
        size = MUCH
        sending = asyncio.create_task(client.send(client.request("POST", "/", body=bytes(size))))
        await node.reported("detached")
        assert await client.held_up(), "nobody takes the body"
        await node.open("attach")
        found = facts(await client.answer())
        await sending
        assert found["late"] == 0, "a pump that was detached takes no more"
        assert found["first"] + found["second"] == size


@needs("large bodies")
async def test_a_body_that_nobody_reads_is_no_hindrance_to_the_next_request(machine):
    node = await machine.serve("hello")
    async with await Client.connect(node.urls[0]) as client:
        sending = asyncio.create_task(client.send(client.request("POST", "/a", body=bytes(300_000))))
        assert (await client.answer()).body == b"hello |/a"
        await sending
        assert (await client.get("/b")).body == b"hello |/b"


# -- 100 Continue -----------------------------------------------------------------------------------------------------


@needs("100 continue")
async def test_100_continue_is_sent_when_the_body_is_wanted(machine):
    node = await machine.serve("echo")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", "Expect: 100-continue", "Content-Length: 5"))
        assert (await client.head())[0] == 100
        await client.send(b"first")
        answer = await client.answer()
        assert (answer.status, answer.body, answer.interim) == (200, b"first", [])


@needs("100 continue")
async def test_no_100_continue_is_sent_for_a_body_that_nobody_wants(machine):
    node = await machine.serve("answer")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/?status=403", "Expect: 100-continue", "Content-Length: 5"))
        answer = await client.answer()
        assert (answer.status, answer.interim) == (403, [])


# -- bodies that break ------------------------------------------------------------------------------------------------


@needs("broken bodies")
@pytest.mark.parametrize("how", ["shut", "reset"])
async def test_a_body_that_breaks_off_is_an_error_for_its_reader(machine, how):
    node = await machine.serve("reader")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", "Content-Length: 10") + b"short")
        await node.reported("read")
        getattr(client, how)()
        broken = await node.reported("broken")
        assert (broken["error"], broken["size"]) == ("ConnectionError", 5)
        if how == "shut":
            with contextlib.suppress(*BROKEN):  # there may be no telling it
                assert (await client.answer()).status >= 400


@needs("broken bodies")
async def test_a_pump_is_told_that_its_client_is_gone(machine):
    node = await machine.serve("dam")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", "Content-Length: 10") + b"short")
        await node.reported("paused")
        await node.open("flow")
        client.reset()
        lost = await node.reported("lost")
        assert lost["side"] == "CLIENT"


@needs("chunked requests")
async def test_a_body_that_is_not_what_it_says_is_refused(machine):
    node = await machine.serve("reader")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", "Transfer-Encoding: chunked") + b"xyz\r\n")
        with contextlib.suppress(*BROKEN):  # as above
            assert (await client.answer()).status == 400
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get("/")).status == 200


async def test_a_body_that_says_it_is_larger_than_its_limit_is_413(machine):
    node = await machine.serve("narrow")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("POST", "/", body=bytes(10)))
        assert (await client.answer()).body == bytes(10)
        await client.send(client.request("POST", "/", body=bytes(11)))
        assert (await client.answer()).status == 413


@needs("chunked requests")
async def test_a_body_in_chunks_that_becomes_larger_than_its_limit_is_413(machine):
    node = await machine.serve("narrow")
    async with await Client.connect(node.urls[0]) as client:
        head = client.request("POST", "/", "Transfer-Encoding: chunked")
        await client.send(head + chunked(bytes(4), bytes(6)))
        assert (await client.answer()).body == bytes(10)
        await client.send(head + chunked(bytes(4), bytes(7)))
        assert (await client.answer()).status == 413

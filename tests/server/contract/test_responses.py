"""Responses: how they are framed, what becomes of their headers, how they fail."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import quote

import pytest

from tests.server.contract.abilities import needs
from tests.server.contract.clients import BROKEN, Client

RIVER = 64 << 20
"""More than any system keeps between a sender and a receiver."""


def asking(**query):
    """Write a target for the handler `answer` or `pieces`."""
    return "/?" + "&".join(
        f"{name}={quote(str(value))}"
        for name, values in query.items()
        for value in (values if isinstance(values, list) else [values])
    )


# -- framing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 40_000, 1_000_000])
async def test_a_whole_response_says_its_length(machine, size):
    node = await machine.serve("answer")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.get(asking(size=size))
            assert (answer.get("content-length"), len(answer.body)) == (str(size), size)


@pytest.mark.parametrize("status", [200, 201, 302, 404, 418, 503, 799])
async def test_any_final_status_can_be_sent(machine, status):
    node = await machine.serve("answer")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get(asking(status=status, size=3))
        assert (answer.status, answer.body) == (status, b"xxx")


async def test_a_response_in_pieces_may_announce_its_length(machine):
    node = await machine.serve("pieces")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.get(asking(length=12))
            assert (answer.get("content-length"), answer.body) == ("12", b"000011112222")


@needs("own framing")
async def test_a_response_of_unknown_length_comes_in_chunks(machine):
    node = await machine.serve("pieces")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.get("/")
            assert (answer.get("transfer-encoding"), answer.body) == ("chunked", b"000011112222")
            assert answer.trailers == []


@needs("own framing")
@pytest.mark.parametrize("count", [0, 1, 300])
async def test_a_response_has_as_many_pieces_as_it_likes(machine, count):
    node = await machine.serve("pieces")
    async with await Client.connect(node.urls[0]) as client:
        body = b"".join(b"%d" % (number % 10) * 1000 for number in range(count))
        assert (await client.get(asking(count=count, size=1000))).body == body
        assert await node.reported("outcome") == {"received": 0, "sent": len(body)}


@needs("closing")
async def test_a_response_of_unknown_length_ends_an_http_1_0_connection(machine):
    node = await machine.serve("pieces")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get("/", "Connection: keep-alive", version="1.0")
        assert answer.get("transfer-encoding") is None
        assert answer.body == b"000011112222"
        assert await client.rest() == b""


@needs("trailers")
async def test_trailers_follow_the_body(machine):
    node = await machine.serve("pieces")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.get(asking(trailer="48"))
            assert (answer.body, answer.trailers) == (b"000011112222", [("x-sum", "48")])


@needs("own framing")
async def test_a_response_can_be_handed_over_without_waiting(machine):
    node = await machine.serve("forwarded")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.get("/")
            assert (answer.get("x-kind"), answer.body) == ("forwarded", b"first second")


@pytest.mark.parametrize(
    ("handler", "query", "length"),
    [
        ("answer", "size=5", "5"),
        ("pieces", "length=12", "12"),
        pytest.param("pieces", "", None, marks=needs("own framing")),
    ],
)
async def test_head_gets_the_head_alone(machine, handler, query, length):
    node = await machine.serve(handler)
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.ask("HEAD", f"/?{query}")
            assert (answer.status, answer.get("content-length")) == (200, length)
        assert (await client.get(f"/?{query}")).body


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("handler", ["answer", pytest.param("pieces", marks=needs("own framing"))])
async def test_a_status_without_a_body_has_none(machine, status, handler):
    node = await machine.serve(handler)
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            answer = await client.get(asking(status=status, count=0))
            assert (answer.status, answer.get("transfer-encoding")) == (status, None)
        assert (await client.get(asking(status=200, count=0))).status == 200


# -- headers ----------------------------------------------------------------------------------------------------------


async def test_headers_are_sent(machine):
    node = await machine.serve("answer")
    headers = ["content-type:text/css", "x-own:1", "location:/there", 'etag:"a"', "cache-control:no-store"]
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get(asking(header=headers))
        for line in headers:
            name, _, value = line.partition(":")
            assert answer.get(name) == value


@needs("repeated response headers")
async def test_each_cookie_has_a_line_of_its_own(machine):
    node = await machine.serve("answer")
    cookies = ["a=1; path=/", "b=2", "c=3; expires=Wed, 21 Oct 2026 07:28:00 GMT"]
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get(asking(header=[f"set-cookie:{cookie}" for cookie in cookies]))
        assert answer.all("set-cookie") == cookies


@needs("repeated response headers")
async def test_repeated_headers_keep_their_order(machine):
    node = await machine.serve("answer")
    headers = ["x-a:1", "vary:one", "x-a:2", "vary:two", "x-a:3"]
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get(asking(header=headers))
        assert ", ".join(answer.all("x-a")) == "1, 2, 3"
        assert ", ".join(answer.all("vary")) == "one, two"


@pytest.mark.parametrize(
    "handler",
    ["answer", *(pytest.param(name, marks=needs("own framing")) for name in ("pieces", "forwarded"))],
)
async def test_a_response_has_one_date(machine, handler):
    node = await machine.serve(handler)
    async with await Client.connect(node.urls[0]) as client:
        assert len((await client.get("/")).all("date")) == 1


async def test_callbacks_add_to_the_headers(machine):
    node = await machine.serve("settled")
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get("/")).get("x-settled") == "yes"


async def test_a_header_that_would_break_the_head_is_not_sent_and_the_handler_may_mend_it(machine):
    node = await machine.serve("bad_header")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get("/")
        assert (answer.status, answer.body, answer.get("set-cookie")) == (200, b"mended", None)


@needs("interim responses")
async def test_interim_responses_come_before_the_final_one(machine):
    node = await machine.serve("hints")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get("/")
        assert (answer.status, answer.body) == (200, b"final")
        assert [(status, dict(headers)["link"]) for status, headers in answer.interim] == [
            (103, "</a>"), (103, "</b>"),
        ]  # fmt: skip


@needs("interim responses")
async def test_http_1_0_clients_get_no_interim_responses(machine):
    node = await machine.serve("hints")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get("/", version="1.0")
        assert (answer.status, answer.interim) == (200, [])


# -- back-pressure ----------------------------------------------------------------------------------------------------


@needs("slow clients")
async def test_a_client_that_does_not_read_holds_up_the_handler(machine):
    node = await machine.serve("river")
    async with await Client.connect(node.urls[0], receive_buffer=1 << 16) as client:
        await client.send(client.request("GET", "/"))
        written = (await node.reported("paused"))["written"]
        assert written < RIVER // 2
        answer = await client.answer()
        assert len(answer.body) == RIVER
        assert (await node.reported("written"))["closed"] is False


@needs("slow clients", "disconnect notice")
async def test_a_handler_that_is_held_up_goes_on_when_its_client_leaves(machine):
    node = await machine.serve("river")
    async with await Client.connect(node.urls[0], receive_buffer=1 << 16) as client:
        await client.send(client.request("GET", "/"))
        await node.reported("paused")
        client.reset()
        assert (await node.reported("written"))["closed"] is True


# -- handlers that go wrong -------------------------------------------------------------------------------------------


@pytest.mark.logs_errors("failed in the handler", "left it unanswered", sometimes=True)
@pytest.mark.parametrize("handler", ["raises", "silent"])
async def test_a_handler_that_does_not_answer_is_a_500(machine, handler, caplog):
    node = await machine.serve(handler)
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            assert (await client.get("/")).status == 500


async def test_a_second_response_is_refused(machine):
    node = await machine.serve("twice")
    async with await Client.connect(node.urls[0]) as client:
        for _ in range(2):
            assert (await client.get("/")).body == b"once"
            assert await node.reported("refused") == {"error": "RuntimeError"}


@needs("broken responses")
@pytest.mark.parametrize("then", ["abort", "raise", "return"])
@pytest.mark.parametrize(("version", "length"), [("1.1", 10), ("1.1", ""), ("1.0", "")])
@pytest.mark.logs_errors("failed in the handler|left it unanswered", sometimes=True)
async def test_a_response_that_is_given_up_cannot_be_taken_for_complete(machine, version, length, then):
    node = await machine.serve("half")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", asking(then=then, length=length), version=version))
        await node.reported("half")
        assert (await client.head())[0] == 200
        await client.until(b"half")
        await node.open("go on")
        # a length or a last chunk that does not come says it; without either, nothing but a reset does
        with pytest.raises(ConnectionError) if version == "1.0" else contextlib.suppress(ConnectionError):
            assert (await client.rest()).removeprefix(b"\r\n") == b""


@needs("broken responses")
@pytest.mark.parametrize("handler", ["short", "long"])
@pytest.mark.logs_errors("failed in the handler", sometimes=True)
async def test_a_body_that_is_not_as_long_as_it_said_is_a_broken_response(machine, handler):
    node = await machine.serve(handler)
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/"))
        with pytest.raises(BROKEN):
            answer = await client.answer()
            assert handler == "long"
            assert answer.body == b"four"
            await client.get("/")  # what was too long is no second response


async def test_others_are_answered_while_one_waits(machine):
    node = await machine.serve("held")
    async with await Client.connect(node.urls[0]) as one, await Client.connect(node.urls[0]) as other:
        await one.send(one.request("GET", "/1"))
        await node.reported("held")
        await other.send(other.request("GET", "/2"))
        await node.reported("held")
        await node.open("go on")
        assert [(await client.answer()).body for client in (one, other)] == [b"held /1", b"held /2"]


async def test_many_clients_are_answered_at_once(machine):
    node = await machine.serve("hello")

    async def client(number):
        async with await Client.connect(node.urls[0]) as client:
            return [(await client.get(f"/{number}/{turn}")).body for turn in range(5)]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client(number)) for number in range(20)]
    for number, task in enumerate(tasks):
        assert task.result() == [f"hello |/{number}/{turn}".encode() for turn in range(5)]

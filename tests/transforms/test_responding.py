"""Transforms of responses and trailers on the wire: what the client gets."""

from __future__ import annotations

import asyncio

import pytest

from hostler import Cluster, Definitions, Proxy, RetryDefinition, Route, serving
from hostler.config.transforms import request_transform, response_trailers_transform, response_transform
from tests.client.peers import connected, destination, until
from tests.transforms.proxies import between

PLAIN = b"HTTP/1.1 200 OK\r\nServer: x\r\nX-A: 1\r\nContent-Length: 2\r\nDate: today\r\n\r\nok"
WRONG = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nX-A: 1\r\nContent-Length: 0\r\nDate: today\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\nDate: today\r\n\r\n"
    b"2\r\nok\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n"
)


def values(answer, name):
    return [value for key, value in answer.headers if key.lower() == name.lower()]


@pytest.fixture(params=["sync", "async"], name="waits")
def waits_or_not(request):
    """Transforms that the response waits for, or not."""

    @response_transform
    async def wait(_):
        await asyncio.sleep(0)

    @response_trailers_transform
    async def wait_for_trailers(_):
        await asyncio.sleep(0)

    return [wait, wait_for_trailers] if request.param == "async" else []


@pytest.mark.parametrize(
    ("transforms", "of_success", "of_failure"),
    [
        ([{"ResponseHeader": "X-A", "Set": "2"}], [b"2"], [b"1"]),
        ([{"ResponseHeader": "X-A", "Append": "2"}], [b"1", b"2"], [b"1"]),
        ([{"responseheader": "X-A", "set": "2", "when": "failure"}], [b"1"], [b"2"]),
        ([{"ResponseHeader": "X-A", "Set": "2", "When": "Always"}], [b"2"], [b"2"]),
        ([{"ResponseHeaderRemove": "x-a"}], [], [b"1"]),
        ([{"ResponseHeaderRemove": "x-a", "When": "Failure"}], [b"1"], []),
        ([{"ResponseHeadersCopy": "false"}], [], []),
        ([{"ResponseHeadersCopy": "false"}, {"ResponseHeader": "X-A", "Append": "2"}], [b"1", b"2"], []),
        ([{"ResponseHeadersAllowed": "server"}], [], []),
        ([{"ResponseHeadersAllowed": "x-a;Content-Length"}], [b"1"], [b"1"]),
    ],
)
async def test_headers_are_copied_and_changed(transforms, of_success, of_failure, waits):
    async with between([*waits, *transforms], PLAIN, WRONG) as proxy:
        success, failure = await proxy.fetch(), await proxy.fetch()
    assert (success.status, success.body, failure.status) == (200, b"ok", 404)
    assert values(success, b"X-A") == of_success
    assert values(failure, b"X-A") == of_failure
    assert values(success, b"Content-Length") == [b"2"]


async def test_a_response_that_waits_is_sent_whole_and_its_connection_used_again(waits):
    async with (
        between([*waits, {"ResponseHeader": "X-B", "Set": "1"}], PLAIN) as proxy,
        proxy.connect() as client,
    ):
        for _ in range(3):
            client.send(f"GET / HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
            assert (await client.answer()).body == b"ok"
        assert proxy.there.connections == 1


async def test_a_long_response_is_passed_on_while_it_comes(waits):
    piece = b"x" * 65536

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * 64))
        for _ in range(64):
            peer.send(piece)
            await peer.drain()

    async with between([*waits, {"ResponseHeader": "X-B", "Set": "1"}], script=script) as proxy:
        answer = await proxy.fetch()
    assert answer.body == piece * 64
    assert values(answer, b"X-B") == [b"1"]


@pytest.mark.parametrize(
    ("transforms", "expected"),
    [
        ([{"ResponseTrailer": "X-T", "Set": "2"}], [(b"X-U", b"2"), (b"X-T", b"2")]),
        ([{"ResponseTrailer": "X-T", "Append": "2"}], [(b"X-U", b"2"), (b"X-T", b"1"), (b"X-T", b"2")]),
        ([{"ResponseTrailer": "X-T", "Set": "2", "When": "Failure"}], [(b"X-T", b"1"), (b"X-U", b"2")]),
        ([{"ResponseTrailerRemove": "x-t"}], [(b"X-U", b"2")]),
        ([{"ResponseTrailersCopy": "false"}], []),
        ([{"ResponseTrailersAllowed": "x-u"}], [(b"X-U", b"2")]),
    ],
)
async def test_trailers_are_copied_and_changed(transforms, expected, waits):
    async with between([*waits, *transforms], CHUNKED) as proxy:
        answer = await proxy.fetch(headers="TE: trailers\r\n")
    assert (answer.body, answer.trailers) == (b"ok", expected)


async def test_a_body_that_is_suppressed_is_not_sent(waits):
    @response_transform
    def suppress(context):
        context.suppress_body = True
        context.status = 202

    async with between([*waits, suppress], PLAIN) as proxy, proxy.connect() as client:
        for _ in range(2):
            client.send(f"GET / HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
            answer = await client.answer()
            assert (answer.status, answer.body, values(answer, b"Content-Length")) == (202, b"", [b"0"])


async def test_a_failure_of_forwarding_goes_through_the_transforms_too(waits):
    seen = []

    @response_transform
    def note(context):
        seen.append((context.response, context.status))
        context.headers.set("X-Code", "1")

    transforms = [
        *waits,
        {"ResponseHeader": "X-A", "Set": "1", "When": "Failure"},
        {"ResponseHeader": "X-B", "Set": "1"},
        note,
    ]
    async with between(transforms, address="http://127.0.0.1:1") as proxy:
        answer = await proxy.fetch()
    assert (answer.status, answer.body) == (502, b"502 Bad Gateway\n")
    assert [values(answer, name) for name in (b"X-A", b"X-B", b"X-Code")] == [[b"1"], [], [b"1"]]
    assert seen == [(None, 502)]


async def test_a_failure_may_be_answered_otherwise():
    @response_transform
    def calm(context):
        context.status, context.suppress_body = 503, True

    async with between([calm], address="http://127.0.0.1:1") as proxy:
        answer = await proxy.fetch()
    assert (answer.status, answer.body) == (503, b"")


@pytest.mark.logs_errors("a transform of the response failed", "ZeroDivisionError")
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_function_that_raises_fails_its_own_exchange(kind):
    def divide(_):
        raise ZeroDivisionError

    async def divide_later(_):
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async with between([response_transform(divide if kind == "sync" else divide_later)], PLAIN) as proxy:
        answer = await proxy.fetch()
    assert (answer.status, answer.body) == (502, b"502 Bad Gateway\n")


@pytest.mark.logs_errors("a callback of on_response failed", "ZeroDivisionError")
@pytest.mark.parametrize("suppressed", [False, True])
async def test_a_callback_that_raises_is_not_taken_for_a_transform(waits, suppressed):
    def divide(_):
        raise ZeroDivisionError

    def change(context):
        context.suppress_body = suppressed

    register = request_transform(lambda context: context.exchange.on_response(divide))
    async with between([*waits, register, response_transform(change)], PLAIN) as proxy:
        answer = await proxy.fetch()
    assert answer.status == 500


@pytest.mark.logs_errors("write it as `async def`")
async def test_a_function_that_returns_an_awaitable_is_told_how_to_be_awaited():
    async def wait():
        pass

    async with between([response_transform(lambda _: wait())], PLAIN) as proxy:
        assert (await proxy.fetch()).status == 502


@pytest.mark.parametrize(
    "change",
    [
        lambda context: context.headers.add("Transfer-Encoding", "chunked"),
        lambda context: context.headers.add("Content-Length", "7"),
        lambda context: context.headers.add("A", "1\r\nB: 2"),
        lambda context: setattr(context, "status", 101),
        lambda context: setattr(context, "status", 1000),
    ],
)
async def test_what_cannot_be_sent_is_answered_with_502(change):
    async with between([response_transform(change)], PLAIN) as proxy:
        assert (await proxy.fetch()).status == 502


async def test_a_304_that_becomes_another_response_has_no_length_of_its_own():
    def answer(context):
        context.status = 200

    not_modified = b"HTTP/1.1 304 Not Modified\r\nETag: 1\r\nContent-Length: 50\r\n\r\n"
    async with between([response_transform(answer)], not_modified) as proxy:
        got = await proxy.fetch()
    assert (got.status, got.get(b"content-length"), got.get(b"etag")) == (200, b"0", b"1")


async def test_a_destination_that_breaks_off_while_the_response_waits_is_a_failure():
    go_on = asyncio.Event()

    @response_transform
    async def wait(_):
        await go_on.wait()

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
        peer.reset()

    async with between([wait], script=script) as proxy, proxy.connect() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
        await until(lambda: proxy.there.connections)
        go_on.set()
        answer = await client.answer()
        assert answer.status == 502 or not answer.complete


async def test_a_client_that_leaves_while_the_response_waits_is_no_harm():
    waiting, left = asyncio.Event(), asyncio.Event()

    @response_transform
    async def wait(_):
        waiting.set()
        await left.wait()

    async with between([wait], PLAIN) as proxy:
        async with proxy.connect() as client:
            client.send(f"GET / HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
            await waiting.wait()
        left.set()
        assert (await proxy.fetch()).body == b"ok"


@pytest.mark.parametrize(
    ("others", "answers", "statuses"),
    [([], [WRONG, PLAIN], [404, 200]), (["http://127.0.0.1:1"], [PLAIN], [200])],
    ids=["refused", "unreachable"],
)
async def test_each_try_is_transformed_and_the_last_one_answers(others, answers, statuses, waits):
    definitions = Definitions(retries={"again": RetryDefinition(statuses=[404])})
    heads, seen = [], []

    @response_transform
    def note(context):
        seen.append(context.status)

    async def script(peer):
        for answer in answers:
            heads.append(await peer.head())
            peer.send(answer)

    transforms = [{"PathPrefix": "/v1"}, {"ResponseHeader": "X-B", "Append": "1"}, *waits, note]
    route = Route("/{**rest}", "c", transforms=transforms, retry_policy="again")
    async with destination(script) as there:
        cluster = Cluster("c", [*others, there.address], balance="FirstAlphabetical")
        proxy = Proxy([route], [cluster], definitions=definitions)
        async with serving(proxy, ["http://127.0.0.1:0/"]) as served, connected(served.url) as client:
            client.send(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = await client.answer()
    assert (answer.status, answer.body, values(answer, b"X-B")) == (200, b"ok", [b"1"])
    assert [head.split(b" ")[1] for head in heads] == [b"/v1/a"] * len(answers)
    assert seen == statuses


async def test_transforms_of_the_request_alone_leave_the_response_as_it_is():
    async with between([request_transform(lambda _: None)], PLAIN) as proxy:
        answer = await proxy.fetch()
    assert answer.headers == [
        (b"Server", b"x"),
        (b"X-A", b"1"),
        (b"Content-Length", b"2"),
        (b"Date", b"today"),
    ]


async def test_an_upgraded_connection_has_its_head_transformed(waits):
    async def script(peer):
        await peer.head()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-A: 1\r\n\r\nhello"
        )
        peer.send(await peer.exactly(4))

    async with (
        between([*waits, {"ResponseHeader": "X-A", "Set": "2"}], script=script) as proxy,
        proxy.connect() as client,
    ):
        client.send(
            f"GET / HTTP/1.1\r\nHost: {proxy.host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode()
        )
        head = await client.head()
        assert b"\r\nX-A: 2\r\n" in head
        assert b"\r\nUpgrade: echo\r\n" in head
        assert await client.exactly(5) == b"hello"
        client.send(b"ping")
        assert await client.exactly(4) == b"ping"

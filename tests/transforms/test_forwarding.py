"""Transforms of a request on the wire: a client, a proxy with a route, a destination."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from hostler.config.transforms import request_transform
from tests.client.peers import OK, destination
from tests.transforms.proxies import between


async def test_a_request_goes_out_as_its_routes_transforms_make_it():
    transforms = [
        {"PathPattern": "/tenants/{tenant}/{**rest}"},
        {"QueryValueParameter": "via", "Set": "proxy"},
        {"RequestHeader": "X-Via", "Append": "2"},
        {"X-Forwarded": "Append", "Host": "Off"},
        {"HttpMethodChange": "POST", "Set": "PUT"},
    ]
    async with between(transforms, path="/{tenant}/{**rest}") as proxy:
        answer = await proxy.fetch(
            "POST",
            "/ours/a%20b/c?x=1",
            "X-Via: 1\r\nX-Forwarded-For: 10.0.0.1\r\nContent-Length: 2\r\n",
            b"hi",
        )
        assert (answer.status, answer.body) == (200, b"ok")
        (lines,) = proxy.heads
    assert lines == [
        "PUT /tenants/ours/a%20b/c?x=1&via=proxy HTTP/1.1",
        f"Host: 127.0.0.1:{proxy.there.port}",
        "X-Via: 1",
        "X-Via: 2",
        "X-Forwarded-For: 10.0.0.1, 127.0.0.1",
        "X-Forwarded-Proto: http",
        "Content-Length: 2",
    ]


async def test_a_body_in_chunks_and_a_kept_connection_are_as_without_transforms():
    bodies = []

    async def script(peer):
        while True:
            await peer.head()
            bodies.append(await peer.chunked())
            peer.send(OK)

    async with between([{"PathPrefix": "/v1"}], script=script) as proxy, proxy.connect() as client:
        for _ in range(2):
            client.send(
                b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
                b"2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n"
            )
            assert (await client.answer()).body == b"ok"
        assert proxy.there.connections == 1
    assert bodies == [(b"hi", [(b"X-T", b"1")])] * 2


async def test_a_function_sees_the_request_and_changes_it():
    async def sign(context):
        assert context.exchange.route_values == {"name": "a b"}
        assert (context.method, context.path, context.query.get("q")) == ("GET", "/a%20b", "1")
        context.headers.set("X-Signature", "abc")
        context.path += "/é"
        context.host = "named"

    async with between([request_transform(sign)], path="/{name}") as proxy:
        assert (await proxy.fetch(path="/a%20b?q=1")).status == 200
        lines = proxy.heads[0]
    assert lines[:2] == ["GET /a%20b/%C3%A9?q=1 HTTP/1.1", "Host: named"]
    assert "X-Signature: abc" in lines


@pytest.mark.parametrize("returns", [True, False])
async def test_a_function_that_answers_ends_the_exchange(returns):
    async def refuse(context):
        outcome = await context.exchange.respond(403, "no")
        return outcome if returns else None

    def never(_):
        raise AssertionError

    async with between([request_transform(refuse), request_transform(never)]) as proxy:
        answer = await proxy.fetch()
        assert (answer.status, answer.body) == (403, b"no")
        assert proxy.heads == []


async def test_a_function_sends_the_request_elsewhere():
    async with destination(lambda peer: _say(peer, b"elsewhere")) as other:

        def move(context):
            context.destination_prefix = f"{other.address}/there"

        async with between([request_transform(move)]) as proxy:
            answer = await proxy.fetch(path="/x")
            assert answer.body == b"elsewhere"
            assert proxy.heads == []


async def _say(peer, body):
    assert (await peer.head()).startswith(b"GET /there/x HTTP/1.1\r\nHost: 127.0.0.1:")
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda context: setattr(context, "path", "/../x"), "dot segments"),
        (lambda context: setattr(context, "path", "/a%00"), "bad escape"),
        (lambda context: setattr(context, "method", "HEAD"), "HEAD"),
        (lambda context: setattr(context, "method", "A B"), "not a method"),
        (lambda context: setattr(context.query, "raw", b"a b"), "not legal"),
        (lambda context: setattr(context, "host", "a b"), "not a host"),
        (lambda context: setattr(context, "host", "\udcff"), "not a host"),
        (lambda context: setattr(context, "destination_prefix", "ftp://x"), "not a destination"),
        (lambda context: context.headers.add("A", "1\r\nB: 2"), "CR, LF"),
        (lambda context: context.headers.add("Transfer-Encoding", "chunked"), "Transfer-Encoding"),
    ],
)
async def test_what_cannot_be_sent_is_answered_with_502(change, pattern, caplog):
    async with between([request_transform(change)]) as proxy:
        assert (await proxy.fetch()).status == 502
        assert proxy.heads == []
    assert pattern in caplog.text


@pytest.mark.logs_errors("a transform of the request failed", "ZeroDivisionError")
async def test_a_function_that_raises_fails_its_own_exchange_only():
    def divide(context):
        if context.path == "/0":
            raise ZeroDivisionError

    async with between([request_transform(divide)]) as proxy:
        assert (await proxy.fetch(path="/0")).status == 502
        assert (await proxy.fetch(path="/1")).status == 200


async def test_what_a_transform_makes_a_post_is_not_sent_again_on_another_connection():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)
        heads.append(await peer.head())
        peer.reset()

    async with (
        between([{"HttpMethodChange": "GET", "Set": "POST"}], script=script) as proxy,
        proxy.connect() as client,
    ):
        for status in (200, 502):
            client.send(f"GET / HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
            assert (await client.answer()).status == status
    assert [head.split()[0] for head in heads] == [b"POST", b"POST"]


async def test_nothing_is_sent_for_a_client_that_has_left_meanwhile():
    waiting, gone = asyncio.Event(), asyncio.Event()

    @request_transform
    async def wait(context):
        if context.path == "/wait":
            context.exchange.stream.when_departed(lambda _: gone.set())
            waiting.set()
            await gone.wait()

    async with between([wait]) as proxy:
        async with proxy.connect() as client:
            client.send(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            await waiting.wait()
            client.reset()
            await gone.wait()
        assert (await proxy.fetch(path="/other")).status == 200
        assert [head[0] for head in proxy.heads] == ["GET /other HTTP/1.1"]


async def test_transforms_change_with_a_reload():
    async with between([{"PathPrefix": "/v1"}]) as proxy:
        await proxy.fetch(path="/a")
        config = proxy.proxy.config
        (route,) = config.routes
        proxy.proxy.update(evolve(config, routes=[evolve(route, transforms=[{"PathPrefix": "/v2"}])]))
        await proxy.fetch(path="/a")
    assert [head[0] for head in proxy.heads] == ["GET /v1/a HTTP/1.1", "GET /v2/a HTTP/1.1"]

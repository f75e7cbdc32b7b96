"""A response whose headers are plain leaves as lines; the client gets the same bytes as when they are not."""

from __future__ import annotations

import re

import pytest

from hostler.asgi import Application
from tests.server.usermode.peers import connected, request

REQUESTS = {
    "get": request("GET", "/"),
    "head": request("HEAD", "/"),
    "post": request("POST", "/", body=b"abc"),
    "unread": request("POST", "/", "Expect: 100-continue", "Content-Length: 5"),
    "last": request("GET", "/", "Connection: close"),
    "old": request("GET", "/", version="1.0"),
    "old, kept": request("GET", "/", "Connection: keep-alive", version="1.0"),
}

HEADERS = {
    "none": [],
    "usual": [(b"content-type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=\xe9\t2")],
    "length": [(b"Content-Length", b"4")],
    "date": [(b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT")],
    "hop by hop": [(b"Keep-Alive", b"timeout=5"), (b"upgrade", b"h2c"), (b"TE", b""), (b"x", b"1")],
    "framing": [(b"connection", b"close"), (b"transfer-encoding", b"chunked")],
    "lists": [[b"x-a", b"1"], [b"x-b", b""]],
    "a tuple": ((b"x-a", b"1"),),
}

BODIES = {
    "one": [b"abcd"],
    "pieces": [b"ab", b"", b"cd"],
    "late": [b"", b"abcd"],
    "empty at last": [b"abcd", b""],
}


def sending(status, headers, pieces, *, trailers=False):
    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": status, "headers": headers, "trailers": trailers}
        )
        for left, piece in zip(reversed(range(len(pieces))), pieces, strict=True):
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if trailers:
            await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})

    return Application(app)


async def bytes_of(application, sent, *, seen):
    """Return what the client gets, twice where it may ask twice; `seen`: a callback asks to see the headers."""

    async def handler(exchange):
        if seen:
            exchange.on_response(lambda headers: None)
        return await application(exchange)

    async with connected(handler) as client:
        await client.send(sent)
        await client.send(request("GET", "/", "Connection: close"))
        data = await client.rest()
    return re.sub(rb"(?i)\r\ndate: [^\r]*GMT\r\n", b"\r\nDATE\r\n", data)


async def is_same(application, sent):
    expected = await bytes_of(application, sent, seen=True)
    assert expected.startswith(b"HTTP/1.1 ")
    assert await bytes_of(application, sent, seen=False) == expected


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("sent", REQUESTS.values(), ids=REQUESTS)
async def test_any_headers_in_answer_to_any_request(sent, headers):
    await is_same(sending(200, headers, [b"abcd"]), sent)


@pytest.mark.parametrize("headers", ["none", "usual", "length"])
@pytest.mark.parametrize("pieces", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("sent", ["get", "head", "last", "old"])
async def test_any_body(sent, pieces, headers):
    await is_same(sending(200, HEADERS[headers], pieces), REQUESTS[sent])


@pytest.mark.parametrize("status", [204, 205, 304, 404, 599, 600, 999])
@pytest.mark.parametrize("headers", ["none", "length"])
async def test_any_status(status, headers):
    await is_same(sending(status, HEADERS[headers], [b"abcd"]), REQUESTS["get"])


@pytest.mark.parametrize("headers", ["usual", "length"])
async def test_trailers(headers):
    await is_same(sending(200, HEADERS[headers], [b"ab", b"cd"], trailers=True), REQUESTS["get"])


@pytest.mark.parametrize("size", [0, 1, 1 << 15, (1 << 15) + 1, 1 << 20])
async def test_any_size(size):
    await is_same(sending(200, [], [b"x" * size]), REQUESTS["get"])
    await is_same(sending(200, [], [b"x" * size, b"y" * size]), REQUESTS["get"])

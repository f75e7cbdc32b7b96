"""Requests by HTTP/2 and 3: how their bodies go on to a destination by HTTP/1.1, and how their connections end."""

import pytest

from hostler.config.model import Destination
from hostler.proxy import Proxy
from tests.client.peers import destination
from tests.server.httpsys.delegating import routed
from tests.server.httpsys.served import URL
from tests.server.httpsys.ways import serving

STREAMS = pytest.mark.parametrize("kind", [{"http2": True}, {"http3": True}], ids=["http2", "http3"])


def framing(head):
    """Give the lines of a request's head that say where its body ends."""
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith((b"content-", b"transfer-"))]
    return sorted(lines)


class Forwarding:
    """A destination that answers with the body that it got, and keeps the heads."""

    def __init__(self):
        self.heads = []

    async def __call__(self, peer):
        while True:
            head = await peer.head()
            self.heads.append(head)
            if b"transfer-encoding" in head.lower():
                body, _ = await peer.chunked()
            else:
                [length] = [int(line[15:]) for line in framing(head)] or [0]
                body = await peer.exactly(length)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@STREAMS
@pytest.mark.parametrize(
    ("method", "headers", "body", "framed"),
    [
        ("POST", [], b"some bytes", [b"transfer-encoding: chunked"]),
        ("POST", [("content-length", "10")], b"some bytes", [b"content-length: 10"]),
        ("GET", [], None, []),
    ],
    ids=["unknown length", "known length", "no body"],
)
async def test_what_is_forwarded_is_framed_once(machine, kind, method, headers, body, framed):
    """HTTP.sys calls the body of unknown length chunked (aspnetcore#24984), and the destination gets one of that."""
    script = Forwarding()
    async with destination(script) as behind:
        proxy = Proxy(*routed(Destination(behind.address)))
        async with serving(machine, proxy) as server, proxy.lifespan(server):
            response = await machine.client(**kind).request(method, URL, headers, body).response()
    assert (response.status, response.body) == (200, body or b"")
    [head] = script.heads
    assert framing(head) == framed


@STREAMS
async def test_a_handler_sees_no_transfer_encoding(machine, kind):
    seen = []

    async def handler(exchange):
        seen.append([name.lower() for name, _ in exchange.request.headers.pairs()])
        return await exchange.respond(200, await exchange.read())

    async with serving(machine, handler):
        response = await machine.client(**kind).request("POST", URL, body=b"upload").response()
    assert response.body == b"upload"
    assert seen == [[b"host"]]

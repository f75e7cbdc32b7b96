"""Destinations behind a web proxy: one of the test's own, which behaves or does not."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from hostler import HttpClient, Reason
from hostler.config.model import WebProxy
from tests.client.forwarder.test_tls import presenting
from tests.client.peers import OK, SWITCHING, UPGRADE, Peer, answering, destination, front, lines

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"


def through(proxy, *, user="", **options):
    address = proxy.address.replace("//", f"//{user}@" if user else "//")
    return HttpClient(web_proxy=WebProxy(address, **options), dangerous_accept_any_server_certificate=True)


async def pump(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def tunnelling(heads, established=ESTABLISHED):
    """Make a script that answers CONNECT as a proxy does, and remembers what it was asked."""

    async def script(peer):
        head = await peer.head()
        heads.append(head)
        host, _, port = head.split()[1].decode().rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), port)
        peer.send(established)
        try:
            await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer))
        finally:
            writer.close()

    return script


def refusing(answer, *, piecewise=False):
    async def script(peer):
        await peer.head()
        for piece in [answer[i : i + 1] for i in range(len(answer))] if piecewise else [answer]:
            peer.send(piece)
            await peer.drain()
            await asyncio.sleep(0)
        await peer.gone()

    return script


@pytest.mark.parametrize(("user", "said"), [("", None), ("me:secret", b"Basic bWU6c2VjcmV0")])
@pytest.mark.parametrize("established", [
    ESTABLISHED,
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
])  # fmt: skip
async def test_an_https_destination_is_reached_through_a_tunnel(user, said, established):
    heads = []
    async with (
        destination(answering(OK), context=presenting("localhost")) as there,
        destination(tunnelling(heads, established)) as proxy,
        front(f"https://localhost:{there.port}/base", client=through(proxy, user=user)) as ours,
    ):
        for _ in range(2):
            assert (await ours.fetch(path="/a")).body == b"ok"
        assert (there.connections, proxy.connections) == (1, 1)
    (head,) = heads
    first, _, block = head.partition(b"\r\n")
    name = b"localhost:%d" % there.port
    assert first == b"CONNECT %s HTTP/1.1" % name
    expected = [(b"Host", name)] + ([(b"Proxy-Authorization", said)] if said else [])
    assert lines(block) == expected


@pytest.mark.parametrize("plain", [True, False])
async def test_an_http_destination_is_asked_for_in_absolute_form(plain):
    heads = []

    async def script(peer):
        while True:
            heads.append(await peer.head())
            peer.send(OK)

    extra = "" if plain else "X-Odd:  1\r\nx-odd: 2\r\nProxy-Authorization: Basic theirs\r\n"
    async with (
        destination(script) as proxy,
        front("http://there.example:81/base", client=through(proxy, user="me:secret")) as ours,
    ):
        for _ in range(2):
            assert (await ours.fetch(path="/a?b", headers=extra)).body == b"ok"
        assert proxy.connections == 1
    for head in heads:
        first, _, block = head.partition(b"\r\n")
        assert first == b"GET http://there.example:81/base/a?b HTTP/1.1"
        fields = lines(block)
        assert fields[:2] == [
            (b"Host", b"there.example:81"), (b"Proxy-Authorization", b"Basic bWU6c2VjcmV0"),
        ]  # fmt: skip
        assert [name for name, _ in fields].count(b"Proxy-Authorization") == 1


async def test_what_is_local_is_reached_without():
    async with (
        destination(answering(OK)) as there,
        destination(answering(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as proxy,
        front(there.address, client=through(proxy, bypass_on_local=True)) as ours,
    ):
        assert (await ours.fetch()).body == b"ok"
        assert proxy.connections == 0


async def test_a_websocket_goes_through_a_tunnel():
    async def script(peer):
        await peer.head()
        peer.send(SWITCHING)
        peer.send(await peer.exactly(5))
        await peer.gone()

    async with (
        destination(script, context=presenting("localhost")) as there,
        destination(tunnelling([])) as proxy,
        front(f"https://localhost:{there.port}", client=through(proxy)) as ours,
        ours.connect() as client,
    ):
        client.send(ours.request("GET", "/", UPGRADE))
        await client.head()
        client.send(b"hello")
        assert await client.exactly(5) == b"hello"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Authenticate\r\nContent-Length: 4\r\n\r\nwho?", "407; write user and password"),
        (b"HTTP/1.1 403 No\r\n\r\nbecause", "answered CONNECT with 403"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "answered CONNECT with 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage", "data of its own into the tunnel"),
        (b"SSH-2.0-OpenSSH\r\n", "does not answer CONNECT in HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000, "does not answer CONNECT in HTTP"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_502(answer, words, caplog):
    async with (
        destination(refusing(answer)) as proxy,
        front("https://localhost:1", client=through(proxy, user="me:secret")) as ours,
    ):
        assert (await ours.fetch()).status == 502
        assert ours.failure is Reason.REQUEST
    assert words in caplog.text
    assert "secret" not in caplog.text


async def test_a_proxy_that_closes_without_an_answer_is_502(caplog):
    async def script(peer):
        await peer.head()

    async with (
        destination(script) as proxy,
        front("https://localhost:1", client=through(proxy)) as ours,
    ):
        assert (await ours.fetch()).status == 502
    assert "closed the connection without an answer to CONNECT" in caplog.text


async def test_an_answer_that_comes_a_byte_at_a_time_is_read():
    async with (
        destination(answering(OK), context=presenting("localhost")) as there,
        destination(tunnelling([], b"")) as proxy,
    ):
        slow = proxy._script

        async def script(peer):
            pieces = [ESTABLISHED[i : i + 1] for i in range(len(ESTABLISHED))]

            class Slow(Peer):
                def send(self, _):
                    for piece in pieces:
                        self.writer.write(piece)

            await slow(Slow(peer.reader, peer.writer))

        proxy._script = script
        async with front(f"https://localhost:{there.port}", client=through(proxy)) as ours:
            assert (await ours.fetch()).body == b"ok"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_proxy_that_never_answers_is_504(answer):
    async with (
        destination(refusing(answer)) as proxy,
        front("https://localhost:1", client=evolve(through(proxy), connect_timeout=0.1)) as ours,
    ):
        assert (await ours.fetch()).status == 504
        assert ours.failure is Reason.REQUEST_TIMED_OUT

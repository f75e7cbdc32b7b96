"""Asking a destination one thing: what goes out, and what of an answer counts."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from urllib.parse import quote

import pytest
from attrs import evolve

from hostler import Forwarder, HttpClient
from hostler.client.probe import BODY_LIMIT, ProbeRequest
from hostler.config.model import WebProxy
from hostler.errors import ProtocolError
from tests.client.peers import OK, answering, destination

PATIENT = 10.0
LONGER = (0.05, 0.5, 5.0)
"""Timeouts that are to pass, each where the one before was too short for what is to come first."""


async def ask(there, target="/health", timeout=PATIENT, **keys):
    return await Forwarder().probe(ProbeRequest(there.address, target, **keys), timeout)


def sending(*pieces, then=None):
    """Answer with these bytes, and stay."""

    async def script(peer):
        await peer.head()
        for piece in pieces:
            peer.send(piece)
            await peer.drain()
        if then is not None:
            await then(peer)
        else:
            await peer.rest()

    return script


async def dripping(peer):
    """Send a byte at a time, for ever."""
    while not peer.writer.is_closing():
        peer.send(b"x")
        await peer.drain()
        await asyncio.sleep(0.005)


async def gushing(peer):
    """Send a gigabyte, as far as it is taken."""
    block = bytes(1 << 16)
    for _ in range(1 << 14):
        peer.send(block)
        await peer.drain()


async def test_what_goes_out():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there:
        request = ProbeRequest(
            there.address, "/health?x", "shop.example", "HEAD", headers=(("User-Agent", "me"),)
        )
        await Forwarder().probe(request, PATIENT)
        await Forwarder().probe(evolve(request, host=None, method="GET", headers=()), PATIENT)
    assert heads == [
        b"HEAD /health?x HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: me\r\nConnection: close\r\n\r\n",
        f"GET /health?x HTTP/1.1\r\nHost: 127.0.0.1:{there.port}\r\nConnection: close\r\n\r\n".encode(),
    ]


async def test_what_comes_back():
    answer = b"HTTP/1.1 503 Down\r\nRetry-After: 9\r\nContent-Length: 3\r\n\r\nill"
    async with destination(answering(answer)) as there:
        response = await ask(there)
    assert (response.status, response.headers.get("retry-after"), response.body) == (503, "9", b"ill")


async def test_a_redirect_is_not_followed():
    async with destination(
        answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
    ) as there:
        assert (await ask(there)).status == 302
        assert there.connections == 1


async def test_interim_responses_are_not_the_answer():
    async with destination(
        answering(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + OK)
    ) as there:
        assert (await ask(there)).status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_a_body_that_is_too_long_is_cut(head):
    async with destination(sending(head, then=gushing)) as there:
        response = await ask(there)
    assert response.status == 200
    assert len(response.body) == BODY_LIMIT


async def test_a_body_that_never_ends_does_not_matter():
    async with destination(sending(b"HTTP/1.1 204 OK\r\n\r\n")) as there:
        assert (await ask(there)).status == 204
    async with destination(sending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwell")) as there:
        for timeout in LONGER:
            with suppress(TimeoutError):  # that was too short for what comes
                response = await ask(there, timeout=timeout)
                break
    assert (response.status, response.body) == (200, b"well")


async def test_a_body_that_breaks_off_does_not_matter():
    async def hang_up(peer):
        peer.close()

    async with destination(
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwell", then=hang_up)
    ) as there:
        assert (await ask(there)).body == b"well"


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_head_that_does_not_come_in_time(begun):
    async with destination(sending(begun, then=dripping if begun else None)) as there:
        for timeout in LONGER:
            with pytest.raises(TimeoutError) as caught:
                await ask(there, timeout=timeout)
            if "connection" not in str(caught.value):  # else that was too short for one
                break
        assert str(caught.value) == f"no answer within {timeout:g} s"


async def test_a_flood_of_interim_responses_is_no_answer():
    async def flood(peer):
        while not peer.writer.is_closing():
            peer.send(b"HTTP/1.1 103 Hints\r\n\r\n" * 1000)
            await peer.drain()

    async with destination(sending(then=flood)) as there:
        with pytest.raises(ProtocolError, match="more than 100 interim responses"):
            await ask(there)


async def test_nobody_answers_the_connection():
    async def script(peer):
        await peer.gone()

    async with destination(script) as there:
        port = there.port
    with pytest.raises(ConnectionRefusedError):
        await Forwarder().probe(ProbeRequest(f"http://127.0.0.1:{port}", "/"), PATIENT)


async def test_the_connection_is_closed_before_an_answer():
    async def script(peer):
        await peer.head()

    async with destination(script) as there:
        with pytest.raises(ConnectionResetError, match="the destination closed the connection"):
            await ask(there)


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + bytes(1 << 20),
    ],
    ids=["no HTTP", "a tunnel", "many headers", "a long header"],
)
async def test_what_is_no_answer(answer):
    async with destination(answering(answer)) as there:
        with pytest.raises(ProtocolError):
            await ask(there)


@pytest.mark.parametrize(
    ("field", "value"), [("method", "GE T"), ("target", "/ x"), ("headers", (("a b", "c"),))]
)
async def test_a_request_that_is_none_is_not_sent(field, value):
    async def script(peer):
        assert await peer.gone()

    async with destination(script) as there:
        with pytest.raises(ProtocolError):
            await ask(there, **{"target": "/", field: value})


async def test_it_waits_for_no_place_among_the_connections_of_exchanges():
    async with destination(sending(OK)) as there:
        forwarder = Forwarder(HttpClient(max_connections_per_server=1))
        request = ProbeRequest(there.address, "/")
        answers = await asyncio.gather(*(forwarder.probe(request, PATIENT) for _ in range(3)))
    assert [answer.status for answer in answers] == [200] * 3
    assert there.connections == 3


async def test_cancelling_it_closes_its_connection():
    arrived, closed = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.head()
        arrived.set()
        await peer.gone()
        closed.set()

    async with destination(script) as there:
        probe = asyncio.create_task(ask(there))
        await arrived.wait()
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        await closed.wait()


async def test_a_handshake_that_does_not_come_takes_no_longer_than_the_timeout():
    async def script(peer):
        await peer.rest()

    async with destination(script) as there:
        request = ProbeRequest(f"https://127.0.0.1:{there.port}", "/")
        with pytest.raises(TimeoutError, match=r"^no connection within 0\.05 s$"):
            await Forwarder().probe(request, 0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="asyncio has no Unix sockets there")
async def test_a_destination_on_a_unix_socket(tmp_path):
    heads = []

    async def answer(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        writer.close()

    path = tmp_path / "s"
    server = await asyncio.start_unix_server(answer, path)
    async with server:
        origin = f"http+unix://{quote(str(path), safe='')}"
        response = await Forwarder().probe(ProbeRequest(origin, "/live"), PATIENT)
    assert (response.status, response.body) == (200, b"ok")
    assert heads == [b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]


async def test_a_destination_behind_a_web_proxy():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there:
        client = HttpClient(web_proxy=WebProxy(f"http://me:secret@127.0.0.1:{there.port}"))
        response = await Forwarder(client).probe(ProbeRequest("http://shop.example:81", "/live?x"), PATIENT)
    assert response.status == 200
    (head,) = heads
    assert head.startswith(b"GET http://shop.example:81/live?x HTTP/1.1\r\nHost: shop.example:81\r\n")
    assert b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in head

"""Destinations over TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from hostler import Destination, HttpClient, Reason
from hostler.client.tls.contexts import tls_context
from hostler.fleet import LiveDestination
from tests.client.peers import OK, SWITCHING, UPGRADE, answering, destination, front
from tests.client.tls.blocking import blocking

HERE = Path(__file__).parents[1]


def presenting(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "certificates" / f"{name}.pem", HERE / "certificates" / f"{name}.key")
    return context


def trusting():
    return ssl.create_default_context(cafile=HERE / "certificates" / "ca.pem")


def strict():
    """As what connections are made with where no context is given."""
    context = tls_context(HttpClient())
    context.load_verify_locations(HERE / "certificates" / "ca.pem")
    return context


async def test_an_https_destination_of_a_trusted_authority():
    async def script(peer):
        while True:
            head = await peer.head()
            assert b"Host: localhost:" in head
            body = await peer.exactly(5)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    async with (
        destination(script, context=presenting("localhost")) as there,
        front(f"https://localhost:{there.port}", context=trusting()) as proxy,
    ):
        for _ in range(2):
            assert (await proxy.fetch("POST", "/", "Content-Length: 5\r\n", b"hello")).body == b"hello"
        assert there.connections == 1


@pytest.mark.parametrize(
    ("address", "certificate", "context"),
    [
        ("https://127.0.0.1", "localhost", trusting()),
        ("https://localhost", "other", trusting()),
        ("https://localhost", "localhost", None),
    ],
    ids=["no address in it", "another name", "an authority that is not trusted"],
)
async def test_a_certificate_that_does_not_fit_is_502(address, certificate, context, caplog):
    async with (
        destination(answering(OK), context=presenting(certificate)) as there,
        front(f"{address}:{there.port}", context=context) as proxy,
    ):
        assert (await proxy.fetch()).status == 502
        assert proxy.failure is Reason.REQUEST
        assert "certificate" in caplog.text.lower()


async def test_a_destinations_host_is_the_name_that_its_certificate_must_have():
    async with destination(answering(OK), context=presenting("other")) as there:
        live = LiveDestination("a", Destination(f"https://localhost:{there.port}", host="other.example"))
        async with front(live, context=trusting()) as proxy:
            assert (await proxy.fetch()).body == b"ok"


async def test_dangerous_accept_any_server_certificate():
    client = HttpClient(dangerous_accept_any_server_certificate=True)
    async with (
        destination(answering(OK), context=presenting("other")) as there,
        front(f"https://127.0.0.1:{there.port}", client=client) as proxy,
    ):
        assert (await proxy.fetch()).body == b"ok"


@pytest.mark.parametrize(("spoken", "status"), [("Tls12", 502), ("Tls13", 200)])
async def test_a_version_of_tls_that_the_destination_does_not_speak_is_502(spoken, status):
    client = HttpClient(ssl_protocols=[spoken], dangerous_accept_any_server_certificate=True)
    newest = presenting("localhost")
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    async with (
        destination(answering(OK), context=newest) as there,
        front(f"https://localhost:{there.port}", client=client) as proxy,
    ):
        assert (await proxy.fetch()).status == status


async def test_a_plain_destination_under_https_is_502():
    async def script(peer):
        await peer.some()
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        destination(script) as there,
        front(f"https://localhost:{there.port}", context=trusting()) as proxy,
    ):
        assert (await proxy.fetch()).status == 502


async def test_an_upgraded_connection_ends_in_one_direction_after_the_other():
    """close_notify is of one direction (RFC 8446 6.1); asyncio's TLS takes it for both, and blocking sockets do not."""

    def serve(encrypted):
        encrypted.sendall(SWITCHING)
        heard = b""
        while piece := encrypted.recv(1 << 16):
            heard += piece
        encrypted.sendall(b"heard " + heard)

    async with (
        blocking(presenting("localhost"), serve) as (port, _),
        front(f"https://localhost:{port}", context=trusting()) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        client.send(b"last words")
        client.end()
        assert await client.rest() == b"heard last words"
        assert (await proxy.over()).failure is None


@pytest.mark.parametrize("notified", [True, False], ids=["close_notify", "cut off"])
async def test_a_response_that_ends_with_its_connection_is_complete_behind_a_close_notify_alone(notified):
    """RFC 9112 9.8."""

    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await peer.drain()
        if not notified:
            peer.writer.transport.abort()

    async with (
        destination(script, context=presenting("localhost")) as there,
        front(f"https://localhost:{there.port}", context=strict()) as proxy,
    ):
        answer = await proxy.fetch()
        assert (answer.status, answer.complete) == (200, notified)
        failure = (await proxy.over()).failure
    assert (failure is None) is notified
    assert notified or "without close_notify" in str(failure)


async def test_an_idle_connection_that_is_cut_off_is_a_stale_one():
    async def script(peer):
        await peer.head()
        peer.send(OK)
        if not peer.number:
            await peer.head()
            peer.writer.transport.abort()
        else:
            await peer.gone()

    async with (
        destination(script, context=presenting("localhost")) as there,
        front(f"https://localhost:{there.port}", context=strict()) as proxy,
    ):
        for _ in range(2):
            assert (await proxy.fetch()).body == b"ok"
        assert there.connections == 2

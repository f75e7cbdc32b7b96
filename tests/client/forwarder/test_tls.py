"""Destinations over TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from hostler import Destination, HttpClient, Reason
from hostler.fleet import LiveDestination
from tests.client.peers import OK, SWITCHING, UPGRADE, answering, destination, front, until

HERE = Path(__file__).parents[1]


def presenting(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "certificates" / f"{name}.pem", HERE / "certificates" / f"{name}.key")
    return context


def trusting():
    return ssl.create_default_context(cafile=HERE / "certificates" / "ca.pem")


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


async def test_an_upgraded_connection_over_tls_ends_when_the_client_ends_it():
    """TLS has no half-open connections: the end of one direction is the end of both."""
    ends = []

    async def script(peer):
        await peer.head()
        peer.send(SWITCHING)
        ends.append(await peer.rest())

    async with (
        destination(script, context=presenting("localhost")) as there,
        front(f"https://localhost:{there.port}", context=trusting()) as proxy,
        proxy.connect() as client,
    ):
        client.send(proxy.request("GET", "/", UPGRADE))
        await client.head()
        client.send(b"last words")
        client.end()
        assert await client.rest() == b""
        assert (await proxy.over()).failure is None
        await until(lambda: ends)
    assert ends == [b"last words"]

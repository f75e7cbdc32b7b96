"""What the log says of connections that cannot be encrypted, and what a client gets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from hostler import HttpClient, Reason
from hostler.client.address import DestinationAddress
from hostler.client.connector import Connector
from hostler.client.tls.contexts import DestinationTls, tls_context
from hostler.client.tls.failures import explain
from tests.certificates import authority, certificate, client_context, server_context
from tests.client.peers import OK, answering, destination, front
from tests.client.tls.blocking import blocking
from tests.client.transports import Owner

HOST = "localhost"


def context(**changes):
    """Return what connections are encrypted by, with the tests' authority."""
    made = tls_context(HttpClient())
    authority().configure_trust(made)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


async def say(port, client=None):
    """Return what the exchange's failure says, once the client has learnt nothing of it."""
    async with front(f"https://{HOST}:{port}", context=client or context()) as proxy:
        answer = await proxy.fetch()
        assert answer.status == 502
        assert b"TLS" not in answer.body
        assert b"certificate" not in answer.body
        assert proxy.failure is Reason.REQUEST
        return proxy.outcomes[-1].failure.detail


async def say_of_certificate(*arguments, client=None, **details):
    async with destination(
        answering(OK), context=server_context(certificate(*arguments, **details))
    ) as there:
        return await say(there.port, client)


async def test_a_certificate_for_another_name(tmp_path):
    said = await say_of_certificate(tmp_path, "other.example")
    assert said.startswith("the destination's certificate is not for localhost; set the destination's Host")


async def test_a_certificate_that_has_ended(tmp_path):
    said = await say_of_certificate(tmp_path, HOST, not_after=datetime.now(UTC) - timedelta(days=1))
    assert said == "the destination's certificate has expired; renew it"


async def test_a_certificate_that_is_not_valid_yet(tmp_path):
    said = await say_of_certificate(tmp_path, HOST, not_before=datetime.now(UTC) + timedelta(days=1))
    assert said.startswith("the destination's certificate is not valid yet; check this machine's clock")


async def test_an_authority_that_is_not_trusted(tmp_path):
    said = await say_of_certificate(tmp_path, HOST, ca=authority("another"))
    assert said.startswith("the destination's certificate is from an authority that is not trusted; name the")


async def test_a_certificate_that_has_signed_itself(tmp_path):
    ca = authority("another")
    path = tmp_path / "self-signed.pem"
    path.write_bytes(ca.private_key_pem.bytes() + ca.cert_pem.bytes())
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    async with destination(answering(OK), context=made) as there:
        assert (await say(there.port)).startswith(
            "the destination's certificate is self-signed and not trusted; name"
        )


@pytest.mark.parametrize("theirs", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_version_in_common(tmp_path, theirs):
    ours = ssl.TLSVersion.TLSv1_3 if theirs is ssl.TLSVersion.TLSv1_2 else ssl.TLSVersion.TLSv1_2
    served = server_context(certificate(tmp_path))
    served.minimum_version = served.maximum_version = theirs
    async with blocking(served) as (port, _):
        said = await say(port, context(minimum_version=ours, maximum_version=ours))
    assert said.startswith(
        "the destination speaks none of the versions of TLS that are allowed; say in HttpClient."
    )


async def test_no_cipher_in_common(tmp_path):
    served = server_context(certificate(tmp_path))
    served.maximum_version = ssl.TLSVersion.TLSv1_2
    served.set_ciphers("AES128-SHA")  # for RSA alone, and the key is another one
    async with blocking(served) as (port, _):
        assert "it has no cipher in common with this system's OpenSSL" in await say(port)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_demanded(tmp_path, version):
    served = server_context(certificate(tmp_path))
    served.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(served)
    served.minimum_version = served.maximum_version = version
    async with blocking(served) as (port, _):
        said = await say(port)
    assert "demands a client certificate" in said
    assert "HttpClient.ClientCertificate" in said


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_client_certificate_is_refused(tmp_path, version):
    served = server_context(certificate(tmp_path))
    served.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(served)
    served.minimum_version = served.maximum_version = version
    own = certificate(tmp_path, "proxy.example", ca=authority("another"))
    async with blocking(served) as (port, _):
        said = await say(port, client_context(own))
    assert said.startswith("the destination refuses the client certificate, or its absence (unknown ca)")


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere a reset destroys what came before it"
)
async def test_a_refusal_that_a_reset_has_overtaken(tmp_path):
    served = server_context(certificate(tmp_path))
    served.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(served)
    own = certificate(tmp_path, "proxy.example", ca=authority("another"))

    def refuse():
        with listening.accept()[0] as sock, served.wrap_socket(sock, server_side=True):
            pass  # it ends with something unread, which resets the connection

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:
        refusing = threads.submit(refuse)
        address = DestinationAddress.parse(f"https://127.0.0.1:{listening.getsockname()[1]}")
        connector = Connector(address, HttpClient(), DestinationTls(client_context(own)))
        connection = await connector.connect(Owner())
        assert isinstance(
            refusing.exception(10), ssl.SSLError
        )  # without a turn of the loop, in which it would be read
        sink = LossOnly()
        connection.begin_plain(b"GET / HTTP/1.1\r\nHost: there\r\n\r\n", "GET", 0, sink, 10)
        async with asyncio.timeout(10):
            error = await sink.lost
    assert str(error).startswith(
        "the destination refuses the client certificate, or its absence (unknown ca)"
    )


class LossOnly:
    """An exchange that hears of nothing but the loss of its connection."""

    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()

    def disconnected(self, error, *, stale):
        self.lost.set_result(error)


def test_a_refusal_behind_the_handshake_is_told_from_one_in_it():
    refusal = ssl.SSLError(1, "handshake failure")
    refusal.reason = "SSLV3_ALERT_HANDSHAKE_FAILURE"
    assert "it has no cipher in common" in str(explain(refusal, HOST, b"\x15\x03\x03\x00\x02"))
    said = str(explain(refusal, HOST))
    assert "behind the handshake" in said
    assert "renegotiation" in said


@pytest.mark.parametrize(
    ("spoken", "said"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "the destination does not speak TLS on that port, but plain HTTP; write its address with http://",
        ),
        (b"220 mail.example ESMTP\r\n", "the destination does not speak TLS on that port"),
        (b"", "the destination closed the connection during the TLS handshake"),
        (b"\x16\x03\x03\x00\x05", "the destination closed the connection during the TLS handshake"),
    ],
    ids=["plain HTTP", "another protocol", "nothing", "the beginning of a record"],
)
async def test_what_speaks_no_tls(spoken, said):
    async def script(peer):
        await peer.some()
        peer.send(spoken)

    async with destination(script) as there:
        assert await say(there.port) == said


async def test_a_handshake_that_does_not_end(caplog):
    client = HttpClient(connect_timeout=0.2)
    async with (
        destination(lambda peer: peer.rest()) as there,
        front(f"https://{HOST}:{there.port}", client=client, context=context()) as proxy,
    ):
        assert (await proxy.fetch()).status == 504
        assert proxy.outcomes[-1].failure.detail == "no TLS handshake within 0.2 s"
        async with asyncio.timeout(5):
            await there.peers[0].gone()

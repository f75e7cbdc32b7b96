"""Handshakes, and what comes in place of one."""

import asyncio
import logging
import ssl
import sys
from contextlib import suppress

import pytest

from hostler.server.options import ServerOptions
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.server import UserModeServer
from tests.certificates import authority, certificate, client_context
from tests.server.usermode.peers import Client
from tests.server.usermode.tls.clients import TlsClient, listening, single, tell, visit

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def speaking(version):
    context = client_context()
    context.minimum_version = context.maximum_version = version
    return context


async def until(condition):
    """Wait for what happens in turns of the event loop."""
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.001)


async def counted(server, kind):
    """Wait until a handshake has failed for a reason."""
    await until(lambda: server.handshakes.failed[kind])


async def cut_off(client):
    """Wait for the end of a connection on which nothing was sent; a reset, where the server has not read all."""
    with suppress(ConnectionResetError):
        assert await client.rest() == b""


# -- what is none -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1", b"DELETE / HTTP/1.1", b"PRI * HTTP/2.0"])
async def test_plain_http_on_a_port_for_tls_is_told_so(tmp_path, request_line, caplog):
    caplog.set_level(logging.INFO)
    rejections = []
    async with (
        listening(single(tmp_path), on_reject=rejections.append) as (server, port),
        await Client.connect(port) as client,
    ):
        await client.send(request_line + b"\r\nHost: localhost\r\n\r\n" + b"x" * 100_000)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"content-type: text/plain" in answer.lower()
        assert b"was sent to an HTTPS port" in answer
        assert server.handshakes.failed == {"plain HTTP": 1}
    assert [(rejection.client[0], rejection.error.status) for rejection in rejections] == [("127.0.0.1", 400)]
    assert answer.decode().endswith(f"\n{rejections[0].text}\n")
    assert "a plain HTTP request was sent to an HTTPS port" in caplog.text


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\1\2\3" * 10,
        b"\x80\x2e\x01\x00\x02\x00\x15" + bytes(40),
        b"\r\n\r\n",
        b"\x17\x03\x03\0\5hello",
        b"\xff",
    ],
    ids=["zeros", "SSLv2", "lines", "data", "byte"],
)
async def test_what_is_neither_is_cut_off(tmp_path, garbage, caplog):
    async with listening(single(tmp_path)) as (server, port), await Client.connect(port) as client:
        await client.send(garbage)
        await cut_off(client)
        assert server.handshakes.failed == {"not TLS": 1}
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_garbage_in_a_handshake_gets_an_alert(tmp_path, caplog):
    async with listening(single(tmp_path)) as (server, port), await Client.connect(port) as client:
        await client.send(b"\x16\x03\x01\x00\x05wrong")
        assert (await client.rest())[:1] == b"\x15"
        await counted(server, "other")
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_tls_on_a_plain_port_is_refused_and_the_log_says_what_it_was(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    server = UserModeServer(tell)
    (prefix,) = await server.listen([UrlPrefix.parse("http://127.0.0.1:0/")])
    async with await TlsClient.connect(prefix.port) as client:
        with pytest.raises(ssl.SSLError):
            await client.shake_hands()
    await server.stop(0)
    assert "the request line is a TLS handshake, and this port is for plain HTTP" in caplog.text


async def test_a_client_that_connects_and_leaves_is_worth_no_line(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with listening(single(tmp_path)) as (server, port):
        async with await Client.connect(port):
            pass
        await counted(server, "left")
    assert caplog.text == ""


# -- versions, protocols, sessions --------------------------------------------------------------------------------------


@VERSIONS
async def test_both_versions_are_spoken_and_sessions_are_resumed(tmp_path, version):
    context = speaking(version)
    async with listening(single(tmp_path)) as (server, port):
        status, body, session = await visit(port, context=context)
        assert (status, body.split()[0], "False" in body) == (200, version.name.replace("_", "."), True)
        status, body, _ = await visit(port, context=context, session=session)
        assert body.split() == [version.name.replace("_", "."), "localhost", "True", "False"]
        assert (server.handshakes.completed, server.handshakes.resumed) == (2, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_older_versions_are_refused(tmp_path):
    context = client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with (
        listening(single(tmp_path)) as (server, port),
        await TlsClient.connect(port, context) as client,
    ):
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await client.shake_hands()
        assert server.handshakes.failed == {"version": 1}


async def test_a_client_without_a_common_cipher_is_refused(tmp_path):
    context = speaking(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA")
    async with (
        listening(single(tmp_path)) as (server, port),
        await TlsClient.connect(port, context) as client,
    ):
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            await client.shake_hands()
        assert server.handshakes.failed == {"cipher": 1}


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)]
)
async def test_http_1_1_is_agreed_on_where_it_is_offered(tmp_path, offered, agreed):
    context = client_context()
    if offered:
        context.set_alpn_protocols(offered)
    async with listening(single(tmp_path)) as (_, port), await TlsClient.connect(port, context) as client:
        await client.shake_hands()
        assert client.tls.selected_alpn_protocol() == agreed
        _, body = await client.ask()
        assert body.split(" ")[2] == (agreed or "")


async def test_a_client_that_does_not_trust_the_certificate_is_counted(tmp_path):
    context = ssl.create_default_context()
    async with (
        listening(single(tmp_path)) as (server, port),
        await TlsClient.connect(port, context) as client,
    ):
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.shake_hands()
        await counted(server, "refused by the client")


async def test_a_request_may_come_with_the_end_of_the_handshake(tmp_path):
    async with listening(single(tmp_path)) as (_, port), await TlsClient.connect(port) as client:
        client.writer.write(client.hello())
        client.incoming.write(await client.reader.read(1 << 16))
        client.tls.do_handshake()
        status, _ = await client.ask()  # flushes both
        assert status == 200


async def test_a_handshake_may_come_byte_by_byte(tmp_path):
    async with listening(single(tmp_path)) as (_, port), await TlsClient.connect(port) as client:
        for byte in client.hello():
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        await client.shake_hands()
        assert (await client.ask())[0] == 200


# -- limits -------------------------------------------------------------------------------------------------------------


async def test_a_handshake_has_its_time(tmp_path):
    async with (
        listening(single(tmp_path, handshake_timeout=0.05)) as (server, port),
        await Client.connect(port) as client,
    ):
        await cut_off(client)
        assert server.handshakes.failed == {"too slow": 1}


async def test_a_client_that_trickles_its_handshake_has_no_more_time(tmp_path):
    async with (
        listening(single(tmp_path, handshake_timeout=0.1)) as (server, port),
        await TlsClient.connect(port) as client,
    ):
        hello, at = client.hello(), 0
        while not server.handshakes.failed["too slow"]:
            client.writer.write(hello[at : at + 1])
            at = min(at + 1, len(hello) - 2)
            await asyncio.sleep(0.01)


async def test_when_there_are_too_many_handshakes_the_oldest_makes_room(tmp_path):
    async with listening(single(tmp_path), handshake_limit=3) as (server, port):
        silent = [await Client.connect(port) for _ in range(10)]
        for client in silent[:7]:
            await cut_off(client)
        assert (await visit(port))[0] == 200
        assert server.handshakes.failed["too many"] == 8
        for client in silent:
            client.close()


async def test_a_handshake_that_gets_on_is_not_the_oldest(tmp_path):
    async with (
        listening(single(tmp_path), handshake_limit=2) as (_, port),
        await TlsClient.connect(port) as client,
        await Client.connect(port) as silent,
    ):
        client.writer.write(client.hello())
        client.incoming.write(await client.reader.read(1 << 16))
        async with await Client.connect(port):
            await cut_off(silent)
            await client.shake_hands()
            assert (await client.ask())[0] == 200


async def test_a_server_that_stops_ends_handshakes_and_answers_who_has_completed_one(tmp_path):
    async with (
        listening(single(tmp_path)) as (server, port),
        await TlsClient.connect(port) as begun,
        await TlsClient.connect(port) as complete,
    ):
        begun.writer.write(begun.hello())
        await begun.reader.read(1 << 16)
        await complete.shake_hands()
        await until(lambda: server.handshakes.completed)
        stopping = asyncio.create_task(server.stop(10))
        await asyncio.sleep(0)
        assert (await complete.ask())[0] == 200
        await stopping
        assert server.handshakes.failed == {"stopping": 1}


async def test_a_client_gets_its_alert_though_it_has_sent_more(tmp_path):
    tls = single(tmp_path, client_certificates="RequireCertificate", client_ca=authority_file(tmp_path))
    async with listening(tls) as (server, port), await TlsClient.connect(port) as client:
        await client.shake_hands()  # TLS 1.3: the client is done before the server has looked at it
        client.tls.write(b"x" * 100_000)
        client.flush()
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            await client.ask()
        assert server.handshakes.failed == {"client certificate": 1}


# -- client certificates ------------------------------------------------------------------------------------------------


def authority_file(folder):
    path = folder / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return str(path)


@VERSIONS
@pytest.mark.parametrize(
    ("mode", "shown", "answer"),
    [
        ("NoCertificate", True, "False"),
        ("AllowCertificate", True, "True"),
        ("AllowCertificate", False, "False"),
        ("RequireCertificate", True, "True"),
        ("RequireCertificate", False, None),
    ],
)
async def test_client_certificates(tmp_path, version, mode, shown, answer):
    context = client_context(certificate(tmp_path, "client@localhost") if shown else None)
    context.maximum_version = version
    tls = single(tmp_path, client_certificates=mode, client_ca=authority_file(tmp_path))
    async with listening(tls) as (server, port):
        if answer is None:
            with pytest.raises(ssl.SSLError):
                await visit(port, context=context)
            assert server.handshakes.failed == {"client certificate": 1}
        else:
            _, body, session = await visit(port, context=context)
            assert body.split()[-1] == answer
            _, body, _ = await visit(port, context=context, session=session)
            assert body.split()[-2:] == ["True", answer]


@VERSIONS
async def test_a_client_certificate_of_another_authority_is_refused(tmp_path, version):
    context = client_context(certificate(tmp_path, "client@localhost", ca=authority("others")))
    context.maximum_version = version
    tls = single(tmp_path, client_certificates="AllowCertificate", client_ca=authority_file(tmp_path))
    async with listening(tls) as (server, port):
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            await visit(port, context=context)
        assert server.handshakes.failed == {"client certificate": 1}


async def test_a_client_certificate_is_seen_with_its_chain(tmp_path):
    async def see(exchange):
        tls = exchange.tls
        assert await exchange.connection.client_certificate() == tls.client_certificate == tls.client_chain[0]
        assert tls.client_certificate_negotiated
        return await exchange.respond(200, str(len(tls.client_chain)))

    own = authority().create_child_ca().issue_cert("client@localhost")
    context = client_context()
    own.configure_cert(context)
    tls = single(tmp_path, client_certificates="RequireCertificate", client_ca=authority_file(tmp_path))
    async with listening(tls, see) as (_, port):
        _, body, _ = await visit(port, context=context)
        assert body == ("2" if sys.version_info >= (3, 13) else "1")


async def test_the_time_for_handshakes_does_not_bound_what_comes_after(tmp_path):
    tls = single(tmp_path, handshake_timeout=0.3)
    async with listening(tls) as (_, port), await TlsClient.connect(port) as client:
        await client.shake_hands()
        await asyncio.sleep(0.4)
        assert (await client.ask())[0] == 200


def test_a_limit_is_positive():
    with pytest.raises(ValueError, match="handshake_limit"):
        ServerOptions(handshake_limit=0)

"""openssl s_client: versions, resumption, names, client certificates, and what it can do wrong."""

from __future__ import annotations

import asyncio
import re

import pytest

from hostler import ClientCertificates, serving
from tests.certificates import authority, certificate
from tests.wire.peers import PATIENCE, authority_file, https, program, run

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


async def tls(exchange):
    """Answer with how the request was encrypted."""
    found = exchange.tls
    shown = "certificate" if found.client_certificate else "nothing"
    return await exchange.respond(200, f"says {found.version} {found.server_name or '-'} {shown}\n")


async def s_client(folder, url, *options, feed=REQUEST):
    """Have openssl connect and say something; returns its status, and all that it printed."""
    address = url.removeprefix("https://")
    command = ("s_client", "-connect", address, "-CAfile", authority_file(folder), "-ign_eof", *options)
    status, out, errors = await run(program("openssl"), *command, feed=feed)
    return status, out.decode(errors="replace") + errors


@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_each_version(option, version, tmp_path):
    async with serving(tls, **https(tmp_path)) as served:
        status, said = await s_client(tmp_path, served.url, option, "-noservername")
    assert status == 0, said
    assert f"says {version} - nothing" in said
    assert "Verify return code: 0 (ok)" in said


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
async def test_a_version_that_is_too_old_is_refused_with_an_alert(option, tmp_path):
    async with serving(tls, **https(tmp_path)) as served:
        status, said = await s_client(
            tmp_path, served.url, option, "-cipher", "DEFAULT@SECLEVEL=0", feed=None
        )
    assert status != 0
    assert "alert protocol version" in said


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
async def test_a_session_is_resumed(option, tmp_path):
    session = tmp_path / "session.pem"
    async with serving(tls, **https(tmp_path)) as served:
        first = await s_client(tmp_path, served.url, option, "-sess_out", session)
        again = await s_client(tmp_path, served.url, option, "-sess_in", session)
    assert ("New, TLSv1" in first[1], "Reused, TLSv1" in again[1]) == (True, True), again[1]
    assert "says TLSv1" in again[1]


async def test_openssl_reconnects_five_times(tmp_path):
    async with serving(tls, **https(tmp_path)) as served:
        _, said = await s_client(tmp_path, served.url, "-tls1_2", "-reconnect")
    assert len(re.findall(r"^Reused, TLSv1\.2", said, re.MULTILINE)) == 5, said


async def test_the_name_that_a_client_asks_for(tmp_path):
    async with serving(tls, **https(tmp_path)) as served:
        _, said = await s_client(tmp_path, served.url, "-servername", "LocalHost")
    assert "says TLSv1.3 localhost nothing" in said


async def test_early_data_is_not_taken(tmp_path):
    """A session's ticket says that none is (RFC 8446 4.2.10), so that openssl sends it behind the handshake."""
    session, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(REQUEST)
    async with serving(tls, **https(tmp_path)) as served:
        await s_client(tmp_path, served.url, "-sess_out", session)
        _, said = await s_client(tmp_path, served.url, "-sess_in", session, "-early_data", early)
    assert "Early data was accepted" not in said
    assert "Max Early Data: 0" in said


async def test_a_renegotiation_is_refused(tmp_path):
    """TLS 1.2 has it (RFC 5246 7.2.2: no_renegotiation), which openssl takes for a reason to leave."""
    async with serving(tls, **https(tmp_path)) as served:
        process = await asyncio.create_subprocess_exec(
            program("openssl"), "s_client", "-connect", served.url.removeprefix("https://"), "-tls1_2",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        process.stdin.write(b"R\n")  # a command of s_client's, as long as its input goes on
        async with asyncio.timeout(PATIENCE):
            said = (await process.stdout.read()).decode()
            await process.communicate()
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said


@pytest.mark.parametrize("mode", [ClientCertificates.ALLOW, ClientCertificates.REQUIRE])
async def test_a_client_shows_its_certificate(mode, tmp_path):
    own = certificate(tmp_path, "client@example.com")
    listening = https(tmp_path, client_certificates=mode, client_ca=str(authority_file(tmp_path)))
    async with serving(tls, **listening) as served:
        _, said = await s_client(tmp_path, served.url, "-cert", own.path, "-key", own.key_path)
    assert "says TLSv1.3 - certificate" in said


async def test_a_client_without_the_certificate_that_is_required_is_turned_away(tmp_path):
    listening = https(
        tmp_path, client_certificates=ClientCertificates.REQUIRE, client_ca=str(authority_file(tmp_path))
    )
    async with serving(tls, **listening) as served:
        _, said = await s_client(tmp_path, served.url)
    assert "says" not in said
    assert "alert certificate required" in said


async def test_a_client_with_a_certificate_of_another_authority_is_turned_away(tmp_path):
    own = certificate(tmp_path, "client@example.com", ca=authority("others"))
    listening = https(
        tmp_path, client_certificates=ClientCertificates.ALLOW, client_ca=str(authority_file(tmp_path))
    )
    async with serving(tls, **listening) as served:
        _, said = await s_client(tmp_path, served.url, "-cert", own.path, "-key", own.key_path)
    assert "says" not in said
    assert "alert unknown ca" in said


async def test_http_without_tls_on_the_port_of_tls(tmp_path):
    async with serving(tls, **https(tmp_path)) as served:
        host, port = served.url.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(REQUEST)
        async with asyncio.timeout(PATIENCE):
            received = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"https" in received

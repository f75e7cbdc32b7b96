"""Destinations over TLS that others wrote: nginx, which demands a client certificate, and openssl s_server."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx
import pytest

from hostler import HttpClient
from tests.certificates import certificate, server_context
from tests.client.peers import destination
from tests.wire.peers import authority_file, free_port, listening, nginx, program, proxied

NGINX = """
server {
    listen 127.0.0.1:{port} ssl;
    ssl_certificate FOLDER/localhost.pem;
    ssl_certificate_key FOLDER/localhost.key;
    ssl_client_certificate FOLDER/authority.pem;
    ssl_verify_client on;
    ssl_protocols VERSION;
    ssl_session_cache shared:SSL:1m;
    keepalive_requests 2;
    location / { return 200 "$ssl_protocol|$ssl_server_name|$ssl_client_s_dn|$connection_requests|$ssl_session_reused\\n"; }
}
"""


@asynccontextmanager
async def demanding(tmp_path, version="TLSv1.3"):
    """Run nginx; gives its URL and the settings of a client that it accepts."""
    certificate(tmp_path)
    client = HttpClient(
        certificate_authority=str(authority_file(tmp_path)),
        client_certificate=certificate(tmp_path, "proxy.example", common_name="proxy.example"),
    )
    config = NGINX.replace("FOLDER", str(tmp_path)).replace("VERSION", version)
    async with nginx(tmp_path, config) as port:
        yield f"https://localhost:{port}", client


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_nginx_that_demands_a_client_certificate_and_resumes_sessions(tmp_path, version):
    async with (
        demanding(tmp_path, version) as (address, settings),
        proxied(address, http_client=settings) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as ask,
    ):
        said = [(await ask.get("/")).text.strip().split("|") for _ in range(6)]
    assert {tuple(parts[:2]) for parts in said} == {(version, "localhost")}
    assert all("proxy.example" in parts[2] for parts in said)
    assert [parts[3] for parts in said] == ["1", "2"] * 3
    assert [parts[4] for parts in said] == [".", ".", "r", "r", "r", "r"]


async def test_nginx_without_the_certificate_that_it_demands(tmp_path):
    """It completes the handshake, and answers 400: that is the destination's answer, and the client's."""
    async with (
        demanding(tmp_path) as (address, settings),
        proxied(address, http_client=HttpClient(certificate_authority=settings.certificate_authority)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as ask,
    ):
        answer = await ask.get("/")
    assert answer.status_code == 400
    assert "No required SSL certificate was sent" in answer.text


@asynccontextmanager
async def s_server(tmp_path, *options):
    """Run `openssl s_server -www`, which answers each request and ends the connection; gives its port."""
    own, port = certificate(tmp_path), free_port()
    command = [
        program("openssl"),
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        own.path,
        "-key",
        own.key_path,
    ]
    async with listening(port, *command, "-www", *options):
        yield port


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
async def test_openssl_s_server_ends_each_answer_with_its_connection(tmp_path, version):
    settings = HttpClient(certificate_authority=str(authority_file(tmp_path)))
    async with (
        s_server(tmp_path, f"-{version}") as port,
        proxied(f"https://localhost:{port}", http_client=settings) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as ask,
    ):
        said = [(await ask.get("/")).text for _ in range(3)]
    assert [("Reused, " in text, "</HTML>" in text or "</html>" in text.lower()) for text in said] == [
        (False, True), (True, True), (True, True),
    ]  # fmt: skip


async def test_openssl_s_server_that_demands_a_certificate(tmp_path, caplog):
    settings = HttpClient(certificate_authority=str(authority_file(tmp_path)))
    async with (
        s_server(
            tmp_path, "-Verify", "1", "-verify_return_error", "-CAfile", str(authority_file(tmp_path))
        ) as port,
        proxied(f"https://localhost:{port}", http_client=settings) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as ask,
    ):
        assert (await ask.get("/")).status_code == 502
    assert "the destination demands a client certificate" in caplog.text


CUT = """
server {
    listen 127.0.0.1:{port};
    location / {
        proxy_pass https://127.0.0.1:DESTINATION;
        proxy_http_version 1.1;
    }
}
"""


async def test_what_is_cut_off_without_a_close_notify_is_complete_for_nginx_and_not_for_us(tmp_path):
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await peer.drain()
        peer.writer.transport.abort()

    async with destination(script, context=server_context(certificate(tmp_path))) as there:
        settings = HttpClient(certificate_authority=str(authority_file(tmp_path)))
        async with (
            nginx(tmp_path, CUT.replace("DESTINATION", str(there.port))) as port,
            httpx.AsyncClient(trust_env=False, timeout=20) as ask,
        ):
            assert (await ask.get(f"http://127.0.0.1:{port}/")).text == "hel"
        async with (
            proxied(f"https://localhost:{there.port}", http_client=settings) as url,
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as ask,
        ):
            with pytest.raises(httpx.TransportError):
                await ask.get("/")

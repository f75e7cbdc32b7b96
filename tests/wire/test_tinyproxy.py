"""tinyproxy between a proxy and its destinations."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from hostler import HttpClient
from hostler.config.model import WebProxy
from tests.client.forwarder.test_tls import presenting
from tests.client.peers import OK, answering, destination
from tests.wire.peers import proxied, tinyproxy

BASIC = "BasicAuth me secret"


def through(port, user="me:secret"):
    address = f"http://{user}@127.0.0.1:{port}"
    return HttpClient(web_proxy=WebProxy(address), dangerous_accept_any_server_certificate=True)


async def ask(url, **options):
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.request(url=url, **options)


async def test_an_http_destination(tmp_path):
    async def script(peer):
        head = await peer.head()
        assert b"POST /base/a?b HTTP/1." in head
        assert b"secret" not in head
        assert b"Proxy-Authorization" not in head
        body = await peer.exactly(5)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    async with (
        tinyproxy(tmp_path, BASIC) as port,
        destination(script) as there,
        proxied(f"{there.address}/base", http_client=through(port)) as url,
    ):
        got = await ask(f"{url}/a?b", method="POST", content=b"hello")
        assert (got.status_code, got.content) == (200, b"hello")


async def test_an_https_destination(tmp_path):
    async with (
        tinyproxy(tmp_path, BASIC) as port,
        destination(answering(OK), context=presenting("localhost")) as there,
        proxied(f"https://localhost:{there.port}", http_client=through(port)) as url,
    ):
        answers = await asyncio.gather(*(ask(url, method="GET") for _ in range(5)))
        assert [got.text for got in answers] == ["ok"] * 5


@pytest.mark.parametrize(("scheme", "status"), [("http", 401), ("https", 502)])
async def test_a_wrong_password(tmp_path, scheme, status, caplog):
    """Which is told to the client where the web proxy itself answers."""
    async with (
        tinyproxy(tmp_path, BASIC) as port,
        proxied(f"{scheme}://localhost:1", http_client=through(port, "me:wrong")) as url,
    ):
        assert (await ask(url, method="GET")).status_code == status
    assert "wrong" not in caplog.text

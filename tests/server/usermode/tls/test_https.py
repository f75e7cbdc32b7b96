"""The user-mode server over TLS, asked by a client of the standard library's."""

import asyncio

import pytest

from hostler import ListenError, ServerOptions, TlsOptions
from hostler.processes.serving import serving
from tests.certificates import certificate, client_context


async def answer(exchange):
    return await exchange.respond(200, f"{exchange.scheme} {exchange.path}")


async def ask(url, request):
    host, _, port = url.partition("://")[2].partition(":")
    reader, writer = await asyncio.open_connection(
        host, int(port), ssl=client_context(), server_hostname="localhost"
    )
    writer.write(request)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


async def test_a_request_over_tls_is_answered(tmp_path):
    options = ServerOptions(tls=TlsOptions(certificate=certificate(tmp_path)))
    async with serving(answer, ["https://127.0.0.1:0/"], options=options) as served:
        received = await ask(served.url, b"GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"https /a")


async def test_https_without_a_certificate_is_refused():
    with pytest.raises(ListenError, match="no certificate"):
        async with serving(answer, ["https://127.0.0.1:0/"]):
            raise AssertionError("it listens")

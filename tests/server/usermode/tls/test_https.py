"""The user-mode server over TLS, asked by a client of the standard library's."""

import asyncio

import pytest

from hostler import ListenError, ServerOptions, TlsOptions
from hostler.connection import ServerName
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


async def test_an_exchange_says_how_it_was_encrypted(tmp_path):
    async def tell(exchange):
        name = await exchange.connection.server_name()
        assert await exchange.connection.client_certificate() is None
        assert name == ServerName(host="localhost", chose_certificate=True)
        tls = exchange.tls
        parts = (
            tls.version,
            tls.cipher_suite,
            hex(tls.cipher_suite_id),
            tls.cipher_bits,
            tls.server_name,
            tls.resumed,
        )
        return await exchange.respond(200, repr(parts))

    options = ServerOptions(tls=TlsOptions(certificate=certificate(tmp_path)))
    async with serving(tell, ["https://127.0.0.1:0/"], options=options) as served:
        received = await ask(served.url, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    told = "('TLSv1.3', 'TLS_AES_256_GCM_SHA384', '0x1302', 256, 'localhost', False)"
    assert received.endswith(told.encode())


async def test_https_without_a_certificate_is_refused():
    with pytest.raises(ListenError, match="no certificate"):
        async with serving(answer, ["https://127.0.0.1:0/"]):
            raise AssertionError("it listens")

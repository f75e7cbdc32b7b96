"""curl, httpx and websockets over TLS."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from hostler import serving
from hostler.asgi import Application
from tests.certificates import client_context
from tests.wire.peers import authority_file, delegated, forwarded, https, program, proxied, run

BOTH = pytest.mark.parametrize("behind", [forwarded, delegated])


async def mirror(exchange):
    """Answer with what arrived."""
    body = await exchange.read(1 << 24)
    names = exchange.request.headers
    said = {
        "scheme": exchange.scheme,
        "proto": names.get("x-forwarded-proto"),
        "size": len(body),
        "start": body[:20].decode("latin-1"),
    }
    return await exchange.respond(200, json.dumps(said))


async def tls(exchange):
    """Answer with how the request was encrypted."""
    found = exchange.tls
    return await exchange.respond(200, f"{found.version} {found.alpn or '-'} {found.server_name or '-'}")


async def curl(folder, *arguments, feed=None):
    """Run curl, which must succeed; return its output."""
    options = ("-sS", "--noproxy", "*", "--cacert", authority_file(folder))
    status, out, errors = await run(program("curl"), *options, *arguments, feed=feed)
    assert status == 0, errors
    return out


@BOTH
async def test_a_request_by_curl(behind, tmp_path):
    async with behind(mirror, **https(tmp_path)) as url:
        got = json.loads(await curl(tmp_path, f"{url}/a"))
    assert got["proto"] == "https"


@BOTH
@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
async def test_an_upload_by_curl(behind, size, tmp_path):
    """Large ones wait for 100 Continue, as curl does of itself."""
    file = tmp_path / "body"
    file.write_bytes(b"x" * size)
    async with behind(mirror, **https(tmp_path)) as url:
        command = ("--data-binary", f"@{file}", "--expect100-timeout", "15", url)
        assert json.loads(await curl(tmp_path, *command))["size"] == size


@BOTH
async def test_an_upload_in_chunks_by_curl(behind, tmp_path):
    async with behind(mirror, **https(tmp_path)) as url:
        got = json.loads(await curl(tmp_path, "-T", "-", f"{url}/put", feed=b"y" * 500_000))
    assert (got["size"], got["start"]) == (500_000, "y" * 20)


@BOTH
async def test_http_1_0_by_curl(behind, tmp_path):
    """The answer ends with the connection, whose end curl must be told in TLS too."""
    async with behind(mirror, **https(tmp_path)) as url:
        got = await curl(tmp_path, "--http1.0", "-i", "-d", "hello", url)
    assert json.loads(got.partition(b"\r\n\r\n")[2])["start"] == "hello"


@BOTH
async def test_several_requests_of_curl_share_a_connection(behind, tmp_path):
    async with behind(mirror, **https(tmp_path)) as url:
        out = await curl(tmp_path, "-w", "\n%{num_connects}\n", *[f"{url}/{number}" for number in range(4)])
    assert [line for line in out.decode().splitlines() if len(line) == 1] == ["1", "0", "0", "0"]


async def test_an_offer_of_http_2_falls_back_to_http_1(tmp_path):
    async with serving(tls, **https(tmp_path)) as served:
        out = await curl(tmp_path, "--http2", "-w", " %{http_version}", served.url)
    assert out.decode() == "TLSv1.3 http/1.1 - 1.1"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_curl_names_the_host_and_chooses_the_version(version, tmp_path):
    listening = https(tmp_path) | {"urls": ["https://localhost:0/"]}
    async with serving(tls, **listening) as served:
        out = await curl(tmp_path, f"--tlsv{version}", "--tls-max", version, served.url)
    assert out.decode() == f"TLSv{version} http/1.1 localhost"


async def test_curl_does_not_trust_a_certificate_of_nobody(tmp_path):
    async with serving(mirror, **https(tmp_path)) as served:
        status, _, errors = await run(program("curl"), "-sS", "--noproxy", "*", served.url)
    assert status == 60, errors


@BOTH
async def test_httpx(behind, tmp_path):
    async def echo(exchange):
        await exchange.start(200)
        async for piece in exchange.chunks():
            await exchange.write(piece)
        return await exchange.end()

    body = bytes(range(256)) * 16384
    async with (
        behind(echo, **https(tmp_path)) as url,
        httpx.AsyncClient(trust_env=False, timeout=20, verify=client_context()) as client,
    ):
        assert (await client.post(url, content=body)).content == body
        answers = await asyncio.gather(*[client.post(url, content=b"%d" % number) for number in range(50)])
    assert [answer.content for answer in answers] == [b"%d" % number for number in range(50)]


async def test_a_websocket_over_tls_is_forwarded(tmp_path):
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        there = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with (
            proxied(there, **https(tmp_path)) as url,
            connect(
                url.replace("https", "wss", 1), ssl=client_context(), proxy=None, max_size=None
            ) as socket,
        ):
            for message in ("hello", "ü" * 1000, bytes(range(256)) * 4096):
                await socket.send(message)
                assert await socket.recv() == message


async def test_a_websocket_over_tls_is_delegated(tmp_path):
    async def echo(scope, receive, send):
        while (event := await receive())["type"] != "websocket.disconnect":
            if event["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
            else:
                await send({"type": "websocket.send", "bytes": event.get("bytes"), "text": event.get("text")})

    async with (
        delegated(Application(echo), **https(tmp_path)) as url,
        connect(url.replace("https", "wss", 1), ssl=client_context(), proxy=None, max_size=None) as socket,
    ):
        for message in ("hello", "ü" * 1000, bytes(range(256)) * 4096):
            await socket.send(message)
            assert await socket.recv() == message

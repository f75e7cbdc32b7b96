"""nginx as a destination, and nginx in front."""

from __future__ import annotations

import asyncio
import gzip

import httpx
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from tests.wire.peers import delegated, forwarded, nginx, proxied

DESTINATION = """
server {
    listen 127.0.0.1:{port};
    root ROOT;
    gzip on;
    gzip_min_length 1;
    gzip_types text/plain;
    gzip_http_version 1.1;
    client_max_body_size 64k;
    location = /connection { return 200 "$connection $connection_requests\\n"; }
    location = /host { return 200 "$http_host|$http_x_forwarded_for|$http_x_forwarded_host|$request_uri"; }
    location = /moved { return 301 /other; }
    location = /dropped { return 444; }
    location = /nothing { return 204; }
}
"""


def root(tmp_path, **files):
    directory = tmp_path / "root"
    directory.mkdir()
    for name, data in files.items():
        (directory / f"{name}.txt").write_bytes(data)
    for parent in (directory, *directory.parents):
        if parent.owner() != "root" or parent == tmp_path:
            parent.chmod(0o755)
    return DESTINATION.replace("ROOT", str(directory))


def client(url):
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=20)


async def test_static_files_of_nginx(tmp_path):
    large = bytes(range(256)) * 40000
    config = root(tmp_path, small=b"hello", large=large, empty=b"")
    async with (
        nginx(tmp_path, config) as port,
        proxied(f"http://127.0.0.1:{port}") as url,
        client(url) as ask,
    ):
        raw = {"accept-encoding": "identity"}
        assert (await ask.get("/large.txt", headers=raw)).content == large
        assert (await ask.get("/empty.txt", headers=raw)).content == b""
        got = await ask.get("/small.txt", headers=raw)
        assert (got.text, got.headers["server"].split("/")[0]) == ("hello", "nginx")
        assert (await ask.head("/large.txt", headers=raw)).headers["content-length"] == str(len(large))
        part = await ask.get("/large.txt", headers=raw | {"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, large[10:20])
        again = await ask.get("/small.txt", headers={"if-none-match": got.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await ask.get("/missing.txt")).status_code == 404
        assert (await ask.get("/nothing")).status_code == 204
        assert (await ask.get("/moved")).headers["location"].endswith("/other")


async def test_a_compressed_answer_in_chunks(tmp_path):
    config = root(tmp_path, text=b"hello " * 10000)
    async with (
        nginx(tmp_path, config) as port,
        proxied(f"http://127.0.0.1:{port}") as url,
        client(url) as ask,
    ):
        async with ask.stream("GET", "/text.txt", headers={"accept-encoding": "gzip"}) as got:
            assert got.headers["content-encoding"] == "gzip"
            assert got.headers["transfer-encoding"] == "chunked"
            packed = b"".join([piece async for piece in got.aiter_raw()])
        assert gzip.decompress(packed) == b"hello " * 10000


async def test_nginx_sees_one_connection_and_the_headers_of_a_proxy(tmp_path):
    async with (
        nginx(tmp_path, root(tmp_path)) as port,
        proxied(f"http://127.0.0.1:{port}") as url,
        client(url) as ask,
    ):
        counts = [(await ask.get("/connection")).text.split() for _ in range(3)]
        assert len({connection for connection, _ in counts}) == 1
        assert [number for _, number in counts] == ["1", "2", "3"]
        here = url.removeprefix("http://")
        assert (await ask.get("/host?a=%2F")).text == f"127.0.0.1:{port}|127.0.0.1|{here}|/host?a=%2F"


async def test_nginx_refuses_an_upload_before_it_has_come(tmp_path):
    async with (
        nginx(tmp_path, root(tmp_path)) as port,
        proxied(f"http://127.0.0.1:{port}") as url,
        client(url) as ask,
    ):
        for _ in range(3):
            got = await ask.post("/host", content=b"x" * 100_000)
            assert got.status_code == 413
        assert (await ask.get("/nothing")).status_code == 204


async def test_nginx_drops_a_request(tmp_path):
    async with (
        nginx(tmp_path, root(tmp_path)) as port,
        proxied(f"http://127.0.0.1:{port}") as url,
        client(url) as ask,
    ):
        for _ in range(3):
            assert (await ask.get("/dropped")).status_code == 502
            assert (await ask.get("/nothing")).status_code == 204


FRONT = """
upstream hostler { server UPSTREAM; keepalive 8; }
server {
    listen 127.0.0.1:{port};
    location / {
        proxy_pass http://hostler;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
        proxy_request_buffering off;
    }
    location /old/ { proxy_pass http://hostler; }
    location /socket {
        proxy_pass http://hostler;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection Upgrade;
    }
}
"""


async def echo(exchange):
    await exchange.start(200, [("x-seen", exchange.request.headers.get("x-own", "-"))])
    async for piece in exchange.chunks():
        await exchange.write(piece)
    return await exchange.end()


async def pieces():
    for _ in range(50):
        yield b"x" * 10_000


async def test_nginx_in_front_of_a_proxy(tmp_path):
    for behind in (forwarded, delegated):
        directory = tmp_path / behind.__name__
        directory.mkdir()
        async with behind(echo) as url:
            # the upstream's name is what nginx sends as Host
            config = FRONT.replace("UPSTREAM", url.removeprefix("http://"))
            async with nginx(directory, config) as port, client(f"http://127.0.0.1:{port}") as ask:
                for path in ("/new", "/old/"):
                    assert (await ask.get(path, headers={"x-own": "1"})).headers["x-seen"] == "1"
                    assert (await ask.post(path, content=b"y" * 300_000)).content == b"y" * 300_000
                    assert (await ask.post(path, content=pieces())).content == b"x" * 500_000
                answers = await asyncio.gather(*[ask.post("/new", content=b"%d" % n) for n in range(50)])
                assert [answer.content for answer in answers] == [b"%d" % n for n in range(50)]


async def test_a_websocket_through_nginx_and_a_proxy(tmp_path):
    async def handler(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(handler, "127.0.0.1", 0) as server:
        there = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with proxied(there) as url:
            config = FRONT.replace("UPSTREAM", url.removeprefix("http://"))
            async with (
                nginx(tmp_path, config) as port,
                connect(f"ws://127.0.0.1:{port}/socket", proxy=None) as socket,
            ):
                for message in ("hello", b"x" * 500_000):
                    await socket.send(message)
                    assert await socket.recv() == message

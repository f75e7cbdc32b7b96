"""Destinations on Unix sockets."""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import quote

import pytest

from hostler import Destination, Reason
from hostler.fleet import LiveDestination
from tests.client.peers import OK, Peer, front, lines

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asyncio has no Unix sockets there")


async def serve(path, heads, answer=OK):
    async def script(reader, writer):
        peer = Peer(reader, writer)
        try:
            while True:
                heads.append(await peer.head())
                peer.send(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            peer.close()

    return await asyncio.start_unix_server(script, path)


def url(path, base=""):
    return f"http+unix://{quote(str(path), safe='')}{base}"


async def test_a_request_and_its_host(tmp_path):
    heads = []
    server = await serve(tmp_path / "a b.sock", heads)
    async with server, front(url(tmp_path / "a b.sock", "/base")) as proxy:
        for _ in range(2):
            assert (await proxy.fetch(path="/x?y")).body == b"ok"
    for head in heads:
        first, _, block = head.partition(b"\r\n")
        assert first == b"GET /base/x?y HTTP/1.1"
        assert lines(block)[0] == (b"Host", b"localhost")


async def test_a_host_of_its_own(tmp_path):
    heads = []
    server = await serve(tmp_path / "s", heads)
    there = LiveDestination("a", Destination(url(tmp_path / "s"), host="shop.example"))
    async with server, front(there) as proxy:
        assert (await proxy.fetch()).body == b"ok"
    assert b"\r\nHost: shop.example\r\n" in heads[0]


async def test_a_socket_that_vanishes_is_502_and_one_that_comes_back_is_found(tmp_path, caplog):
    path = tmp_path / "s"
    async with front(url(path)) as proxy:
        assert (await proxy.fetch()).status == 502
        assert proxy.failure is Reason.REQUEST
        assert "No such file" in caplog.text
        async with await serve(path, [], OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)):
            assert (await proxy.fetch()).body == b"ok"
        path.unlink(missing_ok=True)
        path.touch()
        assert (await proxy.fetch()).status == 502

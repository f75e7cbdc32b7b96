"""Heads: what a destination sees of a client, and a client of a destination."""

from __future__ import annotations

from hostler import Destination
from hostler.fleet import LiveDestination
from tests.client.peers import OK, answering, connected, destination, front


async def test_the_destination_gets_the_clients_own_head_with_host_and_forwarded_headers_set():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there, front(there.address) as proxy:
        headers = (
            "X-MiXeD: One\r\naccept: a\r\nForwarded: for=evil\r\nX-Forwarded-For: 6.6.6.6\r\nAccept:  b \r\n"
        )
        answer = await proxy.fetch("GET", "/a%2Fb/./c/../d?x=1&&y=%zz", headers)
        assert answer.status == 200
    (head,) = heads
    line, host, *rest = head.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert line == "GET /a%2Fb/d?x=1&&y=%zz HTTP/1.1"
    assert host == f"Host: 127.0.0.1:{there.port}"
    added = ["X-Forwarded-For: 127.0.0.1", f"X-Forwarded-Host: {proxy.host}", "X-Forwarded-Proto: http"]
    assert [line for line in rest if line not in added] == ["X-MiXeD: One", "accept: a", "Accept: b"]
    assert [line for line in rest if line in added] == added


async def test_the_client_gets_the_destinations_head_in_its_order_and_case():
    answer = (
        b"HTTP/1.1 299 Quite Fine\r\nx-B: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-a: \r\nDate: yesterday\r\n"
        b"Keep-Alive: timeout=5\r\nConnection: X-Secret\r\nX-Secret: 1\r\nAlt-Svc: h3\r\nContent-Length: 0\r\n\r\n"
    )
    async with destination(answering(answer)) as there, front(there.address) as proxy:
        got = await proxy.fetch()
    assert got.line == b"HTTP/1.1 299 Quite Fine"
    assert got.headers == [
        (b"x-B", b"1"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"X-a", b""),
        (b"Date", b"yesterday"),
        (b"Content-Length", b"0"),
    ]


async def test_a_url_prefixs_path_goes_to_x_forwarded_prefix_and_the_address_path_in_front():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with (
        destination(script) as there,
        front(f"{there.address}/base/", url="http://127.0.0.1:0/App/") as proxy,
        connected(proxy.url) as client,
    ):
        client.send(f"GET /app/x%20y?q HTTP/1.1\r\nHost: {proxy.host}\r\n\r\n".encode())
        assert (await client.answer()).status == 200
    assert heads[0].startswith(b"GET /base/x%20y?q HTTP/1.1\r\n")
    assert b"\r\nX-Forwarded-Prefix: /app\r\n" in heads[0]


async def test_a_destinations_own_host_is_sent_instead_of_its_address():
    heads = []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)

    async with destination(script) as there:
        live = LiveDestination("a", Destination(there.address, host="shop.example"))
        async with front(live) as proxy:
            assert (await proxy.fetch()).status == 200
            assert proxy.outcomes[0].destination == there.address
    assert b"\r\nHost: shop.example\r\n" in heads[0]

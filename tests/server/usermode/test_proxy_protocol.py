"""Endpoints that demand the PROXY protocol: whose requests they are, and who is closed."""

import asyncio
import contextlib
import logging
import socket
import ssl
from urllib.parse import quote

import pytest

from hostler import Endpoint, ListenError, ServerOptions, Timeouts, TlsOptions, TrustedProxies
from hostler.http.proxy_protocol import encode_proxy_header
from hostler.processes.serving import serving
from tests.certificates import certificate, client_context

CLIENT, SERVER = ("192.0.2.1", 50000), ("198.51.100.2", 443)
REQUEST = b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def of_all(url, networks=("127.0.0.0/8",), **options):
    """Return options by which what comes in for a URL demands a header, of these peers."""
    return ServerOptions(
        endpoints={url: Endpoint(proxy_protocol=True)},
        trusted_proxies=TrustedProxies(networks=networks),
        **options,
    )


async def answer(exchange):
    return await exchange.respond(
        200, f"{exchange.client} {exchange.peer[0]} {exchange.scheme} {exchange.path}"
    )


async def talk(served, *pieces):
    """Send pieces to what is served; returns all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.prefixes[0].port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def body(received):
    return received.partition(b"\r\n\r\n")[2].decode()


URL = "http://127.0.0.1:0/"
HEADERS = [encode_proxy_header(version, CLIENT, SERVER) for version in (1, 2)]


@pytest.mark.parametrize("header", HEADERS, ids=["v1", "v2"])
async def test_the_request_is_from_the_client_in_the_header(header):
    async with serving(answer, [URL], options=of_all(URL)) as served:
        assert body(await talk(served, header + REQUEST)) == f"{CLIENT} 127.0.0.1 http /a"
        assert body(await talk(served, header, REQUEST)) == f"{CLIENT} 127.0.0.1 http /a"
        bytewise = [bytes([byte]) for byte in header + REQUEST]
        assert body(await talk(served, *bytewise)) == f"{CLIENT} 127.0.0.1 http /a"


@pytest.mark.parametrize("version", [1, 2])
async def test_who_speaks_for_itself_keeps_its_address(version):
    async with serving(answer, [URL], options=of_all(URL)) as served:
        said = body(await talk(served, encode_proxy_header(version, None, None) + REQUEST))
    assert said.startswith("('127.0.0.1', ")
    assert said.endswith(" 127.0.0.1 http /a")


async def test_every_request_of_the_connection_is_from_that_client():
    async with serving(answer, [URL], options=of_all(URL)) as served:
        first = REQUEST.replace(b"Connection: close\r\n", b"")
        received = await talk(served, HEADERS[0] + first + REQUEST)
    assert received.count(str(CLIENT).encode()) == 2


async def test_tls_follows_the_header(tmp_path):
    url = "https://127.0.0.1:0/"
    options = of_all(url, tls=TlsOptions(certificate=certificate(tmp_path)))
    async with serving(answer, [url], options=options) as served:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        reader, writer = await asyncio.open_connection("127.0.0.1", served.prefixes[0].port)
        writer.write(HEADERS[1])
        received = b""
        while b"/a" not in received:
            try:
                if not client.version():
                    client.do_handshake()
                    client.write(REQUEST)
                received += client.read(65536)
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        writer.close()
        await writer.wait_closed()
    assert body(received) == f"{CLIENT} 127.0.0.1 https /a"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no Unix sockets")
@pytest.mark.parametrize("named", [True, False])
async def test_the_peers_of_a_unix_socket_are_trusted_only_where_they_are_named(tmp_path, named):
    url = f"http+unix://{quote(str(tmp_path / 's'), safe='')}"
    async with serving(answer, [url], options=of_all(url, ["unix"] if named else ["0.0.0.0/0", "::/0"])):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        with contextlib.suppress(OSError):
            writer.write(HEADERS[0] + REQUEST)
            received = await reader.read()
            assert named
            assert body(received) == f"{CLIENT}  http /a"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# -- who is closed ----------------------------------------------------------------------------------------------------


async def test_a_peer_that_is_not_trusted_is_closed_before_it_is_read(caplog):
    caplog.set_level(logging.INFO, "hostler.server")
    async with serving(answer, [URL], options=of_all(URL, ["192.0.2.0/24"])) as served:
        assert await talk(served, HEADERS[0] + REQUEST) == b""
        assert await talk(served) == b""
        assert served.server.refused_headers == {"not trusted": 2}
    assert "it is no trusted proxy" in caplog.text


@pytest.mark.parametrize(
    "data",
    [REQUEST, b"PROXY nonsense\r\n" + REQUEST, HEADERS[1][:-1].replace(b"\x21\x11", b"\x21\x71") + REQUEST],
    ids=["a request without", "a malformed line", "another family"],
)
async def test_what_does_not_begin_with_a_header_is_closed_without_an_answer(data, caplog):
    caplog.set_level(logging.INFO, "hostler.server")
    async with serving(answer, [URL], options=of_all(URL)) as served:
        assert await talk(served, data) == b""
        assert served.server.refused_headers == {"malformed": 1}
    (record,) = [record for record in caplog.records if "PROXY header" in record.message]
    assert record.levelname == "INFO"


async def test_a_second_header_is_no_request():
    async with serving(answer, [URL], options=of_all(URL)) as served:
        received = await talk(served, HEADERS[0] + HEADERS[0] + REQUEST)
    assert received.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("header", HEADERS, ids=["v1", "v2"])
async def test_an_endpoint_that_does_not_demand_a_header_takes_none(header):
    options = ServerOptions(trusted_proxies=TrustedProxies(networks=["127.0.0.1"]))
    async with serving(answer, [URL], options=options) as served:
        assert (await talk(served, header + REQUEST)).startswith(b"HTTP/1.1 400 ")


async def test_a_header_that_is_late_closes_the_connection():
    options = of_all(URL, timeouts=Timeouts(header_wait=0.05))
    async with serving(answer, [URL], options=options) as served:
        assert await talk(served, HEADERS[0][:-1]) == b""
        assert served.server.refused_headers == {"too slow": 1}


async def test_a_stopping_server_does_not_wait_for_headers():
    async with serving(answer, [URL], options=of_all(URL)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.prefixes[0].port)
        writer.write(b"PROXY ")
        await talk(served, HEADERS[0] + REQUEST)  # the first has been accepted by now
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_other_clients_are_served_while_thousands_say_nothing():
    plain = "http://127.0.0.2:0/"
    async with serving(answer, [URL, plain], options=of_all(URL)) as served:
        silent = [socket.socket() for _ in range(400)]
        try:
            for sock in silent:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", served.prefixes[0].port))
            assert body(await talk(served, HEADERS[0] + REQUEST)) == f"{CLIENT} 127.0.0.1 http /a"
        finally:
            for sock in silent:
                sock.close()


async def test_without_trusted_proxies_it_does_not_start():
    options = ServerOptions(endpoints={URL: Endpoint(proxy_protocol=True)})
    with pytest.raises(
        ListenError, match="with the PROXY protocol: whoever can connect could name any client"
    ):
        async with serving(answer, [URL], options=options):
            raise AssertionError("it listens")


@pytest.mark.parametrize(
    ("url", "listed"),
    [
        ("http://127.0.0.1:{}/", "http://+:{}"),
        ("http://localhost:{}/", "http://127.0.0.1:{}"),
        ("http://+:{}/", "http://*:{}"),
        ("http://+:{}/", "http://localhost:{}"),
        ("http://127.0.0.1:{}/", "https://127.0.0.1:{}"),
    ],
)
async def test_an_endpoint_by_another_name_than_its_prefix_is_no_way_in_without_a_header(
    url, listed, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = of_all(listed.format(port), tls=TlsOptions(certificate=certificate(tmp_path)))
    with pytest.raises(
        ListenError, match="which has other settings; write the endpoint as the prefix is written"
    ):
        async with serving(answer, [url.format(port)], options=options):
            raise AssertionError("it listens")


async def test_an_endpoint_that_nothing_is_listened_on_for_changes_nothing():
    async with serving(answer, [URL], options=of_all("http://127.0.0.2:0")) as served:
        assert body(await talk(served, REQUEST)).endswith("/a")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_line_of_what_is_rejected_names_the_client_and_the_peer(scheme, tmp_path):
    lines, url = [], URL.replace("http", scheme)
    options = of_all(url, tls=TlsOptions(certificate=certificate(tmp_path)))
    async with serving(answer, [url], options=options, write_line=lines.append) as served:
        assert (await talk(served, HEADERS[0] + b"GET\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert f" {CLIENT[0]} via 127.0.0.1 " in "".join(lines)

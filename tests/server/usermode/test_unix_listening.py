"""Listening on Unix sockets: clients, files, and what becomes of them."""

import asyncio
import contextlib
import os
import socket
import stat
from urllib.parse import quote

import pytest

from hostler import Endpoint, ListenError, ServerOptions, TlsOptions
from hostler.asgi import Application
from hostler.processes.serving import serving
from tests.certificates import certificate, client_context

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no Unix sockets")


def url_of(path, rest="/"):
    return f"http+unix://{quote(str(path), safe='')}{rest}"


async def answer(exchange):
    said = f"{exchange.client} {exchange.server} {exchange.path_base}|{exchange.path} {exchange.host}:{exchange.port}"
    return await exchange.respond(200, said)


async def get(path, target="/", *, host="localhost", tls=None):
    """Ask for something on a socket; returns status and body."""
    name = None if tls is None else "localhost"
    reader, writer = await asyncio.open_unix_connection(str(path), ssl=tls, server_hostname=name)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    received = await reader.read()
    writer.close()
    with contextlib.suppress(BrokenPipeError):  # the close_notify of one that has been answered in full
        await writer.wait_closed()
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


async def test_a_request_on_a_unix_socket_has_a_client_without_address(tmp_path):
    path = tmp_path / "s"
    async with serving(answer, [url_of(path)]) as served:
        assert served.url == url_of(path, "")
        assert await get(path, "/a") == (200, f"('', 0) ('{path}', 0) |/a localhost:80")
    assert not path.exists()


async def test_prefixes_share_a_socket_and_go_by_the_path_whatever_the_host(tmp_path):
    path = tmp_path / "s"
    async with serving(answer, [url_of(path, "/a/"), url_of(path, "/b")]) as served:
        assert len(served.prefixes) == 2
        assert (await get(path, "/B/c", host="other.example:99"))[1].endswith("/B|/c other.example:99")
        assert (await get(path, "/c"))[0] == 404


async def test_other_prefixes_do_not_take_what_comes_in_there(tmp_path):
    path = tmp_path / "s"
    async with serving(answer, [url_of(path, "/a/"), "http://127.0.0.1:0/"]):
        assert (await get(path, "/c"))[0] == 404


async def test_tls_on_a_unix_socket(tmp_path):
    path = tmp_path / "s"
    options = ServerOptions(tls=TlsOptions(certificate=certificate(tmp_path)))
    async with serving(answer, [url_of(path).replace("http+", "https+")], options=options):
        assert (await get(path, "/a", tls=client_context()))[0] == 200


async def test_a_stale_socket_is_replaced(tmp_path):
    path = tmp_path / "s"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with serving(answer, [url_of(path)]):
        assert (await get(path))[0] == 200


async def test_nobody_can_hold_it_up_by_locking_the_directory(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        async with asyncio.timeout(10), serving(answer, [url_of(tmp_path / "s")]):
            assert (await get(tmp_path / "s"))[0] == 200
    finally:
        os.close(descriptor)
    assert not (tmp_path / "s").exists()


async def test_a_socket_that_somebody_listens_on_is_in_use(tmp_path):
    path = tmp_path / "s"
    async with serving(answer, [url_of(path)]):
        with pytest.raises(ListenError, match=f"{path} is in use; stop the program"):
            async with serving(answer, [url_of(path)]):
                raise AssertionError("it listens")
        assert (await get(path))[0] == 200


@pytest.mark.parametrize("backlogged", [False, True])
async def test_a_socket_of_another_kind_or_with_a_full_backlog_is_in_use(tmp_path, backlogged):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if backlogged else socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        clients = []
        if backlogged:
            other.listen(0)
            clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex(str(path))
        try:
            with pytest.raises(ListenError, match="is in use"):
                async with serving(answer, [url_of(path)]):
                    raise AssertionError("it listens")
        finally:
            for client in clients:
                client.close()


async def test_a_file_that_is_no_socket_is_refused_and_left(tmp_path):
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(ListenError, match="is no socket; remove it"):
        async with serving(answer, [url_of(path)]):
            raise AssertionError("it listens")
    assert path.read_text() == "mine"


async def test_a_link_to_a_socket_is_refused(tmp_path):
    async with serving(answer, [url_of(tmp_path / "s")]):
        (tmp_path / "link").symlink_to(tmp_path / "s")
        with pytest.raises(ListenError, match="is no socket"):
            async with serving(answer, [url_of(tmp_path / "link")]):
                raise AssertionError("it listens")


async def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ListenError, match=f"{tmp_path}/none is no directory; make it"):
        async with serving(answer, [url_of(tmp_path / "none" / "s")]):
            raise AssertionError("it listens")


async def test_what_another_process_has_put_there_meanwhile_stays(tmp_path):
    path = tmp_path / "s"
    async with serving(answer, [url_of(path)]):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.is_socket()


async def test_the_mode_is_what_the_endpoint_says_or_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        options = ServerOptions(endpoints={url_of(tmp_path / "a"): Endpoint(socket_mode=0o666)})
        async with serving(answer, [url_of(tmp_path / "a"), url_of(tmp_path / "b")], options=options):
            modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
    finally:
        os.umask(before)
    assert modes == [0o666, 0o750]


async def test_an_application_is_told_of_no_client(tmp_path):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            said = f"{scope['client']} {scope['server']}"
            await send({"type": "http.response.body", "body": said.encode()})

    path = tmp_path / "s"
    async with serving(Application(app), [url_of(path)]):
        assert (await get(path))[1] == f"None ('{path}', None)"


async def test_the_access_line_says_unix(tmp_path):
    path, lines = tmp_path / "s", []
    async with serving(answer, [url_of(path)], write_line=lines.append):
        await get(path)
    assert lines[0].split()[1:4] == ["unix", "GET", "localhost:80"]

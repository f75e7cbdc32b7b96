from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hostler.errors import ListenError, PrefixError
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode import listening
from hostler.server.usermode.listening import bind
from hostler.server.usermode.server import UserModeServer
from tests.server.usermode.peers import Client, serving


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


async def hello(exchange):
    return await exchange.respond(200, exchange.path_base or "/")


class Bound:
    """What `bind` makes of URLs; its sockets are closed at the end."""

    def __init__(self, *urls):
        self.prefixes, self.sockets = bind([UrlPrefix.parse(url) for url in urls], 16)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.sockets:
            sock.close()

    @property
    def addresses(self):
        return sorted(sock.getsockname()[:2] for sock in self.sockets)


def bind_all(*urls):
    return bind([UrlPrefix.parse(url) for url in urls], 16)


# -- what is bound ----------------------------------------------------------------------------------------------------


@ipv6
def test_localhost_is_loopback_and_nothing_else():
    with Bound("http://localhost:0/") as bound:
        (prefix,) = bound.prefixes
        assert prefix.port > 0
        assert bound.addresses == [("127.0.0.1", prefix.port), ("::1", prefix.port)]


def test_an_address_is_that_address():
    with Bound("http://127.0.0.1:0/") as bound:
        assert bound.addresses == [("127.0.0.1", bound.prefixes[0].port)]


@ipv6
@pytest.mark.parametrize("host", ["+", "*", "example.com"])
def test_a_wildcard_and_a_name_are_every_address(host):
    with Bound(f"http://{host}:0/") as bound:
        port = bound.prefixes[0].port
        assert bound.addresses == [("0.0.0.0", port), ("::", port)]


@ipv6
def test_a_wildcard_covers_what_comes_with_it_on_its_port():
    with Bound("http://*:0/") as found:
        port = found.prefixes[0].port
    with Bound(
        f"http://127.0.0.1:{port}/a/",
        f"http://localhost:{port}/b/",
        f"http://+:{port}/c/",
        f"http://[::1]:{port}/d/",
    ) as bound:
        assert bound.addresses == [("0.0.0.0", port), ("::", port)]
        assert [prefix.path for prefix in bound.prefixes] == ["/a/", "/b/", "/c/", "/d/"]


def test_one_address_is_bound_once():
    with Bound("http://127.0.0.1:0/") as found:
        port = found.prefixes[0].port
    with Bound(f"http://127.0.0.1:{port}/a/", f"http://127.0.0.1:{port}/b/") as bound:
        assert bound.addresses == [("127.0.0.1", port)]


def test_no_prefix_is_no_socket():
    assert bind([], 16) == ((), [])


@ipv6
def test_a_picked_port_that_one_family_has_not_free_is_picked_again(monkeypatch):
    real, failures = listening._listening_socket, [2]

    def failing(family, address, port):
        if family == socket.AF_INET6 and failures[0]:
            failures[0] -= 1
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return real(family, address, port)

    monkeypatch.setattr(listening, "_listening_socket", failing)
    with Bound("http://localhost:0/") as bound:
        assert {port for _, port in bound.addresses} == {bound.prefixes[0].port}
        assert len(bound.addresses) == 2


# -- what cannot be had -----------------------------------------------------------------------------------------------


def test_a_port_that_is_in_use_is_named_and_nothing_stays_bound():
    with Bound("http://127.0.0.1:0/") as bound, Bound("http://127.0.0.1:0/") as free:
        taken, port = bound.prefixes[0].port, free.prefixes[0].port
        free.__exit__()
        with pytest.raises(ListenError, match=f"port {taken} is in use; stop the program"):
            bind_all(f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{taken}/")
        with Bound(f"http://127.0.0.1:{port}/"):
            pass


def test_an_address_of_another_machine_is_named():
    with pytest.raises(ListenError, match=r"192\.0\.2\.1 is no address of this machine") as caught:
        bind_all("http://192.0.2.1:0/")
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_port_that_needs_privileges_is_named(monkeypatch):
    def failing(family, address, port):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(listening, "_listening_socket", failing)
    with pytest.raises(ListenError, match="port 80 needs privileges; choose one above 1023"):
        bind_all("http://*:80/")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else"
)
def test_a_port_that_needs_privileges_really_needs_them():
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 80:
        pytest.skip("every port is open to everybody here")
    code = (
        "import os; from hostler.server.prefix import UrlPrefix; from hostler.server.usermode.listening import bind\n"
        "os.setuid(65534)\n"
        "try: bind([UrlPrefix.parse('http://127.0.0.1:79/')], 1)\n"
        "except OSError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert "port 79 needs privileges" in told.stdout


@pytest.mark.parametrize("missing", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6_listens_on_ipv4(monkeypatch, missing):
    real = listening._listening_socket

    def failing(family, address, port):
        if family == socket.AF_INET6:
            raise OSError(missing, os.strerror(missing))
        return real(family, address, port)

    monkeypatch.setattr(listening, "_listening_socket", failing)
    with Bound("http://localhost:0/") as bound:
        assert bound.addresses == [("127.0.0.1", bound.prefixes[0].port)]


# -- listening --------------------------------------------------------------------------------------------------------


@ipv6
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_localhost_is_served_on_both_families(host):
    async with (
        serving(hello, urls=["http://localhost:0/"]) as server,
        await Client.connect(server.port, host=host) as client,
    ):
        assert (await client.get()).status == 200


async def test_a_later_prefix_on_the_same_port_is_served():
    async with (
        serving(hello, urls=["http://127.0.0.1:0/a/"]) as server,
        await Client.connect(server.port) as client,
    ):
        await server.listen([UrlPrefix.parse(f"http://127.0.0.1:{server.port}/b/")])
        assert (await client.get("/a/")).body == b"/a"
        assert (await client.get("/b/")).body == b"/b"


async def test_a_prefix_that_is_there_already_is_refused_and_nothing_else_is_listened_on():
    async with serving(hello, urls=["http://127.0.0.1:0/a/"]) as server:
        with Bound("http://127.0.0.1:0/") as free:
            port = free.prefixes[0].port
        with pytest.raises(ListenError, match="already registered"):
            await server.listen(
                [
                    UrlPrefix.parse(f"http://127.0.0.1:{port}/"),
                    UrlPrefix.parse(f"http://127.0.0.1:{server.port}/A/"),
                ]
            )
        assert len(server.prefixes) == 1
        with Bound(f"http://127.0.0.1:{port}/"):
            pass


async def test_sockets_of_another_process_are_listened_on():
    bound = Bound("http://127.0.0.1:0/")
    server = UserModeServer(hello)
    await server.listen_on(bound.prefixes, bound.sockets)
    async with await Client.connect(bound.prefixes[0].port) as client:
        assert (await client.get()).status == 200
    await server.stop(0)


async def test_stopping_frees_the_port_and_may_be_repeated():
    async with serving(hello) as server:
        await server.stop(0)
        await server.stop(0)
        second = UserModeServer(hello)
        await second.listen([UrlPrefix.parse(f"http://127.0.0.1:{server.port}/")])
        await second.stop(0)


async def test_a_rule_is_for_a_url_prefix(runtime):
    async with serving(hello) as server:
        assert server.can_delegate
        with pytest.raises(PrefixError):
            server.open_rule("q", "not a prefix")

"""Which server it is, and what is controlled for worker processes, on the platform that this is."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest

from hostler import ListenError, NoSuchQueueError, QueueMode, QueueNameError, UnsupportedError
from hostler.server.base import ServerKind
from hostler.server.choose import choose, controlling, make_server
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.queues.directory import QueueDirectory
from hostler.server.usermode.server import UserModeServer

HTTPSYS, USERMODE = ServerKind.HTTPSYS, ServerKind.USERMODE
NOT_HERE = "HTTP.sys is part of Windows, and .*--server usermode"
ANY = UrlPrefix.parse("http://127.0.0.1:0/")


pytestmark = pytest.mark.usefixtures("runtime")


async def handler(exchange):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("said", "kind"), [("usermode", USERMODE), ("httpsys", HTTPSYS), (USERMODE, USERMODE), (HTTPSYS, HTTPSYS)]
)
def test_a_server_that_is_named(said, kind):
    assert choose(said) is kind


@pytest.mark.parametrize(
    ("platform", "kind"), [("linux", USERMODE), ("darwin", USERMODE), ("win32", HTTPSYS)]
)
def test_the_platforms_own(platform, kind, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    assert choose() is kind


def test_what_is_no_server():
    with pytest.raises(ValueError, match="'iis' is not a valid ServerKind"):
        choose("iis")


async def test_the_user_mode_server_is_made_wherever_it_is_asked_for():
    server = make_server(handler, kind="usermode")
    assert isinstance(server, UserModeServer)
    await server.stop(0)


async def test_http_sys_is_refused_where_there_is_none():
    with pytest.raises(UnsupportedError, match=NOT_HERE):
        make_server(handler, kind=HTTPSYS)
    with (
        pytest.raises(UnsupportedError, match=NOT_HERE),
        controlling("q", QueueMode.CREATE, [], kind=HTTPSYS),
    ):
        pass


WITHOUT_CFFI = """
import asyncio, sys
sys.modules["_cffi_backend"] = None
from hostler.errors import UnsupportedError
from hostler.server.choose import make_server

async def main():
    try:
        make_server(None, kind="httpsys")
    except UnsupportedError as error:
        print(error)

asyncio.run(main())
"""


def test_http_sys_without_cffi_is_refused_too():
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_CFFI], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert re.search(NOT_HERE, said)
    assert ("cffi" in said) == (sys.platform == "win32"), "installing it helps on Windows only"


# -- what is controlled -----------------------------------------------------------------------------------------------


def test_addresses_are_bound_and_let_go_of():
    with controlling(None, QueueMode.CREATE, [ANY], kind=USERMODE) as controlled:
        (prefix,), (bound,) = controlled.prefixes, controlled.sockets
        assert controlled.queue is None
        assert prefix.port == bound.getsockname()[1] != 0
        socket.create_connection(("127.0.0.1", prefix.port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", prefix.port))


@pytest.mark.parametrize("mode", [QueueMode.CREATE, QueueMode.CREATE_OR_ATTACH])
def test_a_queue_is_there_while_it_is_controlled(mode):
    with controlling("orders", mode, [], kind=USERMODE) as controlled:
        assert controlled.queue == "orders"
        assert QueueDirectory("orders").exists()
    assert not QueueDirectory("orders").exists()


def test_a_queue_that_is_attached_to_is_anothers():
    with controlling("orders", QueueMode.ATTACH, [], kind=USERMODE):
        assert not QueueDirectory("orders").exists()
    with pytest.raises(NoSuchQueueError):
        QueueDirectory("orders").open(QueueMode.ATTACH)


def test_a_queue_is_let_go_of_when_the_addresses_cannot_be_had():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wrong = UrlPrefix.parse(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        with pytest.raises(ListenError), controlling("orders", QueueMode.CREATE, [wrong], kind=USERMODE):
            pass
    assert not QueueDirectory("orders").exists()


@pytest.mark.parametrize("kind", list(ServerKind))
def test_a_wrong_name_is_refused_first(kind):
    with pytest.raises(QueueNameError), controlling("a/b", QueueMode.ATTACH, [], kind=kind):
        pass

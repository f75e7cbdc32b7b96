"""What the service manager is told, by the protocol of sd_notify(3)."""

import asyncio
import contextlib
import os
import socket
import sys
import time

import pytest

from hostler.processes.notifying import Notifier

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is not on Windows")


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """Whoever is told, and its address."""
    if request.param == "abstract" and not sys.platform.startswith("linux"):
        pytest.skip("abstract sockets are Linux'")
    name = str(tmp_path / "n") if request.param == "path" else f"@hostler-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0") if name.startswith("@") else name)
        sock.settimeout(5)
        yield sock, name


def told(sock):
    return sock.recv(4096).decode().split("\n")


async def test_it_is_told_of_a_life(manager):
    sock, name = manager
    notifier = Notifier.of_environment({"NOTIFY_SOCKET": name})
    with notifier.running("serving x"):
        assert told(sock) == ["READY=1", "STATUS=serving x"]
        before = time.monotonic_ns() // 1000
        done = []
        assert notifier.telling(lambda callback: done.append(callback) or True)()
        reloading, usec = told(sock)
        assert reloading == "RELOADING=1"
        assert before <= int(usec.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        done[0]()
        assert told(sock) == ["READY=1"]
    assert told(sock)[0] == "STOPPING=1"


async def test_the_watchdog_is_told_while_the_loop_turns(manager):
    sock, name = manager
    sock.settimeout(0)
    notifier = Notifier.of_environment({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"})
    with notifier.running("x"):
        said = [await asyncio.get_running_loop().sock_recv(sock, 99) for _ in range(4)]
        assert said[1:] == [b"WATCHDOG=1"] * 3


async def test_the_watchdog_of_another_process_is_left_alone(manager):
    sock, name = manager
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    with Notifier.of_environment(environ).running("x"):
        told(sock)
        await asyncio.sleep(0.01)
    assert told(sock)[0] == "STOPPING=1"


async def test_without_anybody_to_tell_nothing_is_told():
    with Notifier.of_environment({"WATCHDOG_USEC": "1000"}).running("x"):
        pass


async def test_a_manager_that_is_gone_is_a_warning(tmp_path, caplog):
    Notifier.of_environment({"NOTIFY_SOCKET": str(tmp_path / "none")}).ready()
    assert "the service manager cannot be told READY=1" in caplog.text


async def test_what_there_is_no_room_for_is_told_later(manager, caplog):
    sock, name = manager
    fill = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with fill, contextlib.suppress(BlockingIOError):
        fill.setblocking(False)
        while True:
            fill.sendto(b"x", sock.getsockname())
    sock.setblocking(False)
    notifier = Notifier.of_environment({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"})
    with notifier.running("x"):
        await asyncio.sleep(0.01)
        received = []
        while b"WATCHDOG=1" not in received:
            received.append(await asyncio.get_running_loop().sock_recv(sock, 99))
    said = [data for data in received if data != b"x"]
    assert said == [b"READY=1\nSTATUS=x", b"WATCHDOG=1"]
    assert caplog.text.count("the service manager cannot be told READY=1") == 1
    assert "WATCHDOG" not in caplog.text


@pytest.mark.parametrize("usec", ["²", "9" * 5000, "-1", "0"])
async def test_an_interval_that_is_none_is_no_watchdog(manager, usec):
    sock, name = manager
    with Notifier.of_environment({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": usec}).running("x"):
        told(sock)
    assert told(sock)[0] == "STOPPING=1"


async def test_a_manager_that_stays_away_is_said_once(tmp_path, caplog):
    environ = {"NOTIFY_SOCKET": str(tmp_path / "none"), "WATCHDOG_USEC": "2000"}
    with Notifier.of_environment(environ).running("x"):
        await asyncio.sleep(0.02)
    assert caplog.text.count("cannot be told") == 1


async def test_an_address_that_is_none_is_a_warning(caplog):
    Notifier.of_environment({"NOTIFY_SOCKET": "vsock:2:1234"}).ready()
    assert "is no path of a Unix socket" in caplog.text

"""Tests that leave something open, running or logged fail, on each event loop."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loops import LOOPS

ROOT = Path(__file__).parents[1]
CONFTEST = "from tests.conftest import *\n"
TESTS = """
import asyncio, logging, os, socket, subprocess, sys
import pytest

log = logging.getLogger("hostler.tests")
held = []

async def test_clean():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.close()
    await writer.wait_closed()
    server.close()

def test_socket():
    held.append(socket.create_server(("127.0.0.1", 0)))

def test_pipe():
    held.extend(os.pipe())

async def test_pair():
    held.extend(socket.socketpair())

async def test_transport():
    held.append(await asyncio.start_server(lambda *_: None, "127.0.0.1", 0))

async def test_task():
    held.append(asyncio.create_task(asyncio.sleep(100)))

async def test_retrieved():
    async def fail():
        raise LookupError("nobody asked")
    asyncio.create_task(fail())
    await asyncio.sleep(0)

async def test_callback():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)

def test_error():
    log.error("this is wrong")

def test_child():
    subprocess.run([sys.executable, "-c", "1 / 0"])

@pytest.mark.logs_errors("is wrong")
def test_announced():
    log.error("this is wrong")

@pytest.mark.logs_errors("is wrong", "is bad")
def test_announced_in_part():
    log.error("this is wrong")

@pytest.mark.leaves_open("because")
def test_announced_socket():
    held.append(socket.create_server(("127.0.0.1", 0)))

def test_caplog(caplog):
    log.error("this is wrong")
    assert caplog.messages == ["this is wrong"]

def test_caplog_callback(caplog):
    logging.getLogger("asyncio").error("Exception in callback")
"""
CLEAN = {"clean", "announced", "announced_socket", "caplog"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="open descriptors are listed in /proc")
@pytest.mark.parametrize("loop", LOOPS)
def test_a_test_fails_for_what_it_leaves_behind(loop, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-rA",
            "--loop",
            loop,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TESTS_PATIENCE": "0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    tests = set(re.findall(r"def test_(\w+)", TESTS))
    failed = set(re.findall(r"^(?:ERROR|FAILED) test_it.py::test_(\w+)", done.stdout, re.MULTILINE))
    assert tests - failed == CLEAN, done.stdout

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest

from hostler import serving
from hostler.cli import main
from hostler.demo.visits import Expected, visit


def demo(*args, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "hostler", "demo", *args],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_once(tmp_path):
    with demo("--once", TMPDIR=str(tmp_path)) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, ""), out
    assert out.count(" -> 200 ") == 8
    assert "GET /nowhere -> 404 " in out
    assert "WRONG" not in out
    assert " delegated to hostler-demo-" in out
    assert "1048576 B in" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *([] if sys.platform == "win32" else [signal.SIGHUP])], ids=lambda it: it.name
)
def test_until_a_signal(tmp_path, number):
    with demo("--url", "http://localhost:0/", TMPDIR=str(tmp_path)) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C stops"):
                break
        command = next(line for line in lines if "/delegated/hello" in line).split()
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert '"answered_by": "worker"' in answer
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "/delegated/hello 200 delegated to hostler-demo-" in out
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use(capsys, monkeypatch):
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", "untouched")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["demo", "--url", f"http://127.0.0.1:{port}/"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"hostler: cannot listen on http://127.0.0.1:{port}/: port {port} is in use; ")
    assert "--url" in err
    assert out == ""
    assert os.environ["HOSTLER_RUNTIME_DIR"] == "untouched"


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ((503, ""), "the status should be 200"),
        ((200, "hello"), "the answer should be JSON"),
        ((200, '{"process": 7}'), "process should be 1 or 2"),
    ],
)
async def test_wrong_answers_are_noticed(answer, complaint):
    async def wrong(exchange):
        await exchange.read(1 << 21)
        return await exchange.respond(*answer)

    said = []
    async with serving(wrong) as served:
        assert not await asyncio.to_thread(visit, served.url, Expected({1, 2}, {1, 2}), said.append)
    assert f"    WRONG: {complaint}\n" in "".join(said)
    assert "    WRONG: the status should be 404\n" in "".join(said)


async def test_a_connection_that_is_not_kept_is_noticed():
    async def closing(exchange):
        await exchange.read(1 << 21)
        return await exchange.respond(404, headers=[("connection", "close")])

    said = []
    async with serving(closing) as served:
        await asyncio.to_thread(visit, served.url, Expected((), ()), said.append)
    assert "WRONG: the connection was not kept" in "".join(said)


def test_no_server_is_noticed():
    said = []
    assert not visit("http://127.0.0.1:1", Expected((), ()), said.append)
    assert "GET /forwarded/hello -> ConnectionRefusedError" in said[1]

"""SIGHUP: a document is read again, workers are replaced; without a terminal that was there, the program stops."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys

import httpx
import pytest

from tests.end_to_end.programs import hostler, program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")

LOCAL = "http://127.0.0.1:0/"
ON_A_TERMINAL = """
import fcntl, os, signal, sys, termios
terminal = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.close(terminal)
if sys.argv[2] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "hostler", *sys.argv[3:]])
"""


@pytest.fixture
def write(tmp_path):
    """Write a document with routes that answer 503, and all else 404."""

    def write(*paths, **others):
        routes = {path: {"ClusterId": "c", "Match": {"Path": f"/{path}"}} for path in paths}
        document = {"ReverseProxy": {"Routes": routes, "Clusters": {"c": {}}}, **others}
        (tmp_path / "proxy.json").write_text(json.dumps(document))
        return tmp_path / "proxy.json"

    return write


async def status(url):
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(url)).status_code


async def test_a_document_is_read_again_whether_it_changed_or_not(write):
    async with hostler("run", write("a"), "--url", LOCAL, "--quiet") as proxy:
        url = await proxy.url()
        proxy.kill(signal.SIGHUP)
        await proxy.says(r"INFO hostler\.reload: .*/proxy\.json was applied: 1 route, 1 cluster$", "err")
        assert await status(f"{url}/b") == 404
        write("a", "b")
        proxy.kill(signal.SIGHUP)
        await proxy.says("was applied: 2 routes, 1 cluster$", "err")
        assert await status(f"{url}/b") == 503
        proxy.kill(signal.SIGTERM)
        assert await proxy.ends() == 0
        assert "Urls" not in proxy.errors


async def test_a_document_that_is_wrong_or_gone_changes_nothing(write):
    path = write("a")
    async with hostler("run", path, "--url", LOCAL, "--quiet") as proxy:
        url = await proxy.url()
        path.write_text("{")
        proxy.kill(signal.SIGHUP)
        await proxy.says("was not applied", "err")
        path.unlink()
        proxy.kill(signal.SIGHUP)
        await proxy.says("No such file", "err")
        assert await status(f"{url}/a") == 503


async def test_every_document_and_what_is_laid_over_it_is_read_again(write, tmp_path):
    path, other = write("a"), tmp_path / "other.yaml"
    other.write_text("ReverseProxy: {Routes: {b: {ClusterId: c, Match: {Path: /b}}}}")
    arguments = ("--environment", "Staging", "--url", LOCAL, "--quiet")
    async with hostler("run", path, other, *arguments) as proxy:
        url = await proxy.url()
        over = tmp_path / "proxy.Staging.json"
        over.write_text('{"ReverseProxy:Routes:a:Match:Path": "/moved"}')
        other.write_text("ReverseProxy: {Routes: {d: {ClusterId: c, Match: {Path: /d}}}}")
        proxy.kill(signal.SIGHUP)
        await proxy.says(rf"prevails: {path}, {over}, {other}$", "err")
        await proxy.says(rf"{path}, {other} was applied: 2 routes, 1 cluster$", "err")
        statuses = [await status(f"{url}/{name}") for name in ("a", "moved", "b", "d")]
        assert statuses == [404, 503, 404, 503]
        over.write_text('{"ReverseProxy:Routes:a:Order": "first"}')
        proxy.kill(signal.SIGHUP)
        await proxy.says(rf'{over}: line 1: Routes\.a\.Order: "first" is not an integer', "err")
        assert await status(f"{url}/moved") == 503


async def test_urls_that_cannot_be_followed_are_a_warning(write):
    async with hostler("run", write("a", Urls=LOCAL), "--quiet") as proxy:
        url = await proxy.url()
        write("a", Urls="http://127.0.0.1:1/")
        proxy.kill(signal.SIGHUP)
        await proxy.says(
            rf"WARNING .*proxy\.json: Urls are http://127\.0\.0\.1:1/ now and were {LOCAL}: .*restart", "err"
        )
        assert await status(f"{url}/a") == 503


async def test_a_program_with_nothing_to_reload_stops(write):
    async with hostler("serve", "worker_apps:app", "--workers", "0", "--url", LOCAL) as server:
        await server.url()
        server.kill(signal.SIGHUP)
        assert await server.ends() == 0
        assert server.errors == ""


async def test_workers_that_were_replaced_are_said():
    async with hostler("serve", "worker_apps:app", "--url", LOCAL) as server:
        await server.says("with 1 worker")
        server.kill(signal.SIGHUP)
        await server.says(r"INFO hostler\.reload: every worker was replaced: process \d+$", "err")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a terminal of its own, as Linux gives it")
@pytest.mark.parametrize("command", ["run", "serve"])
@pytest.mark.parametrize("how", ["plain", "nohup"])
async def test_a_terminal_that_is_gone_stops_what_was_not_told_to_outlive_it(write, command, how):
    arguments = ["run", write("a")] if command == "run" else ["serve", "worker_apps:app"]
    master, slave = pty.openpty()
    try:
        async with program(
            "-c", ON_A_TERMINAL, os.ttyname(slave), how, *arguments, "--url", LOCAL, "--quiet"
        ) as server:
            url = await server.url()
            if command == "serve":
                await server.says("with 1 worker")
            os.close(slave)
            slave = -1
            os.close(master)
            master = -1
            if how == "plain":
                assert await server.ends() == 0
                assert server.errors == ""
            else:
                assert await status(f"{url}/a") in {200, 503}
                server.kill(signal.SIGHUP)
                await server.says("was applied" if command == "run" else "every worker was replaced", "err")
    finally:
        for descriptor in (master, slave):
            if descriptor >= 0:
                os.close(descriptor)

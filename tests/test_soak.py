"""`python -m benchmarks.soak`: a short run of the real thing, and what its verdict makes of what it saw."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak.clients import Clients, Ending, Failed
from benchmarks.soak.disruption import ALL, Disruption
from benchmarks.soak.verdict import Report, Sample

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks processes up in /proc")


@pytest.mark.timeout(120)
def test_nothing_is_lost_while_processes_are_killed_stopped_and_replaced():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--seconds", "20", "--seed", "1"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert run.stdout.endswith("\nPASSED\n"), run.stdout + run.stderr
    assert (run.returncode, run.stderr) == (0, "")
    assert [name for name in ALL if name not in run.stdout] == []


@pytest.mark.timeout(60)
def test_every_request_is_answered_by_its_own_route_while_documents_are_replaced():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak.reloads", "--seconds", "5", "--routes", "50", "--connections", "8"],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert run.stdout.endswith("\nPASSED\n"), run.stdout + run.stderr
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--seconds", "0"], "0 is not within 1 and 3600"),
        (["--connections", "5000"], "5000 is not within 2 and 1000"),
        (["--only", "lightning"], "nothing is called lightning; there are worker killed, "),
    ],
)
def test_wrong_options_are_named(arguments, complaint):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert complaint in run.stderr


# -- the verdict ------------------------------------------------------------------------------------------------------


def report(*failed, done=(), samples=(), tracebacks=(), answered=(("delegated", 1), ("forwarded", 1))):
    clients = Clients(0, random.Random(0), dict(answered), list(failed))
    return Report(clients, list(done), list(samples), list(tracebacks))


def failed(route, ending, *, at=10.0, reused=False):
    return Failed(route, at, at + 0.1, ending, reused, "/path")


def done(name, at=10.0):
    return Disruption(name, at, at)


def test_a_run_in_which_all_was_answered_has_no_problems():
    assert list(report().problems()) == []


def test_a_run_in_which_nothing_was_answered_has():
    assert list(report(answered=()).problems()) == [
        "no forwarded request was answered",
        "no delegated request was answered",
    ]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("destination killed", failed("forwarded", Ending.STATUS)),
        ("destination's worker killed", failed("forwarded", Ending.BROKEN_OFF)),
        ("worker killed", failed("delegated", Ending.BROKEN_OFF)),
        ("worker killed", failed("delegated", Ending.UNANSWERED, reused=True)),
    ],
)
def test_what_a_kill_excuses_it_excuses_at_its_time_and_nothing_else_does(name, what):
    assert list(report(what, done=[done(name)]).problems()) == []
    assert len(report(what, done=[done(name, at=20.0)]).lost) == 1
    assert len(report(what, done=[done("workers replaced")]).lost) == 1


@pytest.mark.parametrize("name", [name for name in ALL if "killed" in name])
@pytest.mark.parametrize(
    "what",
    [
        failed("delegated", Ending.STATUS),
        failed("delegated", Ending.UNANSWERED),
        failed("delegated", Ending.WRONG),
        failed("delegated", Ending.STUCK),
        failed("forwarded", Ending.UNANSWERED),
        failed("forwarded", Ending.WRONG),
        failed("forwarded", Ending.STUCK),
    ],
)
def test_nothing_excuses_a_request_that_nobody_began_to_answer_or_a_wrong_answer(name, what):
    assert len(report(what, done=[done(name)]).lost) == 1


def test_losses_that_are_alike_are_one_problem():
    lost = [failed("delegated", Ending.STATUS)] * 3
    assert list(report(*lost, done=[done("workers replaced")]).problems()) == [
        "lost: 3 delegated, refused; workers replaced, after 0.100 s at most, the first /path"
    ]


def test_a_traceback_is_a_problem():
    assert list(report(tracebacks=["proxy-3"]).problems()) == ["a traceback in the log of proxy-3"]


def test_memory_and_descriptors_must_stay_flat_once_the_run_is_under_way():
    flat = [Sample(1000, 10)] + [Sample(40_000, 114)] * 29
    assert list(report(samples=flat).problems()) == []
    growing = [Sample(40_000 + 1000 * number, 114 + 4 * number) for number in range(30)]
    memory, descriptors = report(samples=growing).problems()
    assert memory.startswith("the proxy's memory grew from 48,500 to ")
    assert descriptors.startswith("the proxy's descriptors grew from 148 to ")


# -- the clients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (b"", Ending.UNANSWERED),
        (b"HTTP/1.1 200 OK\r\n", Ending.BROKEN_OFF),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf", Ending.BROKEN_OFF),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\n503", Ending.STATUS),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother", Ending.WRONG),
        (b"HTTP/1.1 200 OK\r\n\r\n", Ending.WRONG),
    ],
)
async def test_what_becomes_of_a_request_is_told(answer, ending):
    stopping = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        stopping.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        clients = Clients(server.sockets[0].getsockname()[1], random.Random(0))
        await clients.run("forwarded", stopping)
    assert [(item.route, item.ending, item.reused) for item in clients.failed] == [
        ("forwarded", ending, False)
    ]

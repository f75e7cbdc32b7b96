"""`python -m benchmarks`, run for real for a moment: the shape of its report, never speed."""

import importlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.found import results

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processor times come from /proc"),
    # a run starts every contender, one after the other, and is told how long to last
    pytest.mark.timeout(120),
]

OURS = (
    "direct,worker,hostler,hostler-asyncio,hostler-log,hostler-stage,hostler-delegate,hostler-serve,engine-hostler,"
    "engine-hostler-asyncio,engine-uvloop,engine-asyncio,import-asyncio,import-hostler"
)
TLS = ("tls", "tls-behind", "tls-resumed", "tls-hello", "engines")


def start(tmp_path, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    try:
        return process.communicate(timeout=100)
    except subprocess.TimeoutExpired:
        process.terminate()
        pytest.fail(f"the run did not end in time: {process.communicate(timeout=20)}")


def left_behind(tmp_path):
    """Return the processes that still have the run's temporary directory in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"TMPDIR={tmp_path}".encode() in environment.split(b"\0") and state != "Z":
            found.append(int(entry.name))
    return found


def table_of(output, case):
    """Return a case's rows: contender, and the columns behind it."""
    block = output.split(f"({case}). ")[1].split("\n\n")[1].splitlines()
    return {name: cells for name, *cells in (re.split(r" {2,}", line) for line in block[1:])}


def test_a_run_reports_what_each_contender_did(tmp_path):
    page, chart, found = (tmp_path / name for name in ("benchmarks.md", "benchmarks.svg", "found.json"))
    process = start(
        tmp_path, "--quick", "--seconds", "0.1", "--cases", "small,stage,log,post,new,delegated,hello,import",
        "--only", OURS, "--markdown", str(page), "--svg", str(chart), "--json", str(found),
    )  # fmt: skip
    output, errors = finish(process)
    assert process.returncode == 0, errors
    assert "FAILED" not in output
    for case, names in {
        "small": ("hostler",), "stage": ("hostler", "hostler, coroutine stage"), "log": ("hostler, access log",),
        "post": ("hostler",), "new": ("hostler",), "hello": ("hostler, serving",), "import": ("import hostler",),
        "delegated": ("the worker, no proxy", "hostler, delegating"),
    }.items():  # fmt: skip
        rows = table_of(output, case)
        assert all(float(rows[name][0]) > 0 for name in names), rows
    delegating = table_of(output, "delegated")["hostler, delegating"]
    assert all(float(cell) > 0 for cell in delegating[:3]), (
        "processor time is that of the proxy and of the worker"
    )
    assert re.search(r"^`import hostler`, ms .* \d+ (met|missed)$", output, re.MULTILINE)
    assert page.read_text().startswith("# Benchmarks\n")
    assert "](benchmarks.svg)" in page.read_text()
    assert chart.read_text().startswith("<svg ")
    assert set(json.loads(found.read_text())["cases"]) >= {"small", "delegated"}
    assert left_behind(tmp_path) == []
    assert set(tmp_path.iterdir()) == {page, chart, found}


def test_a_run_over_tls(tmp_path):
    process = start(
        tmp_path, "--quick", "--seconds", "0.1", "--load", "own", "--cases", ",".join(TLS), "--only", OURS
    )
    output, errors = finish(process)
    assert process.returncode == 0, errors
    assert "FAILED" not in output
    for case in TLS:
        rows = table_of(output, case)
        assert len(rows) >= (4 if case == "engines" else 1), rows
        assert all(float(cells[0]) >= 0 for cells in rows.values()), rows


def test_an_interrupt_stops_every_process(tmp_path):
    process = start(tmp_path, "--seconds", "30", "--cases", "delegated", "--only", "worker,hostler-delegate")
    assert process.stderr is not None
    assert process.stderr.readline() == "delegated: warming up\n"
    assert len(left_behind(tmp_path)) >= 3
    process.send_signal(signal.SIGINT)
    _, errors = finish(process)
    assert process.returncode == 130, errors
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_peers_that_are_not_installed_are_named_and_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    command = importlib.import_module("benchmarks.__main__")
    monkeypatch.setattr("benchmarks.processes.find", lambda program: None)
    monkeypatch.setattr("benchmarks.rounds.find", lambda program: None)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "aiohttp" else found(name, *rest)
    )
    only = "nginx,haproxy,aiohttp,hostler"
    assert command.main(["--seconds", "0.1", "--rounds", "1", "--cases", "small", "--only", only]) == 0
    output = capsys.readouterr().out
    for peer in ("nginx", "HAProxy", "aiohttp"):
        assert f"left out: {peer}: {peer.lower()} is not installed" in output
    assert (
        "left out: nginx as the destination: nginx is not installed, a small server in Python stands in"
        in output
    )
    assert "FAILED" not in output
    assert set(table_of(output, "small")) - {"hostler, pure"} == {"hostler"}
    assert "not measured" in output
    assert left_behind(tmp_path) == []


def test_what_an_earlier_run_found_is_reported_again(tmp_path):
    found, page = tmp_path / "found.json", tmp_path / "page.md"
    found.write_text(results(small={"nginx": 10, "hostler": 14}).to_json())
    process = start(tmp_path, "--from", str(found), "--markdown", str(page))
    output, errors = finish(process)
    assert process.returncode == 0, errors
    assert table_of(output, "small")["hostler"][-2] == "1.40"
    assert "| hostler | 1.40 |" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--only", "apache"], "no contender apache; there are direct, worker, nginx"),
        (["--cases", "small,huge"], "no case huge; there are small, stage"),
        (["--seconds", "3600"], "3600 is not within 0.1 and 60"),
        (["--rounds", "0"], "0 is not within 1 and 50"),
        (["--against", "no-such-revision"], "'no-such-revision' is no revision"),
    ],
)
def test_wrong_options_are_named(tmp_path, arguments, complaint):
    process = start(tmp_path, *arguments)
    _, errors = finish(process)
    assert process.returncode == 2
    assert complaint in errors

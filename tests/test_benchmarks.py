"""A smoke run of `python -m benchmarks`: the shape of its report, never speed."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processor times come from /proc"),
    pytest.mark.timeout(
        120
    ),  # a run starts every contender, one after the other, and is told how long to last
]

ALWAYS = [
    "the destination, no proxy",
    "hostler, forwarding",
    "hostler, forwarding, access log",
    "the worker, no proxy",
    "hostler, delegating to it",
]
NUMBER = r"[\d,]*[1-9][\d,]*(?:\.\d+)?|0\.\d+|0\.0|0"


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
    block = output.split(f"{case}, ")[1].split("\n\n")[1].splitlines()
    return {name: cells for name, *cells in (re.split(r" {2,}", line) for line in block[1:])}


def test_a_run_reports_every_contender_and_every_aim(tmp_path):
    page = tmp_path / "benchmarks.md"
    process = start(tmp_path, "--seconds", "0.1", "--rounds", "1", "--markdown", str(page))
    output, errors = finish(process)
    assert process.returncode == 0, errors
    assert "FAILED" not in output
    for case in ("small answer", "1 MiB answer"):
        rows = table_of(output, case)
        assert set(ALWAYS) <= set(rows), output
        for name, cells in rows.items():
            assert len(cells) == 8, (name, cells)
            assert all(re.fullmatch(NUMBER, cell) for cell in (cells[0], *cells[2:4])), (name, cells)
        assert rows["hostler, forwarding"][4] != "-"
        assert rows["hostler, delegating to it"][5] != "-"
        assert rows["the worker, no proxy"][4] == "-"
    verdicts = re.findall(r" (MET|MISSED|NOT MEASURED)$", output, re.MULTILINE)
    assert len(verdicts) == 4
    text = page.read_text()
    assert text.startswith("# Benchmarks\n")
    assert "\n## Small answer\n" in text
    assert "\n## 1 MiB answer\n" in text
    assert len(re.findall(r"^\| .* (?:MET|MISSED|NOT MEASURED) \|$", text, re.MULTILINE)) == 4
    assert f"Python {sys.version.split()[0]}" in text
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == [page]


def test_an_interrupt_stops_every_process(tmp_path):
    process = start(tmp_path, "--seconds", "30", "--only", "hostler,worker,hostler-delegate")
    assert process.stderr is not None
    assert process.stderr.readline() == "warming up\n"
    assert len(left_behind(tmp_path)) >= 4
    process.send_signal(signal.SIGINT)
    _, errors = finish(process)
    assert process.returncode == 130, errors
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_peers_that_are_not_installed_are_named_and_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    command = importlib.import_module("benchmarks.__main__")
    monkeypatch.setattr("benchmarks.processes.find", lambda program: None)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "aiohttp" else found(name, *rest)
    )
    wanted = "nginx,haproxy,aiohttp,hostler,nginx-worker,hostler-delegate"
    assert command.main(["--seconds", "0.1", "--rounds", "1", "--only", wanted]) == 0
    output = capsys.readouterr().out
    for peer in ("nginx", "haproxy", "aiohttp", "h2load", "wrk"):
        assert re.search(rf"^left out: .*\b{peer} is not installed", output, re.MULTILINE), peer
    assert "our own load generator" in output
    assert "FAILED" not in output
    assert set(table_of(output, "small answer")) == {"hostler, forwarding", "hostler, delegating to it"}
    assert len(re.findall(r" NOT MEASURED$", output, re.MULTILINE)) == 4
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--only", "apache"], "no contender apache"),
        (["--seconds", "3600"], "3600 is not within 0.1 and 60"),
        (["--rounds", "0"], "0 is not within 1 and 50"),
    ],
)
def test_wrong_options_are_named(tmp_path, arguments, complaint):
    process = start(tmp_path, *arguments)
    _, errors = finish(process)
    assert process.returncode == 2
    assert complaint in errors

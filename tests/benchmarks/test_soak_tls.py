"""`python -m benchmarks.soak.tls`, in small: that each attack runs to its end beside a client that is served."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory comes from /proc"),
    # each attack is a process, twice
    pytest.mark.timeout(60),
]


def soak(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.soak.tls", *arguments],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def test_attacks_are_reported_with_what_a_client_waited_and_what_memory_there_was():
    done = soak("--scale", "0.02", "--only", "resumptions,one-byte-records,no-tls")
    lines = done.stdout.splitlines()
    assert len(lines) >= 7, done.stderr
    assert lines[0].startswith("resumptions, 2,000, first: ")
    assert all(" on a kept connection, " in line and " KiB before, " in line for line in lines[:6])
    assert "the attack itself failed" not in done.stdout
    assert lines[-1] in {"PASSED", "FAILED"}  # a busy machine may have the client wait


def test_an_attack_that_there_is_none_of_is_named():
    done = soak("--only", "heartbleed")
    assert done.returncode == 2
    assert "--only: nothing is called heartbleed; there are half-open" in done.stderr

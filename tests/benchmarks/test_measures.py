"""What is measured in other ways than by requests over and over, each for a moment and in small."""

import sys

import pytest
from attrs import evolve

from benchmarks.builds import Lineup, installed
from benchmarks.cases import CASES
from benchmarks.figures import FAILED, IN_FORCE, MEMORY, SLOWEST, UNDISTURBED, USED, WALL
from benchmarks.rounds import Runner

pytestmark = [
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="memory and processor time come from /proc"
    ),
    # processes are started and stopped, one after the other
    pytest.mark.timeout(60),
]


def measure(tmp_path, name, contender, **changes):
    case = evolve(CASES[name], contenders=(contender,), reference=contender, **changes)
    runner = Runner(tmp_path, Lineup((installed(),)), frozenset([contender]), rounds=1, seconds=0.2)
    (found,) = runner.run(case)[:1]
    assert found.trouble == ""
    return lambda figure: found.spread(figure).median


def test_a_connection_at_rest_takes_some_memory(tmp_path):
    value = measure(tmp_path, "memory", "hostler", connections=300)
    assert 0 < value(MEMORY) < 100


def test_a_tls_connection_at_rest_takes_more(tmp_path):
    value = measure(tmp_path, "tls-memory", "hostler", connections=100)
    assert 5 < value(MEMORY) < 200


def test_a_reload_is_in_force_after_a_while_and_fails_no_request(tmp_path):
    value = measure(tmp_path, "reload", "hostler-run", routes=50, path="/route-25/small", connections=4)
    assert 0 < value(IN_FORCE) < 20_000
    assert value(SLOWEST) > 0
    assert value(UNDISTURBED) > 0
    assert value(FAILED) == 0


def test_an_import_takes_time(tmp_path):
    value = measure(tmp_path, "import", "import-hostler")
    assert value(WALL) > 0
    assert value(USED) > 0


def test_a_start_takes_until_connections_are_taken(tmp_path):
    value = measure(tmp_path, "run", "hostler-run")
    assert value(WALL) > 10


def test_a_case_that_needs_more_files_than_there_may_be_is_left_out(tmp_path):
    runner = Runner(tmp_path, Lineup((installed(),)), frozenset(["nginx"]), rounds=1, seconds=0.1)
    assert runner.run(evolve(CASES["5000"], connections=10_000_000)) == []
    (reason,) = runner.left_out
    assert reason.startswith("5,000 connections: it takes 20000200 open files, the limit is ")

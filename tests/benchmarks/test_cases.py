"""The cases, the roster and the aims fit each other."""

import math

import pytest

from benchmarks.aims import AIMS
from benchmarks.cases import ANSWERS, CASES, Builds, Case, Measure, body_of
from benchmarks.contenders.roster import ROSTER
from benchmarks.figures import Spread
from benchmarks.load.h2load import H2Load
from tests.benchmarks.found import results


@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_a_case_names_contenders_that_there_are(case: Case):
    assert set(case.contenders) <= set(ROSTER)
    assert case.reference in case.contenders
    assert any(ROSTER[name].ours for name in case.contenders)
    if case.measure not in {Measure.START, Measure.MESSAGES}:
        assert case.target in ANSWERS


def test_a_description_says_what_is_done():
    assert CASES["small"].description == (
        "32 kept-alive connections, 10 request headers, 45 bytes in the answer."
    )
    assert CASES["headers"].description.startswith("32 kept-alive connections, 40 request headers")
    assert CASES["up-1m"].description.startswith("16 kept-alive connections, 1 MiB in the request")
    assert CASES["new"].description.startswith("32 at a time, a new connection for each request")
    assert CASES["tls"].description.startswith("32 kept-alive connections over TLS, 10 request headers")
    assert "each resuming a session" in CASES["tls-resumed"].description
    assert "each a full handshake" in CASES["tls-new"].description
    assert CASES["tls-memory"].description.startswith("TLS connections that were answered once")
    assert CASES["tls-behind"].description.endswith("The destination's connections are encrypted too.")
    assert CASES["websocket"].description == "Messages of 44 bytes, 32 kept-alive connections."
    assert CASES["5000"].description.startswith("5,000 kept-alive connections")


@pytest.mark.parametrize("path", ["/small", "/1k", "/64k"])
def test_a_body_is_as_long_as_the_case_says(path):
    assert len(body_of(path)) == ANSWERS[path]


def test_h2load_is_for_kept_alive_connections_that_are_few():
    can = {name for name, case in CASES.items() if H2Load.can(case)}
    assert {"small", "post", "down-100m", "delegated", "hello"} <= can
    assert can.isdisjoint({"new", "delegated-new", "5000", "websocket", "memory", "reload", "import"})


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: aim.text)
def test_an_aim_is_measured_by_the_cases_that_there_are(aim):
    assert aim.case in CASES
    case = CASES[aim.case]
    values = dict.fromkeys((*case.contenders, "hostler-pure"), 2.0)
    found = results(
        **{
            f"case-{aim.case}": values,
            "case-small": dict.fromkeys((*CASES["small"].contenders, "hostler-pure"), 2.0),
        }
    )
    assert not math.isnan(aim.measured(found)), aim.text
    assert aim.met(found) is not None
    assert aim.met(results()) is None


def test_what_every_python_is_asked_for_is_what_the_aims_are_about():
    assert {name for name, case in CASES.items() if case.builds is Builds.ALL} == {
        "small", "stage", "delegated", "hello", "import", "run",
    }  # fmt: skip


def test_a_spread_is_of_what_is_known():
    assert Spread.of([3.0, 1.0, math.nan, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert math.isnan(Spread.of([math.nan]).median)

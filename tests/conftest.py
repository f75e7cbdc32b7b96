"""What holds for every test: its event loop, and what it must not leave behind or have logged."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import signal

import pytest

from tests.complaints import complaints, judge
from tests.leftovers import await_closed, open_descriptors, wait_closed
from tests.loops import LOOPS, on_one_loop

pytest_asyncio_loop_factories = on_one_loop

MARKERS = [
    "logs_errors(pattern, ..., sometimes=False): what errors the test has logged; each must be, unless sometimes",
    "leaves_open(reason): the test leaves something open or running, for that reason",
]


def pytest_addoption(parser):
    parser.addoption(
        "--loop", choices=sorted(LOOPS), help="run every asynchronous test on this event loop only"
    )


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    logging.getLogger().addHandler(complaints)
    _hear_hangups_in_programs()


def _hear_hangups_in_programs():
    """Have the programs that tests start hear SIGHUP, also where all of this runs under nohup, and goes on."""
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(
            signal.SIGHUP, lambda *_: None
        )  # what is ignored is inherited, what has a handler is not


def pytest_unconfigure():
    logging.getLogger().removeHandler(complaints)


def pytest_collection_finish():
    """Have event loops make what they keep for good; keep modules out of the garbage collection after each test."""
    for make in LOOPS.values():
        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(asyncio.sleep(0))
    gc.collect()
    gc.freeze()


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A runtime directory of the test's own, for its queues; hostler makes it."""
    path = tmp_path / "run"
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(path))
    return path


@pytest.fixture(autouse=True)
def nothing_stays_open(request):
    """Fail a test that leaves something open when its event loop is gone, or for that it is garbage."""
    before = open_descriptors()
    yield
    if request.node.get_closest_marker("leaves_open") is None:
        if isinstance(request.node, pytest.Function) and inspect.iscoroutinefunction(request.node.obj):
            gc.collect()
        if left := wait_closed(before):
            pytest.fail("left open:\n" + "\n".join(left), pytrace=False)


@pytest.fixture
async def nothing_stays_open_in_the_loop(request):
    """Fail a test that leaves something open or running in its event loop."""
    before = open_descriptors()
    yield
    if request.node.get_closest_marker("leaves_open") is None and (left := await await_closed(before)):
        pytest.fail("left open or running:\n" + "\n".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def nothing_is_left(request, nothing_stays_open):
    if inspect.iscoroutinefunction(request.node.obj):
        request.getfixturevalue("nothing_stays_open_in_the_loop")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Fail a test for whose sake an error is logged that it does not announce; `caplog` announces hostler's own."""
    report = yield
    if report.when == "teardown":
        for name, text in report.sections:
            if name.startswith("Captured stderr"):
                complaints.hear(text)
        texts = complaints.take()
        if "caplog" in item.fixturenames:
            texts = [text for text in texts if not text.startswith("ERROR hostler.")]
        if report.passed and (verdict := judge(texts, list(item.iter_markers("logs_errors")))):
            report.outcome, report.longrepr = "failed", verdict
    return report

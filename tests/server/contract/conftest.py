"""Every test of the suite runs against every server; what one cannot do is skipped there by name."""

from __future__ import annotations

import pytest

from tests.server.contract.backends import BACKENDS


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(ability, ...): what the test needs of a server (ABILITIES)")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Start what a server keeps for all tests before it is noted what is open."""
    backend = item.callspec.params.get("backend") if hasattr(item, "callspec") else None
    if backend is not None:
        backend.start()


@pytest.fixture(params=BACKENDS, ids=[backend.name for backend in BACKENDS])
def backend(request):
    for mark in request.node.iter_markers("needs"):
        for ability in mark.args:
            if ability in request.param.cannot:
                pytest.skip(f"{request.param.name} has no {ability}: {request.param.cannot[ability]}")
    return request.param


@pytest.fixture
async def machine(backend, tmp_path):
    async with backend.machine(tmp_path) as machine:
        yield machine


def pytest_unconfigure():
    for backend in BACKENDS:
        backend.close()

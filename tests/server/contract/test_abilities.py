"""The suite itself: what servers cannot do is named, explained, and only what some test needs."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.server.contract.abilities import ABILITIES, NEEDED
from tests.server.contract.backends import BACKENDS
from tests.server.contract.fake import FAKES
from tests.server.contract.handlers import HANDLERS
from tests.server.contract.usermode import UserMode, UserModeTls
from tests.server.contract.wine import Wine

TESTS = sorted(Path(__file__).parent.glob("test_*.py"))


@pytest.fixture(autouse=True, scope="module")
def collected():
    """Have every module of the suite say what it needs, also when it alone is not run."""
    for path in TESTS:
        importlib.import_module(f"{__package__}.{path.stem}")


SERVERS = (UserMode(), UserModeTls(), *FAKES, Wine(wrapper=""))
"""All servers, also one that is not there today."""


def test_the_abilities_are_those_that_tests_need():
    assert set(ABILITIES) == NEEDED


def test_the_abilities_are_those_that_some_server_lacks():
    assert set(ABILITIES) == set().union(*(server.cannot for server in SERVERS))


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_what_a_server_lacks_has_a_reason(server):
    assert all(server.cannot.values())


def test_every_server_that_is_run_is_one_of_them():
    assert {backend.name for backend in BACKENDS} <= {server.name for server in SERVERS}


@pytest.mark.parametrize("name", HANDLERS)
def test_every_handler_is_asked_for(name):
    assert any(f'"{name}"' in path.read_text() for path in TESTS)

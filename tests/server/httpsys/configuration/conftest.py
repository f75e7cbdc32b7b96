"""The machine of these tests, as an administrator changes its configuration."""

import pytest

from hostler.server.httpsys.configuration.store import open_store
from tests.server.httpsys.conftest import machine

__all__ = ["machine"]


@pytest.fixture
def windows(machine):
    return machine.process(user="ann", administrator=True)


@pytest.fixture
def store(machine, windows):
    machine.reserve({})
    with open_store(windows) as store:
        yield store
    assert windows.alive() == {}

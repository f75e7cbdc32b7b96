"""A machine, a program on it and a client of it, for the tests of the model itself."""

import pytest

from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import Program


@pytest.fixture
def machine():
    """A machine with HTTP.sys; at the end nothing must have been done wrong."""
    made = Machine()
    yield made
    made.close()
    assert made.defects == []


@pytest.fixture
def program(machine):
    return Program(machine)


@pytest.fixture
def client(machine):
    return machine.client(remote=("192.0.2.7", 51000))

"""The machine of these tests."""

import pytest

from tests.server.httpsys.model.machine import Machine


@pytest.fixture
def machine():
    """A machine with HTTP.sys; at the end nothing must have been done wrong, and nothing be left."""
    machine = Machine()
    yield machine
    alive = machine.alive()
    machine.close()
    assert machine.defects == []
    assert alive == {}

"""What this Windows can is asked of Windows, and whatever cannot be asked it cannot."""

import pytest

from hostler.server.httpsys.features import Features
from tests.server.httpsys.model.machine import Machine


@pytest.fixture
def make():
    """Make a process on a machine of some version."""
    machines = []

    def make(version, missing=frozenset()):
        machines.append(Machine(version=version))
        return machines[-1].process(missing=missing)

    yield make
    for machine in machines:
        machine.close()
        assert machine.defects == []


@pytest.mark.parametrize(
    ("version", "delegation", "trailers"),
    [("2016", False, False), ("2019", True, False), ("2022", True, True), ("new", True, True)],
)
def test_each_windows_says_what_it_can(make, version, delegation, trailers):
    assert Features.of(make(version)) == Features(delegation=delegation, trailers=trailers)


@pytest.mark.parametrize(
    ("missing", "features"),
    [
        ({"HttpIsFeatureSupported"}, Features(delegation=False, trailers=False)),
        ({"HttpDelegateRequestEx"}, Features(delegation=False, trailers=True)),
    ],
)
def test_what_is_not_exported_is_not_there(make, missing, features):
    assert Features.of(make("new", missing)) == features


def test_what_windows_says_counts_and_not_its_exports(make):
    windows = make("new")
    windows.fail("HttpIsFeatureSupported", 0, times=2)
    assert Features.of(windows) == Features(delegation=False, trailers=False)

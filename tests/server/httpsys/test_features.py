"""What this Windows can is asked of Windows, and whatever cannot be asked it cannot."""

import pytest

from hostler.errors import UnsupportedError
from hostler.server.httpsys import library
from hostler.server.httpsys.constants import Initialize
from hostler.server.httpsys.features import Features
from hostler.server.httpsys.server import HttpSysServer
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.served import served


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


async def hello(exchange):
    return await exchange.respond(200, "hello")


def asked(windows):
    """Begin to use the API, ask, and end."""
    library.begin(windows)
    try:
        return Features.of(windows)
    finally:
        library.end(windows)


@pytest.mark.parametrize(
    ("version", "delegation", "trailers"),
    [("2016", False, False), ("2019", True, False), ("2022", True, True), ("new", True, True)],
)
def test_each_windows_says_what_it_can(make, version, delegation, trailers):
    assert asked(make(version)) == Features(delegation=delegation, trailers=trailers)


def test_a_windows_that_is_asked_too_early_can_do_nothing(make):
    assert Features.of(make("new")) == Features(delegation=False, trailers=False)


@pytest.mark.parametrize(
    ("missing", "features"),
    [
        ({"HttpIsFeatureSupported"}, Features(delegation=False, trailers=False)),
        ({"HttpDelegateRequestEx"}, Features(delegation=False, trailers=True)),
    ],
)
def test_what_is_not_exported_is_not_there(make, missing, features):
    assert asked(make("new", missing)) == features


def test_what_windows_says_counts_and_not_its_exports(make):
    windows = make("new")
    windows.fail("HttpIsFeatureSupported", 0, times=2)
    assert asked(windows) == Features(delegation=False, trailers=False)


async def test_a_server_asks_when_it_has_begun_and_ends_as_it_began(make):
    windows = make("new")
    async with served(windows, hello, urls=["http://localhost:8080/"]) as server:
        assert server.can_delegate
        calls = [call.function for call in windows.calls]
        assert calls.index("HttpInitialize") < calls.index("HttpIsFeatureSupported")
    flags = Initialize.SERVER | Initialize.CONFIG
    begun = [call for call in windows.calls if call.function == "HttpInitialize"]
    ended = [call for call in windows.calls if call.function == "HttpTerminate"]
    assert {call.arguments[-2] for call in begun} == {call.arguments[0] for call in ended} == {flags}
    assert len(begun) == len(ended)
    assert windows.calls[-1].function == "HttpTerminate"
    assert windows.alive() == {}


async def test_a_windows_whose_http_service_does_not_run_says_what_to_do(make):
    windows = make("new")
    windows.fail("HttpInitialize", 1058)
    with pytest.raises(UnsupportedError, match=r"HttpInitialize: .*1058.*net start http.*--server usermode"):
        HttpSysServer(hello, windows=windows)
    assert windows.alive() == {}


async def test_a_server_that_never_listened_lets_go_when_it_stops(make):
    windows = make("new")
    server = HttpSysServer(hello, windows=windows)
    assert windows.alive() == {"HttpInitialize": 1}
    await server.stop(0)
    await server.stop(0)
    assert windows.alive() == {}

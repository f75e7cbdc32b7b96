"""The private parts of asyncio's Proactor: what they must look like, and the probe that goes through them."""

import asyncio

import pytest

from hostler.errors import UnsupportedError
from hostler.windows import proactor as subject
from hostler.windows.constants import ErrorCode
from hostler.windows.proactor import find_iocp, make_port, probe
from tests.server.httpsys.served import FakeProactor


class DeafProactor(FakeProactor):
    """One that looks as it should, and loses packets."""

    def _poll(self, address, size):
        pass


@pytest.fixture(params=[FakeProactor])
async def proactor(request, machine):
    """The running loop's Proactor."""
    loop = asyncio.get_running_loop()
    proactor = loop._proactor = request.param(machine.process(), loop)
    yield proactor
    await proactor.close()
    loop._proactor = None


deaf = pytest.mark.parametrize("proactor", [DeafProactor], indirect=True)


@pytest.fixture
def unanswered(monkeypatch):
    """The probes whose packet may still come."""
    kept = []
    monkeypatch.setattr(subject, "_unanswered", kept)
    return kept


def made_of(**parts):
    return type("Proactor", (), parts)()


@pytest.mark.parametrize(
    ("proactor", "reason"),
    [
        (None, r"the event loop, a \w+, has no Proactor"),
        (made_of(_cache={}), "no completion port in _iocp, but None"),
        (made_of(_iocp="x", _cache={}), "no completion port in _iocp, but 'x'"),
        (made_of(_iocp=4), "no mapping in _cache, but None"),
        (made_of(_iocp=4, _cache=[]), r"no mapping in _cache, but \[\]"),
        (made_of(_iocp=4, _cache={1: ("future", "overlapped", "object")}), "another kind of entry in _cache"),
        (
            made_of(_iocp=4, _cache={1: ("future", "overlapped", "object", 4)}),
            "another kind of entry in _cache",
        ),
        (made_of(_iocp=4, _cache={1: "future"}), "another kind of entry in _cache: 'future'"),
    ],
)
async def test_parts_that_do_not_look_as_expected_are_named_and_nothing_is_posted(machine, proactor, reason):
    loop = asyncio.get_running_loop()
    loop._proactor = proactor
    windows = machine.process()
    with pytest.raises(UnsupportedError, match=reason):
        find_iocp(loop)
    with pytest.raises(UnsupportedError, match=reason):
        await probe(windows, loop)
    with pytest.raises(UnsupportedError, match=reason):
        make_port(windows, loop, use_proactor=True)
    loop._proactor = None


async def test_a_probe_that_comes_through_leaves_nothing(proactor):
    loop = asyncio.get_running_loop()
    proactor._cache[1] = (loop.create_future(), None, None, print)  # as asyncio's own for its wake-up
    await probe(proactor.windows, loop)
    assert list(proactor._cache) == [1]
    del proactor._cache[1]


@deaf
async def test_a_probe_that_does_not_come_is_withdrawn_and_keeps_its_memory(proactor, unanswered):
    with pytest.raises(UnsupportedError, match=r"did not come within 0\.01 s"):
        await probe(proactor.windows, asyncio.get_running_loop(), patience=0.01)
    assert proactor._cache == {}
    assert len(unanswered) == 1


@deaf
async def test_a_probe_that_is_cancelled_is_withdrawn_too(proactor, unanswered):
    probing = asyncio.create_task(probe(proactor.windows, asyncio.get_running_loop()))
    while not proactor._cache:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert proactor._cache == {}
    assert len(unanswered) == 1


async def test_a_port_that_takes_no_packet_is_not_used(proactor):
    proactor.windows.fail("PostQueuedCompletionStatus", ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
    with pytest.raises(UnsupportedError, match="ERROR_NO_SYSTEM_RESOURCES"):
        await probe(proactor.windows, asyncio.get_running_loop())
    assert proactor._cache == {}

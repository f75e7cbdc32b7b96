"""The private parts of asyncio's Proactor that `completion="auto"` looks at and probes, as this CPython has them."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hostler.doctor.context import Context
from hostler.doctor.event_loop import examine_event_loop
from hostler.doctor.finding import Verdict
from hostler.errors import UnsupportedError
from hostler.server.httpsys.completions import may_use_proactor
from hostler.server.options.httpsys import Completion
from hostler.windows.proactor import find_iocp, probe


def run(function, loop_factory=asyncio.ProactorEventLoop, *, debug=False):
    """Run a coroutine function that gets the loop."""

    async def main():
        return await function(asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=loop_factory, debug=debug) as runner:
        return runner.run(main())


@pytest.mark.parametrize("debug", [False, True])
def test_a_probe_comes_through_and_leaves_the_loop_as_it_was(windows, debug):
    async def main(loop):
        cache = loop._proactor._cache
        await asyncio.sleep(0)
        for _ in range(3):
            before = set(cache)
            await probe(windows, loop, patience=10)
            assert set(cache) == before
        return find_iocp(loop)

    assert run(main, debug=debug) > 0


def test_asyncios_own_entries_are_looked_at(windows):
    """A loop that runs always has one, so that another kind of entry is seen before a packet is posted."""

    async def main(loop):
        await asyncio.sleep(0)
        address = next(iter(loop._proactor._cache))
        entry = loop._proactor._cache[address]
        loop._proactor._cache[address] = (*entry, "more")
        try:
            with pytest.raises(UnsupportedError, match="another kind of entry"):
                await probe(windows, loop)
        finally:
            loop._proactor._cache[address] = entry

    run(main)


@pytest.mark.parametrize(
    ("loop_factory", "chosen"), [(asyncio.ProactorEventLoop, True), (asyncio.SelectorEventLoop, False)]
)
def test_auto_takes_the_port_of_the_loop_that_has_one(windows, loop_factory, chosen, caplog):
    caplog.set_level(logging.INFO, "hostler.server.httpsys")
    assert run(lambda loop: may_use_proactor(windows, loop, Completion.AUTO), loop_factory) is chosen
    (said,) = caplog.messages
    assert said.startswith(
        f"completions of HTTP.sys: by {'the event loop' if chosen else 'a thread, because '}"
    )


def test_the_examination_says_so_too(windows):
    _, found = examine_event_loop(Context(windows=windows))
    assert (found.what, found.verdict) == ("completions of HTTP.sys", Verdict.OK)

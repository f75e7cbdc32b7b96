"""How a program is asked to stop: once gracefully, twice at once."""

from __future__ import annotations

import os
import signal

import anyio
import pytest
from anyio.lowlevel import checkpoint

from hostler.loaders import HandlerLoader
from hostler.processes.foreground import run_until_stopped
from hostler.processes.loop import run_loop
from hostler.processes.signals import stop_signals
from hostler.server.prefix import UrlPrefix
from hostler.service import Service, parse_prefixes


def kill(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_ends_the_waiting(number):
    with stop_signals() as stop:
        kill(number)
        with anyio.fail_after(5):
            stop._waited = True
            await stop.wait()
        kept_on = True
    assert kept_on
    assert stop.status == 0


async def test_the_second_cancels_what_follows():
    with stop_signals() as stop:
        stop._waited = True
        kill(signal.SIGTERM)
        await stop.wait()
        kill(signal.SIGINT)
        with anyio.fail_after(5):
            await anyio.sleep_forever()
    assert stop.status == 128 + signal.SIGINT


async def test_before_anybody_waits_the_first_cancels():
    with stop_signals() as stop:
        kill(signal.SIGTERM)
        with anyio.fail_after(5):
            await anyio.sleep_forever()
    assert stop.status == 0


async def test_handlers_are_as_they_were_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(signal.SIGTERM) as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
        stop.request()
        await checkpoint()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_handler_runs_until_it_is_stopped(capsys):
    class Signalled:
        """A handler that is asked to stop as soon as it has started."""

        async def __call__(self, exchange):
            raise NotImplementedError

        stopped = False

    async def main():
        async with anyio.create_task_group() as group:

            async def stop_when_it_listens():
                while "listening on" not in (seen := capsys.readouterr().out):
                    await checkpoint()
                assert UrlPrefix.parse(seen.split()[-1]).port
                kill(signal.SIGTERM)

            group.start_soon(stop_when_it_listens)
            return await run_until_stopped(
                Service(loader=HandlerLoader(Signalled()), prefixes=parse_prefixes(["http://127.0.0.1:0/"]))
            )

    assert run_loop(main) == 0

"""The pipe between a supervisor and a worker, both ends in this process."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading

import pytest

from hostler.processes.pipe import Command, SupervisorPipe


@pytest.fixture
def ends():
    supervisors, workers = multiprocessing.Pipe()
    with supervisors, workers:
        yield supervisors, workers


class Heard:
    """What a worker hears."""

    def __init__(self):
        self._heard = asyncio.Queue()

    def __call__(self, command):
        assert threading.current_thread() is threading.main_thread()
        self._heard.put_nowait(command)

    async def next(self):
        async with asyncio.timeout(5):
            return await self._heard.get()


@pytest.mark.parametrize("failure", [None, "no module named shop"])
def test_a_report(ends, failure):
    supervisors, workers = ends
    pipe = SupervisorPipe(workers)
    assert not pipe.reported
    pipe.report(failure)
    assert pipe.reported
    assert supervisors.recv() == failure


def test_nobody_may_be_listening_to_the_report(ends):
    supervisors, workers = ends
    supervisors.close()
    pipe = SupervisorPipe(workers)
    pipe.report(None)
    assert pipe.reported


async def test_commands_are_heard_in_their_order_and_the_end_of_the_supervisor_is_the_last(ends):
    supervisors, workers = ends
    heard = Heard()
    with SupervisorPipe(workers).commands(heard):
        supervisors.send(Command.STOP)
        assert await heard.next() is Command.STOP
        supervisors.send(Command.STOP_AT_ONCE)
        assert await heard.next() is Command.STOP_AT_ONCE
        supervisors.close()
        assert await heard.next() is None


async def test_a_supervisor_that_was_gone_before(ends):
    supervisors, workers = ends
    supervisors.close()
    heard = Heard()
    with SupervisorPipe(workers).commands(heard):
        assert await heard.next() is None


def test_a_command_that_comes_when_all_is_over_is_nobodys(ends):
    supervisors, workers = ends
    before = set(threading.enumerate())

    async def listen_and_end():
        with SupervisorPipe(workers).commands(lambda command: pytest.fail("nobody is there")):
            pass

    asyncio.run(listen_and_end())
    (reader,) = set(threading.enumerate()) - before
    assert reader.daemon
    supervisors.send(Command.STOP)
    reader.join(5)
    assert not reader.is_alive()

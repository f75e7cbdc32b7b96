"""Whose turn it is among handshakes, and which of them have to make room."""

import asyncio

from hostler.server.usermode.tls.handshakes import SHARE, Handshakes
from hostler.testing import FakeClock


class Handshake:
    """One that takes a part of the share that handshakes have of a turn."""

    def __init__(self, handshakes, log, name, *, takes=0.0):
        self._handshakes, self._log, self._name, self._takes = handshakes, log, name, takes

    def wait(self):
        self._log.append(f"{self._name} waits")

    def go_on(self):
        self._log.append(self._name)
        CLOCK.advance(self._takes)

    def drop(self, kind):
        self._log.append(f"{self._name}: {kind}")
        self._handshakes.end(self)


CLOCK = FakeClock()


def made(limit=10):
    return Handshakes(asyncio.get_running_loop(), limit, lambda rejection: None, CLOCK), []


async def test_handshakes_have_their_share_of_a_turn_and_the_others_the_next():
    handshakes, log = made()
    for name in "abcde":
        handshakes.take_turn(Handshake(handshakes, log, name, takes=SHARE * 0.6))
    assert log == ["a", "b", "c waits", "d waits", "e waits"]
    await asyncio.sleep(0)
    assert log[5:] == ["e", "d"]
    await asyncio.sleep(0)
    assert log[7:] == ["c"]


async def test_whoever_comes_later_goes_before_those_that_wait():
    """Else a flood would have everybody wait until all of it is done."""
    handshakes, log = made()
    for name in "abc":
        handshakes.take_turn(Handshake(handshakes, log, name, takes=SHARE * 1.5))
    await asyncio.sleep(0)
    handshakes.take_turn(Handshake(handshakes, log, "d"))
    assert log == ["a", "b waits", "c waits", "c", "d waits"]
    await asyncio.sleep(0)
    assert log[5:] == ["d", "b"]


async def test_nobody_is_dropped_for_having_waited_for_us():
    handshakes, log = made(limit=2)
    for name in "abcd":
        one = Handshake(handshakes, log, name, takes=SHARE * 1.5)
        handshakes.begin(one)
        if name in "abc":
            handshakes.take_turn(one)
    handshakes.begin(Handshake(handshakes, log, "e"))
    assert log == ["a", "b waits", "c waits", "a: too many"]


async def test_a_turn_without_handshakes_ends_the_counting():
    handshakes, log = made()
    for name in "abc":
        handshakes.take_turn(Handshake(handshakes, log, name, takes=SHARE * 0.9))
        await asyncio.sleep(0)
    assert log == ["a", "b", "c"]


async def test_the_one_that_has_not_got_on_for_the_longest_time_makes_room():
    handshakes, log = made(limit=2)
    first, second, third, fourth = (Handshake(handshakes, log, name) for name in "1234")
    handshakes.begin(first)
    handshakes.begin(second)
    handshakes.got_on(first)
    handshakes.begin(third)
    handshakes.end(third)
    handshakes.got_on(third)  # it is over
    handshakes.begin(fourth)
    assert (log, len(handshakes)) == (["2: too many"], 2)
    handshakes.stop()
    handshakes.begin(second)
    assert log[1:] == ["1: stopping", "4: stopping", "2: stopping"]

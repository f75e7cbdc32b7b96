from __future__ import annotations

import gc
import math
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.deadline import Deadline
from hostler.testing import FakeClock


class Loop:
    """An event loop's clock, without the loop; `timers` counts what was armed."""

    def __init__(self):
        self.clock = FakeClock(1000.0)
        self.timers = 0

    def time(self):
        return self.clock.now

    def call_at(self, when, callback, context=None):
        self.timers += 1
        return self.clock.call_later(when - self.clock.now, callback)


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def calls():
    return []


@pytest.fixture
def deadline(loop, calls):
    return Deadline(loop, lambda: calls.append(loop.time()))


def test_it_calls_back_once_when_its_time_is_over(loop, deadline, calls):
    deadline.set(5)
    loop.clock.advance(4.9)
    assert calls == []
    loop.clock.advance(100)
    assert calls == [1005]


def test_it_is_put_off_by_being_set_again(loop, deadline, calls):
    for _ in range(10):
        deadline.set(5)
        loop.clock.advance(4)
    assert calls == []
    loop.clock.advance(1)
    assert calls == [1041]


def test_it_is_brought_forward_by_being_set_again(loop, deadline, calls):
    deadline.set(50)
    deadline.set(5)
    loop.clock.advance(100)
    assert calls == [1005]


def test_it_does_not_call_back_once_cleared(loop, deadline, calls):
    deadline.set(5)
    deadline.clear()
    loop.clock.advance(100)
    assert calls == []


def test_it_may_be_set_after_it_was_cleared(loop, deadline, calls):
    deadline.set(5)
    deadline.clear()
    loop.clock.advance(2)
    deadline.set(5)
    loop.clock.advance(100)
    assert calls == [1007]


def test_it_may_be_set_after_it_called_back_and_while_it_does(loop):
    calls = []

    def again():
        calls.append(loop.time())
        if len(calls) < 3:
            deadline.set(5)

    deadline = Deadline(loop, again)
    deadline.set(5)
    loop.clock.advance(100)
    assert calls == [1005, 1010, 1015]


def test_it_is_over_once_closed(loop, deadline, calls):
    deadline.set(5)
    deadline.close()
    deadline.set(5)
    deadline.clear()
    deadline.close()
    loop.clock.advance(100)
    assert calls == []


def test_it_may_be_closed_by_what_it_calls(loop):
    calls = []

    def close():
        calls.append(loop.time())
        deadline.close()

    deadline = Deadline(loop, close)
    deadline.set(5)
    loop.clock.advance(100)
    assert calls == [1005]


def test_closed_it_keeps_nothing_alive(loop):
    class Owner:
        def expired(self):
            raise AssertionError

    owner = Owner()
    deadline = Deadline(loop, owner.expired)
    deadline.set(5)
    kept = weakref.ref(owner)
    deadline.close()
    del owner
    gc.collect()
    assert kept() is None


def test_moving_it_later_costs_no_timer(loop, deadline, calls):
    for _ in range(1000):
        deadline.set(5)
        loop.clock.advance(0.001)
        deadline.clear()
    assert loop.timers == 1
    deadline.set(5)
    loop.clock.advance(4)
    assert calls == []
    assert loop.timers <= 2


def test_a_shorter_time_after_a_longer_that_was_cleared_counts(loop, deadline, calls):
    deadline.set(120)
    deadline.clear()
    deadline.set(5)
    loop.clock.advance(6)
    assert calls == [1005]


def test_infinity_never_comes_and_may_be_brought_forward(loop, deadline, calls):
    deadline.set(math.inf)
    loop.clock.advance(1e9)
    assert calls == []
    deadline.set(5)
    loop.clock.advance(5)
    assert len(calls) == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["set", "set by hand", "advance"]), st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0])),
        st.tuples(st.sampled_from(["clear", "close"]), st.just(0.0)),
    ),
    max_size=20,
)  # fmt: skip


@given(STEPS)
def test_it_calls_back_when_a_model_of_it_says_so(steps):
    loop, calls, expected = Loop(), [], []
    deadline = Deadline(loop, lambda: calls.append(loop.time()))
    due, is_closed = math.inf, False
    for step, seconds in steps:
        if step == "advance":
            loop.clock.advance(seconds)
            if due <= loop.time():
                expected.append(due)
                due = math.inf
        elif step == "clear":
            deadline.clear()
            due = math.inf
        elif step == "close":
            deadline.close()
            due, is_closed = math.inf, True
        else:
            if step == "set":
                deadline.set(seconds)
            else:
                deadline.due = wanted = deadline.time() + seconds
                if wanted < deadline.armed:
                    deadline.arm()
            due = math.inf if is_closed else loop.time() + seconds
        assert calls == expected

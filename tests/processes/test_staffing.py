"""Which slots have a worker, with times that the test makes up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.processes.policy import WorkerPolicy
from hostler.processes.staffing import Backoff, SlotState, Staffing

VACANT, STARTING, READY, DELAYED = SlotState


def staffing(maximum=3, **more):
    made = Staffing(WorkerPolicy(maximum, **more))
    for slot in made.missing:
        made.start(slot, 0.0)
        made.ready(slot)
    return made


def states(made):
    return [made.state(slot) for slot in range(made.policy.maximum)]


def test_the_back_off_doubles_while_workers_die_young():
    backoff = Backoff()
    assert [backoff.delay(1.0) for _ in range(12)] == [
        0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30,
    ]  # fmt: skip
    assert backoff.delay(10.0) == 0
    assert backoff.delay(9.9) == 0.1


def test_at_first_the_minimum_is_there():
    assert states(staffing(minimum=0)) == [VACANT, VACANT, VACANT]
    assert states(staffing(minimum=2)) == [READY, READY, VACANT]


def test_a_demand_fills_one_slot_after_another_up_to_the_maximum():
    made = staffing(minimum=1)
    for slot in (1, 2):
        assert made.listens
        assert made.demand() == slot
        made.start(slot, 1.0)
        assert not made.listens  # who starts may take what waits
        assert made.demand() is None
        made.ready(slot)
    assert not made.listens
    assert made.demand() is None


def test_nobody_listens_while_a_worker_that_failed_is_about_to_come_back():
    made = staffing(2, minimum=1)
    assert made.fail(0, 1.0) == 0
    assert states(made) == [DELAYED, VACANT]
    assert not made.listens
    made.start(0, 1.0)
    assert not made.listens
    made.ready(0)
    assert made.listens


def test_who_is_idle_leaves_down_to_the_minimum_whichever_slot_it_has():
    made = staffing(3, minimum=1)
    for slot in (1, 2):
        made.start(slot, 0.0)
        made.ready(slot)
    assert made.leave(0)
    assert made.leave(2)
    assert not made.leave(1)
    assert not made.leave(2)
    assert states(made) == [VACANT, READY, VACANT]
    assert made.demand() == 0


def test_nobody_leaves_the_work_to_who_is_not_ready():
    made = staffing(2, minimum=1)
    made.start(1, 0.0)
    assert not made.leave(0)
    assert not made.leave(1)
    made.ready(1)
    assert made.leave(0)


def test_the_last_one_leaves_and_is_listened_for():
    made = staffing(1)
    made.start(0, 0.0)
    made.ready(0)
    assert not made.listens
    assert made.leave(0)
    assert made.listens


# -- failures ---------------------------------------------------------------------------------------------------------


def test_five_failures_in_five_minutes_are_out_of_service():
    made = staffing(2, minimum=2)
    assert [made.fail(slot, 10.0 * number) for number, slot in enumerate([0, 1, 0, 1])] == [0, 0, 0, 0]
    assert made.fail(0, 299.9) is None
    assert not made.in_service
    assert states(made) == [VACANT, VACANT]
    assert not made.listens


def test_failures_are_forgotten_after_the_interval():
    made = staffing(1, minimum=1, max_crashes=2, crash_interval=60.0)
    assert made.fail(0, 0.0) is not None
    assert made.fail(0, 60.0) is not None
    assert made.fail(0, 119.9) is None


def test_failures_are_counted_over_all_slots_and_back_off_is_each_slots_own():
    made = staffing(2, minimum=2, max_crashes=3)
    assert made.fail(0, 1.0) == 0
    assert made.fail(1, 1.0) == 0
    assert made.fail(1, 1.0) is None


def test_without_a_limit_there_is_the_back_off_alone():
    made = Staffing(WorkerPolicy.fixed(1))
    delays = []
    for _ in range(100):
        made.start(0, 0.0)
        delays.append(made.fail(0, 1.0))
    assert delays[:4] == [0, 0.1, 0.2, 0.4]
    assert delays[-1] == 30
    assert made.in_service


def test_in_service_again_everything_is_as_at_the_start():
    made = staffing(2, max_crashes=1)
    assert made.fail(0, 0.0) is None
    made.resume()
    assert made.in_service
    assert made.listens
    made.start(0, 1.0)
    assert made.fail(0, 1.0) is None


def test_without_demands_all_slots_are_filled_and_nobody_leaves():
    made = staffing(3, minimum=1)
    made.fix()
    assert list(made.missing) == [0, 1, 2]
    for slot in made.missing:
        made.ready(slot)
    assert not any(made.leave(slot) for slot in made.missing)


# -- against a simpler model ------------------------------------------------------------------------------------------

POLICIES = st.builds(
    lambda most, least, crashes, interval: WorkerPolicy(
        most, minimum=min(least, most), max_crashes=crashes, crash_interval=interval
    ),
    st.integers(1, 4), st.integers(0, 4), st.none() | st.integers(1, 4), st.sampled_from([1.0, 10.0, 300.0]),
)  # fmt: skip
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["demand", "ready", "fail", "start", "idle", "restart"]),
        st.integers(0, 3),
        st.sampled_from([0.0, 0.5, 3.0, 11.0, 200.0]),
    ),
    max_size=60,
)


@given(POLICIES, EVENTS)
def test_whatever_happens_slots_are_filled_as_the_policy_says(policy, events):
    made, now, failures = staffing(policy.maximum, **_rest(policy)), 0.0, []
    expected = [READY] * policy.minimum + [VACANT] * (policy.maximum - policy.minimum)
    for event, number, passed in events:
        now += passed
        slot = number % policy.maximum
        if event == "demand":
            assert made.listens == (
                made.in_service and {STARTING, DELAYED}.isdisjoint(expected) and VACANT in expected
            )
            found = made.demand()
            assert found == (expected.index(VACANT) if made.listens else None)
            if found is not None:
                made.start(found, now)
                expected[found] = STARTING
        elif event == "ready" and expected[slot] is STARTING:
            made.ready(slot)
            expected[slot] = READY
        elif event == "start" and expected[slot] is DELAYED:
            made.start(slot, now)
            expected[slot] = STARTING
        elif event == "fail" and expected[slot] in {STARTING, READY}:
            failures = [at for at in [*failures, now] if at > now - policy.crash_interval]
            too_many = policy.max_crashes is not None and len(failures) >= policy.max_crashes
            delay = made.fail(slot, now)
            assert (delay is None) == too_many
            assert made.in_service != too_many
            assert too_many or delay == 0 or 0.1 <= delay <= 30
            expected = (
                [VACANT] * policy.maximum if too_many else [*expected[:slot], DELAYED, *expected[slot + 1 :]]
            )
        elif event == "idle":
            leaves = expected[slot] is READY and expected.count(READY) > policy.minimum
            assert made.leave(slot) == leaves
            if leaves:
                expected[slot] = VACANT
        elif event == "restart" and not made.in_service:
            made.resume()
            failures = []
            for missing in made.missing:
                made.start(missing, now)
                expected[missing] = STARTING
        assert states(made) == expected
        if made.in_service:
            assert policy.maximum - expected.count(VACANT) >= policy.minimum


def _rest(policy):
    return {
        "minimum": policy.minimum,
        "max_crashes": policy.max_crashes,
        "crash_interval": policy.crash_interval,
    }


# -- the policy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"maximum": 0}, "maximum: 0 is not a number of workers; use 1 or more"),
        ({"maximum": True}, "maximum: True is not a number of workers"),
        ({"maximum": 2, "minimum": -1}, "minimum: -1 is not a number of workers; use 0 or more"),
        ({"maximum": 2, "minimum": 3}, "minimum: 3 is more than the maximum, 2; use 2 or less"),
        ({"maximum": 2, "idle_timeout": 0}, "idle_timeout: 0 is not a number of seconds above 0, or None for never"),
        ({"maximum": 2, "crash_interval": None}, "crash_interval: None is not a number of seconds above 0$"),
        ({"maximum": 2, "max_crashes": 0}, "max_crashes: 0 is not a number of failures; use 1 or more, or None"),
    ],
)  # fmt: skip
def test_what_is_no_policy(given, why):
    with pytest.raises(ValueError, match=why):
        WorkerPolicy(**given)


def test_which_policies_every_server_can_have():
    assert WorkerPolicy.fixed(4).is_fixed
    assert not WorkerPolicy(4).is_fixed
    assert not WorkerPolicy(4, minimum=4).is_fixed


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (WorkerPolicy.fixed(1), "1 worker"),
        (WorkerPolicy.fixed(4), "4 workers"),
        (WorkerPolicy(1), "0 to 1 worker"),
    ],
)
def test_how_many_in_words(policy, said):
    assert str(policy) == said

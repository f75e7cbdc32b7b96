"""Which slots have a worker, by a `WorkerPolicy`: a state machine that knows neither processes nor a clock.

The states of a slot:

    VACANT      nobody is there; a demand fills it
    STARTING    a worker was started, and is not ready
    READY       a worker serves
    DELAYED     its worker failed; another is started after a while

    VACANT ---start---> STARTING ---ready---> READY ---leave---> VACANT
                           ^  |                 |
                     start |  | fail            | fail
                           |  v                 |
                          DELAYED <-------------+

A failure too many takes all slots out of service, which makes them VACANT until `resume`. Demand is listened for while
a slot is VACANT and none is STARTING or DELAYED: whoever comes next may take what waits. It is one worker for one
demand. A worker that is replaced by its successor stays READY.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, evolve, field

if TYPE_CHECKING:
    from hostler.processes.policy import WorkerPolicy

__all__ = ["Backoff", "SlotState", "Staffing"]


class SlotState(enum.Enum):
    """What a slot is in."""

    VACANT = "vacant"
    STARTING = "starting"
    READY = "ready"
    DELAYED = "delayed"


@define(eq=False)
class Backoff:
    """How long to wait before a worker is started again; all in seconds.

    Nothing the first time, then 0.1, doubling to 30, while it dies within 10 of its start.
    """

    first: float = 0.1
    longest: float = 30.0
    enough: float = 10.0
    """A worker that lived so long starts from nothing again."""

    _next: float = field(default=0.0, init=False)

    def delay(self, lived: float) -> float:
        """Return how long to wait after a worker that lived for `lived`."""
        if lived >= self.enough:
            self._next = 0.0
        delay = self._next
        self._next = min(delay * 2 or self.first, self.longest)
        return delay


@define(eq=False)
class _Slot:
    state: SlotState = SlotState.VACANT
    began: float = 0.0
    backoff: Backoff = field(factory=Backoff)


class Staffing:
    """The slots of a policy, by number from 0; times are seconds of any clock."""

    def __init__(self, policy: WorkerPolicy) -> None:
        self.policy = policy
        self.in_service = True
        """Whether workers are started at all."""
        self._slots = [_Slot() for _ in range(policy.maximum)]
        self._failures: deque[float] = deque()

    def state(self, slot: int) -> SlotState:
        """Return a slot's state."""
        return self._slots[slot].state

    def _are(self, *states: SlotState) -> int:
        return sum(slot.state in states for slot in self._slots)

    @property
    def listens(self) -> bool:
        """Whether a demand would start a worker now."""
        busy = self._are(SlotState.STARTING, SlotState.DELAYED)
        return self.in_service and not busy and self._are(SlotState.VACANT) > 0

    @property
    def missing(self) -> range:
        """The slots that are always filled."""
        return range(self.policy.minimum)

    def demand(self) -> int | None:
        """Return the slot that a demand fills; None for one that nobody listens for any more."""
        if not self.listens:
            return None
        return next(number for number, slot in enumerate(self._slots) if slot.state is SlotState.VACANT)

    def start(self, slot: int, now: float) -> None:
        """A worker is being started."""
        self._slots[slot].state, self._slots[slot].began = SlotState.STARTING, now

    def ready(self, slot: int) -> None:
        """A slot's worker serves."""
        self._slots[slot].state = SlotState.READY

    def fail(self, slot: int, now: float) -> float | None:
        """Return after how many seconds a slot's next worker is started, since its worker has failed; None for never.

        None is the failure too many: all slots are out of service.
        """
        failures, policy = self._failures, self.policy
        failures.append(now)
        while failures[0] <= now - policy.crash_interval:
            failures.popleft()
        if policy.max_crashes is None:
            failures.clear()
        elif len(failures) >= policy.max_crashes:
            self.in_service = False
            for each in self._slots:
                each.state = SlotState.VACANT
            return None
        failed = self._slots[slot]
        failed.state = SlotState.DELAYED
        return failed.backoff.delay(now - failed.began)

    def leave(self, slot: int) -> bool:
        """Return whether a worker that is idle leaves its slot, as those above the minimum do."""
        if self.state(slot) is not SlotState.READY or self._are(SlotState.READY) <= self.policy.minimum:
            return False
        self._slots[slot].state = SlotState.VACANT
        return True

    def resume(self) -> None:
        """Be in service again, as at the start."""
        self.in_service = True
        self._failures.clear()
        self._slots = [_Slot() for _ in self._slots]

    def fix(self) -> None:
        """Have all slots filled always, since there will be no more demands."""
        self.policy = evolve(self.policy, minimum=self.policy.maximum, idle_timeout=None)

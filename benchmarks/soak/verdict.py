"""What a soak comes to: what was lost, what a kill excuses, and whether the proxy's memory and descriptors stay flat."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from benchmarks.soak.clients import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.soak.clients import Clients, Failed
    from benchmarks.soak.disruption import Disruption

__all__ = ["Report", "Sample"]

_MARGIN: Final = 0.5
"""Seconds around a disruption in which what it did can be seen by a client on a busy machine."""

_MEMORY_GROWTH: Final = 16 * 1024
"""KiB by which the proxy may grow from the second fifth of a run to the last."""

_DESCRIPTOR_GROWTH: Final = 32

_EXCUSES: Final = {
    # nobody can repeat what a destination that is killed has in its hands, nor reach one that is not there
    ("forwarded", "destination's worker killed"): {Ending.STATUS, Ending.BROKEN_OFF},
    ("forwarded", "destination killed"): {Ending.STATUS, Ending.BROKEN_OFF},
    # a worker that is killed takes the connections with it on which it has begun to answer
    ("delegated", "worker killed"): {Ending.BROKEN_OFF},
}


@frozen
class Sample:
    """What the proxy had at a moment: KiB, and descriptors."""

    memory: int
    descriptors: int


@define(eq=False)
class Report:
    """A verdict with its reasons."""

    clients: Clients
    disruptions: list[Disruption]
    samples: list[Sample]
    tracebacks: list[str]
    lost: list[Failed] = field(init=False)
    excused: list[Failed] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.excused = [failed for failed in self.clients.failed if self._is_excused(failed)]
        self.lost = [failed for failed in self.clients.failed if not self._is_excused(failed)]

    def _is_excused(self, failed: Failed) -> bool:
        return any(
            failed.ending in _EXCUSES.get((failed.route, item.name), ()) or _is_kept_connection(failed, item)
            for item in self._around(failed)
        )

    def _around(self, failed: Failed) -> Iterator[Disruption]:
        """Find the disruptions at the time of a failure."""
        for item in self.disruptions:
            if failed.began <= item.ended + _MARGIN and item.began <= failed.ended + _MARGIN:
                yield item

    def problems(self) -> Iterator[str]:
        """Say why the verdict is what it is; nothing when all is well."""
        alike: dict[str, list[Failed]] = {}
        for failed in self.lost:
            around = ", ".join(item.name for item in self._around(failed)) or "nothing was done"
            alike.setdefault(f"{failed.route}, {failed.ending.value}; {around}", []).append(failed)
        for what, found in alike.items():
            first, took = found[0], max(failed.ended - failed.began for failed in found)
            yield f"lost: {len(found)} {what}, after {took:.3f} s at most, the first {first.detail}"
        for route in ("forwarded", "delegated"):
            if not self.clients.answered.get(route):
                yield f"no {route} request was answered"
        for name in self.tracebacks:
            yield f"a traceback in the log of {name}"
        yield from self._growth("memory", [sample.memory for sample in self.samples], _MEMORY_GROWTH)
        descriptors = [sample.descriptors for sample in self.samples]
        yield from self._growth("descriptors", descriptors, _DESCRIPTOR_GROWTH)

    @staticmethod
    def _growth(name: str, values: list[int], most: int) -> Iterator[str]:
        fifth = len(values) // 5
        if fifth:
            early, late = statistics.median(values[fifth : 2 * fifth]), statistics.median(values[-fifth:])
            if late - early > most:
                yield f"the proxy's {name} grew from {early:,.0f} to {late:,.0f}"

    def lines(self) -> Iterator[str]:
        """Describe the run."""
        yield "answered: " + ", ".join(
            f"{count:,} {route}" for route, count in sorted(self.clients.answered.items())
        )
        yield "done: " + ", ".join(
            f"{count} {name}" for name, count in sorted(Counter(d.name for d in self.disruptions).items())
        )
        yield "excused: " + (_counts(self.excused) or "nothing")
        yield "lost: " + (_counts(self.lost) or "nothing")
        if self.samples:
            memory = [sample.memory for sample in self.samples]
            descriptors = [sample.descriptors for sample in self.samples]
            yield f"the proxy's memory: {memory[0]:,} KiB at first, {memory[-1]:,} at last, {max(memory):,} at most"
            yield f"its descriptors: {descriptors[0]} at first, {descriptors[-1]} at last, {max(descriptors)} at most"


def _is_kept_connection(failed: Failed, item: Disruption) -> bool:
    """Whether a kept connection went with a worker that was killed before it could say that its answer is complete.

    A client repeats such a request on another connection (RFC 9112 9.3.1); on a connection of its own none is excused.
    """
    return (
        failed.route == "delegated" and item.name == "worker killed" and failed.ending is Ending.UNANSWERED
        and failed.reused
    )  # fmt: skip


def _counts(failures: list[Failed]) -> str:
    found = Counter(f"{failed.route} {failed.ending.value}" for failed in failures)
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))

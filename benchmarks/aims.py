"""The aims: what a run is to come to, as ratios beside the peers of the same run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

from benchmarks.figures import COST, MEMORY, RATE, WALL, Figure

if TYPE_CHECKING:
    from benchmarks.results import Results

__all__ = ["AIMS", "Aim", "Quantity"]


class Quantity(Protocol):
    """Something that follows from what a run found."""

    def value(self, results: Results, label: str) -> float:
        """Return it for our contenders of a build; NaN when it was not measured."""


@frozen
class Ratio:
    """A figure of one contender over another's. A name that begins with hostler, or imports it, is of the build."""

    case: str
    over: str
    under: str
    figure: Figure = COST

    def value(self, results: Results, label: str) -> float:
        over, under = (
            results.value(self.case, _of_build(name, label), self.figure) for name in (self.over, self.under)
        )
        return over / under if under > 0 else math.nan


@frozen
class Difference:
    """How much larger one quantity is than another."""

    whole: Quantity
    part: Quantity

    def value(self, results: Results, label: str) -> float:
        return self.whole.value(results, label) - self.part.value(results, label)


@frozen
class Quotient:
    """How many times as large one quantity is as another."""

    over: Quantity
    under: Quantity

    def value(self, results: Results, label: str) -> float:
        under = self.under.value(results, label)
        return self.over.value(results, label) / under if under > 0 else math.nan


@frozen
class Absolute:
    """A figure as it is."""

    case: str
    name: str
    figure: Figure

    def value(self, results: Results, label: str) -> float:
        return results.value(self.case, _of_build(self.name, label), self.figure)


@frozen
class Fixed:
    """A number."""

    number: float

    def value(self, results: Results, label: str) -> float:
        return self.number


@frozen
class Aim:
    """A quantity with a limit."""

    case: str
    text: str
    reference: str
    quantity: Quantity
    limit: Quantity
    at_most: bool = True
    digits: int = 2
    pure: bool = False
    """It is about the build without the compiled part."""

    def measured(self, results: Results, label: str = "") -> float:
        """Return the quantity for a build; NaN when it was not measured."""
        return self.quantity.value(results, self._label(results, label))

    def met(self, results: Results, label: str = "") -> bool | None:
        """Say whether a build meets it; None when it was not measured."""
        value, limit = self.measured(results, label), self.limit.value(results, self._label(results, label))
        if math.isnan(value) or math.isnan(limit):
            return None
        return value <= limit if self.at_most else value >= limit

    def wanted(self, results: Results, label: str = "") -> str:
        """Return the limit, in words."""
        limit = self.limit.value(results, self._label(results, label))
        number = "what the small GET has" if math.isnan(limit) else f"{limit:.{self.digits}f}"
        return f"at {'most' if self.at_most else 'least'} {number}"

    def _label(self, results: Results, label: str) -> str:
        if not self.pure or results.builds[label].endswith("pure"):
            return label
        return f"{label}-pure" if label else "pure"


def _of_build(name: str, label: str) -> str:
    return f"{name}-{label}" if label and "hostler" in name else name


_SMALL: Final = Ratio("small", "hostler", "nginx")


def _over_ours(peer: str, about: str) -> Aim:
    quantity = Ratio("small", peer, "hostler")
    return Aim("small", f"{about}, forwarding, over hostler", "hostler", quantity, Fixed(4), at_most=False)


def _as_small(case: str, text: str) -> Aim:
    return Aim(
        case,
        f"{text}, over nginx: no worse than the small GET",
        "nginx",
        Ratio(case, "hostler", "nginx"),
        _SMALL,
    )


AIMS: Final = (
    Aim("small", "small GET, forwarded, over nginx (hoped for: 1.25)", "nginx", _SMALL, Fixed(1.5)),
    Aim("stage", "what a coroutine stage of one's own adds to that", "nginx",
        Difference(Ratio("stage", "hostler-stage", "nginx"), Ratio("stage", "hostler", "nginx")), Fixed(0.1)),
    Aim("small", "small GET, forwarded, pure, over nginx", "nginx", _SMALL, Fixed(2.5), pure=True),
    _over_ours("aiohttp", "aiohttp"),
    _over_ours("starlette", "Starlette with httpx"),
    _over_ours("proxy.py", "proxy.py"),
    Aim("delegated", "small GET, delegated, proxy and worker, over nginx and the same worker", "nginx",
        Ratio("delegated", "hostler-delegate", "nginx"), Fixed(1.1)),
    Aim("delegated-1m", "1 MiB, delegated, throughput over nginx in front of the same worker", "nginx",
        Ratio("delegated-1m", "hostler-delegate", "nginx", RATE), Fixed(2.5), at_most=False),
    Aim("hello", "ASGI hello world, over uvicorn with the same loop", "uvicorn",
        Ratio("hello", "hostler-serve", "uvicorn"), Fixed(0.9)),
    _as_small("chunked", "chunked answer"),
    _as_small("post", "POST with a small body"),
    _as_small("5000", "5,000 connections"),
    Aim("new", "a new connection for each request, forwarded, over nginx", "nginx",
        Ratio("new", "hostler", "nginx"), Fixed(2.5)),
    Aim("delegated-new", "a new connection for each request, delegated, over nginx and the same worker", "nginx",
        Ratio("delegated-new", "hostler-delegate", "nginx"), Fixed(2)),
    Aim("import", "`import hostler`, ms", "import-asyncio", Absolute("import", "import-hostler", WALL), Fixed(100),
        digits=0),
    Aim("run", "`hostler run` until it listens, ms", "run-asyncio", Absolute("run", "hostler-run", WALL), Fixed(130),
        digits=0),
    # how much dearer TLS makes a request, ours over nginx's: (hostler TLS / nginx TLS) / (hostler / nginx)
    Aim("tls", "small GET over TLS, over nginx, over what the plain one has over nginx", "nginx",
        Quotient(Ratio("tls", "hostler", "nginx"), _SMALL), Fixed(1.5)),
    Aim("tls-memory", "10,000 TLS connections at rest, KiB each", "nginx",
        Absolute("tls-memory", "hostler", MEMORY), Fixed(40), digits=1),
)  # fmt: skip
"""Processor time, but for where they say otherwise."""

"""What the segments of a path template are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from hostler.routing.constraint import Test

__all__ = ["MixedSegment", "Parameter", "Segment", "fold"]


@frozen
class Parameter:
    """A named piece of a path."""

    name: str
    optional: bool = False
    default: str | None = None
    catch_all: bool = False
    """Takes the rest of the path, slashes included."""

    keeps_slashes: bool = False
    """Written `{**p}`: its slashes stay slashes when the value is written into another path (`{*p}`: `%2F`)."""

    constraints: tuple[str, ...] = ()
    """As written, in order: `int`, `min(1)`."""

    tests: tuple[Test, ...] = field(default=(), eq=False, repr=False)

    @property
    def may_be_absent(self) -> bool:
        """Whether a path without this segment can match."""
        return self.optional or self.catch_all or self.default is not None

    def accepts(self, value: str) -> bool:
        """Tell whether every constraint holds."""
        for test in self.tests:  # noqa: SIM110 - all() with a generator costs three times as much here
            if not test(value):
                return False
        return True

    def bind_absent(self, values: dict[str, str]) -> bool:
        """Add the value that stands for an absent segment, if there is one; False when it may not be absent."""
        if self.default is not None:
            values[self.name] = self.default
            return self.accepts(self.default)
        if self.catch_all:
            # As in ASP.NET, a constraint fails on what is not there, and only `nonfile` is content with nothing.
            values[self.name] = ""
            return all(item.lower() == "nonfile" for item in self.constraints)
        return self.optional


@frozen
class MixedSegment:
    """A segment of literals and parameters: `{name}.{extension?}`, `v{major}.{minor}`.

    Literals are searched from the right, so that the leftmost parameter takes what is ambiguous.
    """

    parts: tuple[str | Parameter, ...]

    def bind(self, segment: str, values: dict[str, str]) -> bool:
        """Add the segment's values to `values`; False when the segment does not fit."""
        folded = fold(segment)
        last = self.parts[-1]
        if isinstance(last, str) or not last.optional:
            return self._bind(self.parts, segment, folded, values)
        if self._bind(self.parts, segment, folded, values):
            return True
        return not segment.endswith(".") and self._bind(self.parts[:-2], segment, folded, values)

    @staticmethod
    def _bind(parts: tuple[str | Parameter, ...], segment: str, folded: str, values: dict[str, str]) -> bool:
        start, end = 0, len(segment)
        first, last = parts[0], parts[-1]
        if isinstance(first, str):
            if not folded.startswith(first):
                return False
            start = len(first)
            parts = parts[1:]
        if isinstance(last, str) and parts:
            end -= len(last)
            if end < start or not folded.endswith(last):
                return False
            parts = parts[:-1]
        found: dict[str, str] = {}
        for index in range(len(parts) - 1, -1, -1):
            part = parts[index]
            if isinstance(part, str):
                continue
            left = parts[index - 1] if index else ""
            # rfind's end leaves one character for this parameter at least.
            at = folded.rfind(left, start, end - 1) if isinstance(left, str) and left else start
            begin = at + len(left) if isinstance(left, str) and left else start
            if at < 0 or begin >= end or not part.accepts(segment[begin:end]):
                return False
            found[part.name] = segment[begin:end]
            end = at
        values.update(found)
        return True


Segment = str | Parameter | MixedSegment
"""A literal (lower-cased), a parameter, or both."""


def fold(text: str) -> str:
    """Lower-case without changing the number of characters."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)

r"""Path templates, as ASP.NET Core's routing writes them: `/orders/{id:int}/{**rest}`.

A template is parsed once and matched often. Its segments are literals (case-insensitive), parameters, or a mix of
both (`{name}.{extension?}`). What a parameter may be:

=================  ===========================================================================================
`{p}`              one segment that is not empty
`{p?}`             the same, or nothing (last in the template; inside a mixed segment only after a dot)
`{p=value}`        the same, or nothing, which counts as `value`
`{*p}` `{**p}`     the rest of the path with its slashes, or nothing (last; `**` keeps slashes when written out)
`{p:int:min(1)}`   with constraints; `regex(...)` may hold `:`, `/` and parentheses, and `{{` `}}` for braces
=================  ===========================================================================================

A request path may end in one slash more than its template.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from attrs import field, frozen

from hostler.routing.pattern import read_segments
from hostler.routing.segments import MixedSegment, Parameter, Segment

__all__ = ["Template"]


def _digit(segment: Segment) -> int:
    """Give a segment's place in ASP.NET's inbound precedence (RoutePrecedence.ComputeInbound)."""
    if isinstance(segment, str):
        return 1
    if isinstance(segment, MixedSegment):
        return 2
    return (5 if segment.catch_all else 3) - bool(segment.tests)


@frozen
class Template:
    """A parsed path template; make one with `Template.parse`."""

    text: str
    segments: tuple[Segment, ...] = field(eq=False)
    precedence: tuple[int, ...] = field(init=False, eq=False)
    """One digit a segment, to compare templates by: the smaller one is the more specific."""

    required: int = field(init=False, eq=False)
    """How many segments a path must have at least."""

    catch_all: bool = field(init=False, eq=False)
    _captures: tuple[tuple[int, Parameter | MixedSegment], ...] = field(init=False, eq=False, repr=False)

    @precedence.default
    def _precedence(self) -> tuple[int, ...]:
        return tuple(map(_digit, self.segments))

    @required.default
    def _required(self) -> int:
        count = len(self.segments)
        while count and isinstance(last := self.segments[count - 1], Parameter) and last.may_be_absent:
            count -= 1
        return count

    @catch_all.default
    def _catch_all(self) -> bool:
        return bool(self.segments) and isinstance(last := self.segments[-1], Parameter) and last.catch_all

    @_captures.default
    def _captured(self) -> tuple[tuple[int, Parameter | MixedSegment], ...]:
        return tuple(
            (index, item) for index, item in enumerate(self.segments, 1) if not isinstance(item, str)
        )

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse a template, unless one of that text is in use; raises TemplateError."""
        parsed = _in_use.get(text)
        if parsed is None:
            parsed = _in_use[text] = cls(text, read_segments(text))
        return parsed

    @property
    def has_parameters(self) -> bool:
        """Whether `bind` has anything to do."""
        return bool(self._captures)

    @property
    def always_binds(self) -> bool:
        """Whether `bind` takes every path whose length and literals fit: there is no constraint, no mixed segment."""
        return not any(isinstance(item, MixedSegment) or item.constraints for _, item in self._captures)

    def match(self, path: str) -> dict[str, str] | None:
        """Match a decoded path and give its values, or None."""
        pieces = (path or "/").split("/")
        end = len(pieces) - (not pieces[-1])
        count = end - 1
        if pieces[0] or count < self.required or (count > len(self.segments) and not self.catch_all):
            return None
        for segment, piece in zip(self.segments, pieces[1:], strict=False):
            if isinstance(segment, str) and segment != piece.lower():
                return None
        return self.bind(pieces, end)

    def bind(self, pieces: list[str], end: int) -> dict[str, str] | None:
        """Take the values out of a path whose length and literals fit already.

        `pieces` is the path split at its slashes; its segments are `pieces[1:end]`, a trailing slash left out.
        """
        values: dict[str, str] = {}
        for index, segment in self._captures:
            if isinstance(segment, MixedSegment):
                if not segment.bind(pieces[index], values):
                    return None
            elif index >= end:
                if not segment.bind_absent(values):
                    return None
            else:
                value = "/".join(pieces[index:]) if segment.catch_all else pieces[index]
                if not (value and segment.accepts(value)):
                    return None
                values[segment.name] = value
        return values


_in_use: WeakValueDictionary[str, Template] = WeakValueDictionary()
"""The templates that somebody holds: those of the table in force, which the next configuration mostly has too."""

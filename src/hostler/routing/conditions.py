"""Conditions on a request's headers and query, as YARP's header and query matchers judge them (A4).

A condition has a subject: a header's lines, the tokens that its lines list, or a query parameter's values. Several
occurrences are one subject. Each mode asks something else of it:

| mode | subject | holds when |
|---|---|---|
| ExactHeader, HeaderPrefix | tokens | one equals, or begins with, one of the condition's values |
| Exact, Prefix | parameter | the same |
| Contains | lines, parameter | one contains one of the condition's values |
| NotContains | lines, parameter | none contains any of them; there may be none at all |
| Exists, NotExists | lines, parameter | there is something, or nothing; a single empty one is nothing |

Header lines are read as UTF-8, as Kestrel reads them. Names have no case; values have none unless the condition says
so (.NET's `OrdinalIgnoreCase`).
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

from attrs import frozen

from hostler.config.model import HeaderMatch, HeaderMatchMode, QueryMatch, QueryMatchMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hostler.config.model import Route
    from hostler.http.message import Request
    from hostler.http.target import Target

__all__ = ["Aspect", "Condition", "Head", "Subject", "Subjects", "conditions_of"]


class Head(Protocol):
    """What conditions look at: an exchange."""

    @property
    def request(self) -> Request:
        """The request, with its headers."""
        ...

    @property
    def target(self) -> Target:
        """Its target, with the query."""
        ...


class Aspect(enum.Enum):
    """What of a request a condition looks at."""

    LINES = enum.auto()
    """A header's lines, each as it stands."""

    TOKENS = enum.auto()
    """What a header's lines list: split at commas (Cookie's at semicolons), without leading spaces and quotes."""

    PARAMETER = enum.auto()
    """A query parameter's values, decoded."""


@frozen(cache_hash=True)
class Subject:
    """What a condition looks at."""

    aspect: Aspect
    name: str
    """A header's in lower case; a query parameter's folded."""

    ignores_case: bool = True


Values: TypeAlias = tuple[str, ...]


class Subjects:
    """The subjects of one request, each read when it is first asked for; a request without a head has none."""

    __slots__ = ("_head", "_known", "_parameters")

    def __init__(self, head: Head | None) -> None:
        self._head = head
        self._known: dict[Subject, Values] = {}
        self._parameters: dict[str, list[str]] | None = None

    def __getitem__(self, subject: Subject) -> Values:
        values = self._known.get(subject)
        if values is None:
            values = self._known[subject] = self._read(subject)
        return values

    def _read(self, subject: Subject) -> Values:
        if self._head is None:
            return ()
        if subject.ignores_case:
            return tuple(map(_fold, self[Subject(subject.aspect, subject.name, ignores_case=False)]))
        if subject.aspect is Aspect.PARAMETER:
            return tuple(self._query().get(subject.name, ()))
        if subject.aspect is Aspect.TOKENS:
            separator = ";" if subject.name == "cookie" else ","
            lines = self[Subject(Aspect.LINES, subject.name, ignores_case=False)]
            # once each, however often a client repeats it
            return tuple(dict.fromkeys(token for line in lines for token in _tokens(line, separator)))
        raw = self._head.request.headers.get_all_raw(_name(subject.name))
        return tuple(value.decode("utf-8", "surrogateescape") for value in raw)

    def _query(self) -> dict[str, list[str]]:
        """Read the query as ASP.NET does: pairs between `&`, a plus is a space, then escapes are decoded once."""
        if self._parameters is None:
            self._parameters = {}
            query = self._head.target.query if self._head is not None else None
            for pair in filter(None, (query or b"").split(b"&")):
                name, _, value = pair.partition(b"=")
                self._parameters.setdefault(_fold(_decode(name)), []).append(_decode(value))
        return self._parameters


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _decode(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


_TOKENS: Final[Mapping[str, re.Pattern[str]]] = {
    separator: re.compile(rf'[^"{separator}]*+(?:"[^"]*+"[^"{separator}]*+)*+(?:"[^"]*+)?')
    for separator in ",;"
}
"""What stands before a separator, or the end; a separator between quotes is none, and an open quote takes the rest."""


def _tokens(line: str, separator: str) -> Iterator[str]:
    pattern = _TOKENS[separator]
    at = 0
    while at < len(line) and (found := pattern.match(line, at)):
        token = found[0].lstrip(" ")
        yield token[1:-1] if len(token) > 1 and token[0] == token[-1] == '"' else token
        at = found.end() + 1


_WITHOUT_CAPITAL: Final = frozenset("\u0131\u017f")
"""Letters whose capital is a plain I or S, and which .NET nevertheless compares as themselves."""


def _fold(text: str) -> str:
    """Return a text as `OrdinalIgnoreCase` compares it: each character's simple upper-case mapping."""
    if text.isascii():
        return text.upper()
    return "".join(
        upper if len(upper := character.upper()) == 1 and character not in _WITHOUT_CAPITAL else character
        for character in text
    )


Test: TypeAlias = "Callable[[Values], bool]"


def _is_any_of(wanted: Values) -> Test:
    known = frozenset(wanted)
    return lambda values: not known.isdisjoint(values)


def _begins_with_any_of(wanted: Values) -> Test:
    return lambda values: any(value.startswith(wanted) for value in values)


def _contains_any_of(wanted: Values) -> Test:
    return lambda values: any(part in value for value in values for part in wanted)


def _contains_none_of(wanted: Values) -> Test:
    return lambda values: not any(part in value for value in values for part in wanted)


def _exists(_: Values) -> Test:
    return lambda values: values not in _NOTHING


def _does_not_exist(_: Values) -> Test:
    return lambda values: values in _NOTHING


_NOTHING: Final = ((), ("",))

_MODES: Final[Mapping[HeaderMatchMode | QueryMatchMode, tuple[Aspect, Callable[[Values], Test], str]]] = {
    HeaderMatchMode.EXACT_HEADER: (Aspect.TOKENS, _is_any_of, "is {}"),
    HeaderMatchMode.HEADER_PREFIX: (Aspect.TOKENS, _begins_with_any_of, "begins with {}"),
    HeaderMatchMode.CONTAINS: (Aspect.LINES, _contains_any_of, "contains {}"),
    HeaderMatchMode.NOT_CONTAINS: (Aspect.LINES, _contains_none_of, "does not contain {}"),
    HeaderMatchMode.EXISTS: (Aspect.LINES, _exists, "exists"),
    HeaderMatchMode.NOT_EXISTS: (Aspect.LINES, _does_not_exist, "does not exist"),
    QueryMatchMode.EXACT: (Aspect.PARAMETER, _is_any_of, "is {}"),
    QueryMatchMode.PREFIX: (Aspect.PARAMETER, _begins_with_any_of, "begins with {}"),
    QueryMatchMode.CONTAINS: (Aspect.PARAMETER, _contains_any_of, "contains {}"),
    QueryMatchMode.NOT_CONTAINS: (Aspect.PARAMETER, _contains_none_of, "does not contain {}"),
    QueryMatchMode.EXISTS: (Aspect.PARAMETER, _exists, "exists"),
}
"""For each mode its subject, its test, and what it asks for in words."""

_EXACT: Final = frozenset({HeaderMatchMode.EXACT_HEADER, QueryMatchMode.EXACT})


@frozen(eq=False)
class Condition:
    """A condition of a route, ready to be tested."""

    rule: HeaderMatch | QueryMatch
    subject: Subject
    _holds: Test

    @classmethod
    def of(cls, rule: HeaderMatch | QueryMatch) -> Condition:
        """Make the condition that a route states."""
        aspect, test, _ = _MODES[rule.mode]
        ignores_case = not rule.is_case_sensitive
        name = _fold(rule.name) if aspect is Aspect.PARAMETER else rule.name.lower()
        wanted = tuple(map(_fold, rule.values)) if ignores_case else rule.values
        return cls(rule, Subject(aspect, name, ignores_case), test(wanted))

    def holds(self, subjects: Subjects) -> bool:
        """Tell whether a request satisfies it."""
        return self._holds(subjects[self.subject])

    @property
    def keys(self) -> Iterator[tuple[Subject, str]]:
        """What a request must have one of, for the condition to hold: a subject and a value of it, without case.

        None of a condition that asks for no exact value.
        """
        if self.rule.mode in _EXACT:
            subject = Subject(self.subject.aspect, self.subject.name)
            for value in self.rule.values:
                yield subject, _fold(value)

    def __str__(self) -> str:
        values = " or ".join(f'"{value}"' for value in self.rule.values)
        return f"{self.rule.name} {_MODES[self.rule.mode][2].format(values)}"


def conditions_of(route: Route) -> tuple[Condition, ...]:
    """Make the conditions of a route: those on headers, then those on the query."""
    if not (route.headers or route.query_parameters):
        return ()
    rules: tuple[HeaderMatch | QueryMatch, ...] = (*route.headers, *route.query_parameters)
    return tuple(map(Condition.of, rules))

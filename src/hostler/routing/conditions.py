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
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes
from weakref import WeakValueDictionary

from attrs import frozen

from hostler.config.model import HeaderMatch, HeaderMatchMode, QueryMatch, QueryMatchMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hostler.config.model import Route
    from hostler.http.target import Target

__all__ = ["Aspect", "Condition", "Head", "Subject", "Subjects", "Values", "conditions_of"]


class Head(Protocol):
    """What conditions look at: an exchange."""

    def header_values(self, name: bytes) -> list[bytes]:
        """Return every value of a request header, given in lower case, one per line, in order."""
        ...

    @property
    def target(self) -> Target:
        """The request's target, with the query."""
        ...


class Aspect(enum.Enum):
    """What of a request a condition looks at."""

    LINES = enum.auto()
    """A header's lines, each as it stands."""

    TOKENS = enum.auto()
    """What a header's lines list: split at commas (Cookie's at semicolons), without leading spaces and quotes."""

    PARAMETER = enum.auto()
    """A query parameter's values, decoded."""


@frozen(eq=False)
class Subject:
    """What a condition looks at; there is one of each, made with `Subject.of`."""

    aspect: Aspect
    name: str
    """A header's in lower case; a query parameter's folded."""

    ignores_case: bool
    basis: Subject | None
    """The subject whose values its own are made of."""

    @classmethod
    def of(cls, aspect: Aspect, name: str, *, ignores_case: bool = True) -> Subject:
        """Return a subject: the one that is in use, if there is one."""
        key = (aspect, name, ignores_case)
        subject = _in_use.get(key)
        if subject is None:
            basis = None
            if ignores_case:
                basis = cls.of(aspect, name, ignores_case=False)
            elif aspect is Aspect.TOKENS:
                basis = cls.of(Aspect.LINES, name, ignores_case=False)
            subject = _in_use[key] = cls(*key, basis)
        return subject


_in_use: WeakValueDictionary[tuple[Aspect, str, bool], Subject] = WeakValueDictionary()


class Values:
    """The values of a subject, sorted: whatever a client sends, a condition searches them in little time."""

    __slots__ = ("_text", "_values")

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted(values)
        self._text: str | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def exist(self) -> bool:
        """Tell whether there is something: a single empty value is nothing (`StringValues.IsNullOrEmpty`)."""
        return self._values not in _NOTHING

    def has(self, wanted: str) -> bool:
        """Tell whether one of them is `wanted`."""
        at = bisect_left(self._values, wanted)
        return at < len(self._values) and self._values[at] == wanted

    def has_beginning(self, wanted: str) -> bool:
        """Tell whether one of them begins with `wanted`."""
        at = bisect_left(self._values, wanted)
        return at < len(self._values) and self._values[at].startswith(wanted)

    def has_part(self, wanted: str) -> bool:
        """Tell whether one of them contains `wanted`."""
        if self._text is None:
            self._text = _BETWEEN.join(self._values)
        return wanted in self._text


_NOTHING: Final[tuple[list[str], ...]] = ([], [""])
_BETWEEN: Final = "\ud800"
"""What no value has, since none is decoded to it."""


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
            return Values(())
        basis = subject.basis
        if basis is not None:
            if subject.ignores_case:
                return Values(map(_fold, self[basis]))
            separator = ";" if subject.name == "cookie" else ","
            tokens = {token for line in self[basis] for token in _tokens(line, separator)}
            tokens.discard("")  # which no condition asks for
            return Values(tokens)
        if subject.aspect is Aspect.PARAMETER:
            return Values(self._query().get(subject.name, ()))
        raw = self._head.header_values(subject.name.encode("utf-8", "surrogatepass"))
        return Values([value.decode("utf-8", "surrogateescape") for value in raw])

    def _query(self) -> dict[str, list[str]]:
        """Read the query as ASP.NET does: pairs between `&`, a plus is a space, then escapes are decoded once."""
        if self._parameters is None:
            self._parameters = {}
            query = self._head.target.query if self._head is not None else None
            for pair in filter(None, (query or b"").split(b"&")):
                name, _, value = pair.partition(b"=")
                self._parameters.setdefault(_fold(_decode(name)), []).append(_decode(value))
        return self._parameters


def _decode(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


_TOKENS: Final[Mapping[str, re.Pattern[str]]] = {
    separator: re.compile(rf'[^"{separator}]*+(?:"[^"]*+"[^"{separator}]*+)*+(?:"[^"]*+)?')
    for separator in ",;"
}
"""What stands before a separator, or the end; a separator between quotes is none, and an open quote takes the rest."""


def _tokens(line: str, separator: str) -> Iterable[str]:
    if '"' not in line:
        return [token.lstrip(" ") for token in line.split(separator)]
    tokens: list[str] = []
    at = 0
    while at < len(line) and (found := _TOKENS[separator].match(line, at)):
        token = found[0].lstrip(" ")
        tokens.append(token[1:-1] if len(token) > 1 and token[0] == token[-1] == '"' else token)
        at = found.end() + 1
    return tokens


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


Test: TypeAlias = "Callable[[Values, str], bool]"
"""Tells whether values have something to do with one of a condition's values."""

_MODES: Final[Mapping[HeaderMatchMode | QueryMatchMode, tuple[Aspect, Test | None, str]]] = {
    HeaderMatchMode.EXACT_HEADER: (Aspect.TOKENS, Values.has, "is {}"),
    HeaderMatchMode.HEADER_PREFIX: (Aspect.TOKENS, Values.has_beginning, "begins with {}"),
    HeaderMatchMode.CONTAINS: (Aspect.LINES, Values.has_part, "contains {}"),
    HeaderMatchMode.NOT_CONTAINS: (Aspect.LINES, Values.has_part, "does not contain {}"),
    HeaderMatchMode.EXISTS: (Aspect.LINES, None, "exists"),
    HeaderMatchMode.NOT_EXISTS: (Aspect.LINES, None, "does not exist"),
    QueryMatchMode.EXACT: (Aspect.PARAMETER, Values.has, "is {}"),
    QueryMatchMode.PREFIX: (Aspect.PARAMETER, Values.has_beginning, "begins with {}"),
    QueryMatchMode.CONTAINS: (Aspect.PARAMETER, Values.has_part, "contains {}"),
    QueryMatchMode.NOT_CONTAINS: (Aspect.PARAMETER, Values.has_part, "does not contain {}"),
    QueryMatchMode.EXISTS: (Aspect.PARAMETER, None, "exists"),
}
"""For each mode its subject, how that is compared with a value, and what the mode asks for in words."""

_NEGATIVE: Final = frozenset(
    {HeaderMatchMode.NOT_CONTAINS, HeaderMatchMode.NOT_EXISTS, QueryMatchMode.NOT_CONTAINS}
)
_EXACT: Final = frozenset({HeaderMatchMode.EXACT_HEADER, QueryMatchMode.EXACT})


@frozen(eq=False)
class Condition:
    """A condition of a route, ready to be tested."""

    rule: HeaderMatch | QueryMatch
    subject: Subject
    _wanted: tuple[str, ...]
    _test: Test | None
    _positive: bool

    @classmethod
    def of(cls, rule: HeaderMatch | QueryMatch) -> Condition:
        """Make the condition that a route states."""
        aspect, test, _ = _MODES[rule.mode]
        ignores_case = not rule.is_case_sensitive
        name = _fold(rule.name) if aspect is Aspect.PARAMETER else rule.name.lower()
        wanted = tuple(map(_fold, rule.values)) if ignores_case else rule.values
        return cls(
            rule,
            Subject.of(aspect, name, ignores_case=ignores_case),
            wanted,
            test,
            rule.mode not in _NEGATIVE,
        )

    def holds(self, subjects: Subjects) -> bool:
        """Tell whether a request satisfies it."""
        test, values = self._test, subjects[self.subject]
        if test is None:
            return values.exist() is self._positive
        for wanted in self._wanted:
            if test(values, wanted):
                return self._positive
        return not self._positive

    @property
    def keys(self) -> Iterator[tuple[Subject, str]]:
        """What a request must have one of, for the condition to hold: a subject and a value of it, without case.

        None of a condition that asks for no exact value.
        """
        if self.rule.mode in _EXACT:
            subject = Subject.of(self.subject.aspect, self.subject.name)
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

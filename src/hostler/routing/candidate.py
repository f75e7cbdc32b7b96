"""A route under one of its hosts: what is tested for a request, and its place in the order of precedence."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from attrs import define, field

from hostler.http.target import parse_host
from hostler.routing.conditions import Condition, conditions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hostler.config.model import Route
    from hostler.routing.conditions import Subjects
    from hostler.routing.template import Template

__all__ = ["Candidate", "Key", "Match", "RouteLike", "split_host"]

_NO_VALUES: Mapping[str, str] = MappingProxyType({})


class RouteLike(Protocol):
    """What a table holds: anything with a route's configuration."""

    @property
    def config(self) -> Route:
        """What a request must look like."""
        ...


R = TypeVar("R", bound=RouteLike)


@define(eq=False)
class Match(Generic[R]):
    """The route that a request takes; where the path has to satisfy nothing more, the same for every request."""

    route: R
    template: Template

    def values(self, path: str) -> Mapping[str, str]:
        """Return the template's parameters in the path that was looked up, decoded; a catch-all's has its slashes."""
        if not self.template.has_parameters:
            return _NO_VALUES
        pieces = (path or "/").split("/")
        return self.template.bind(pieces, len(pieces) - (not pieces[-1])) or _NO_VALUES


Key: TypeAlias = tuple[int, tuple[int, ...], bool, int, int, bool, int, int]
"""What ranks are made from: see `routing.table`."""


@define(eq=False)
class Candidate(Generic[R]):
    """A route under one of its hosts, ready to be tested."""

    route: R
    template: Template
    host: str
    """The host that a request must be for, in lower case: `a.example.com`, `*.example.com`, or `*` for any."""

    port: int | None
    """The port that it must name; None for any."""

    conditions: tuple[Condition, ...] = field(init=False)
    key: Key = field(init=False)
    methods: frozenset[str] | None = field(init=False)
    takes_preflight: bool = field(init=False)
    """Whether it may be for the method that a CORS preflight asks about: it has a CORS policy, `Disable` too."""

    match: Match[R] = field(init=False)
    """The answer."""

    always: bool = field(init=False)
    """Whether there is nothing to test but the method, and that it has it is enough where no other candidate is."""

    rank: int = 0
    """Where it stands among all candidates of its table; several may stand equal."""

    @conditions.default
    def _conditions(self) -> tuple[Condition, ...]:
        return conditions_of(self.route.config)

    @key.default
    def _key(self) -> Key:
        config = self.route.config
        return (
            config.order,
            self.template.precedence,
            not config.methods,
            *_specificity(self.host, self.port),
            -len(config.headers),
            -len(config.query_parameters),
        )

    @methods.default
    def _methods(self) -> frozenset[str] | None:
        return _methods(self.route.config.methods)

    @takes_preflight.default
    def _takes_preflight(self) -> bool:
        return bool(self.route.config.cors_policy)

    @match.default
    def _match(self) -> Match[R]:
        return Match(self.route, self.template)

    @always.default
    def _always(self) -> bool:
        asks_preflight = self.takes_preflight and self.methods is not None and "OPTIONS" in self.methods
        return self.template.always_binds and not self.conditions and not asks_preflight

    def admits(self, method: str, preflight: str | None) -> bool:
        """Tell whether a request's method is one of the route's.

        `preflight` is the method that a CORS preflight asks about, where routes are to answer it.
        """
        if preflight is None:
            return self.methods is None or method in self.methods
        return self.takes_preflight and (self.methods is None or preflight in self.methods)

    def binds(self, pieces: list[str], end: int) -> bool:
        """Test what the tree did not: constraints and mixed segments."""
        return self.template.always_binds or self.template.bind(pieces, end) is not None

    def accepts(self, pieces: list[str], end: int, subjects: Subjects) -> bool:
        """Test all but host, literals and method: what the tree did not, then the conditions."""
        if not (self.always or self.binds(pieces, end)):
            return False
        for condition in self.conditions:  # noqa: SIM110 - all() with a generator costs three times as much here
            if not condition.holds(subjects):
                return False
        return True


@lru_cache(1000)  # routes have the same few
def _methods(names: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(map(str.upper, names)) or None


def split_host(text: str) -> tuple[str, int | None]:
    """Split a route's host into what a request's is compared with (ASCII, lower case, no last dot) and its port."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        host, port = text, ""
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if host.startswith("["):
        host = parse_host(host.encode("ascii"))[0]
    return host.removesuffix(".").lower(), int(port) if port else None


def _specificity(host: str, port: int | None) -> tuple[int, int, bool]:
    """Rank a host; the smaller the more specific."""
    wildcard = host.startswith("*")
    return (wildcard + (host == "*" and port is None), -len(host) if wildcard else 0, port is None)

"""The table that finds a request's route, chosen as ASP.NET Core's endpoint routing and YARP choose.

A request's candidates are the routes whose host and path it has. Hosts are looked up in dicts, then the path is walked
through a tree with a dict of lower-cased literals in each node, so the cost of a look-up is that of the path's
length and of the candidates, not of the routes. Constraints and mixed segments are tested on candidates only.

Among the candidates that accept the request, the smallest rank wins:

1. `order`;
2. the template's precedence (`Template.precedence`);
3. method: routes that list methods before routes that do not;
4. host: the more specific first. `a.example.com:80`, `a.example.com`, `*.example.com:80`, `*.example.com`,
   longer suffixes before shorter ones, `*:80`, none.

Two different routes of the same smallest rank are an error of the configuration that only a request shows. Header
and query conditions are the next two places in the rank, and the next two tests in `Table._choose`.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from attrs import Factory, define, field

from hostler.http.target import parse_host
from hostler.routing.template import Template
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hostler.config.model import Route

__all__ = ["Match", "Miss", "MissKind", "RouteLike", "Table"]

_EVERY_PATH = "/{**catchall}"
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


class MissKind(enum.Enum):
    """Why a request has no route; the value is the status of the answer."""

    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    AMBIGUOUS = 500


@define(eq=False)
class Miss:
    """A request that no route takes, or more than one."""

    kind: MissKind
    allow: tuple[str, ...] = ()
    """For METHOD_NOT_ALLOWED: what the Allow header lists."""

    routes: tuple[str, ...] = ()
    """For AMBIGUOUS: the ids of the two routes."""

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.kind.value


_Key: TypeAlias = tuple[int, tuple[int, ...], bool, int, int, bool]

_NOT_FOUND = Miss(MissKind.NOT_FOUND)


@define(eq=False)
class _Candidate(Generic[R]):
    """A route under one of its hosts, ready to be tested."""

    route: R
    template: Template
    key: _Key
    """What ranks are made from; see the module."""

    methods: frozenset[str] | None = field(init=False)
    match: Match[R] = field(init=False)
    """The answer."""

    always: bool = field(init=False)
    """Whether there is nothing to test but the method."""

    rank: int = 0

    @methods.default
    def _methods(self) -> frozenset[str] | None:
        return _methods(self.route.config.methods)

    @match.default
    def _match(self) -> Match[R]:
        return Match(self.route, self.template)

    @always.default
    def _always(self) -> bool:
        return self.template.always_binds

    def accepts(self, pieces: list[str], end: int) -> bool:
        """Test what the tree did not: constraints and mixed segments."""
        return self.always or self.template.bind(pieces, end) is not None


@lru_cache(1000)  # routes have the same few
def _methods(names: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(map(str.upper, names)) or None


_RANK = attrgetter("rank")


@define(eq=False)
class _Node(Generic[R]):
    """A place in the tree of paths: what comes after some segments."""

    literals: dict[str, _Node[R]] = Factory(dict)
    parameter: _Node[R] | None = None
    """After a segment that is a parameter, or a mix with one."""

    here: list[_Candidate[R]] | None = None
    """What paths that end here have. Most nodes have none: what there is none of is no work for the collector."""

    below: list[_Candidate[R]] | None = None
    """What every path has that passes here: catch-alls."""

    def add(self, candidate: _Candidate[R]) -> None:
        template = candidate.template
        node = self
        segments = template.segments[:-1] if template.catch_all else template.segments
        for index, segment in enumerate(segments):
            if index >= template.required:
                node.end_here(candidate)
            if isinstance(segment, str):
                node = node.literals.setdefault(segment, _Node())
            else:
                node.parameter = node = node.parameter or _Node()
        if not template.catch_all:
            node.end_here(candidate)
        elif node.below is None:
            node.below = [candidate]
        else:
            node.below.append(candidate)

    def end_here(self, candidate: _Candidate[R]) -> None:
        if self.here is None:
            self.here = [candidate]
        else:
            self.here.append(candidate)

    def collect(self, folded: list[str], at: int, end: int, found: list[_Candidate[R]]) -> None:
        """Add the candidates of the path `folded[at:end]` to `found`."""
        node = self
        while at < end:
            if node.below:
                found += node.below
            segment = folded[at]
            at += 1
            child = node.literals.get(segment)
            if segment and (parameter := node.parameter) is not None:
                if child is not None:
                    child.collect(folded, at, end, found)
                child = parameter
            if child is None:
                return
            node = child
        if node.below:
            found += node.below
        if node.here:
            found += node.here


_Trees = dict[str, list[tuple[int | None, _Node[R]]]]


class Table(Generic[R]):
    """Finds routes; built once for a set of them. Raises TemplateError for a route whose path is no template."""

    def __init__(self, routes: Iterable[R]) -> None:
        self._anywhere: _Node[R] = _Node()
        self._hosts: _Trees[R] = {}
        self._suffixes: _Trees[R] = {}
        self._every_path: _Candidate[R] | None = None
        """The one route of a table which has no other, and takes every path on every host."""
        finish(self._fill(routes))

    @classmethod
    def build(cls, routes: Iterable[R]) -> Steps[Table[R]]:
        """Make a table in steps."""
        table = cls(())
        yield from table._fill(routes)
        return table

    def _fill(self, routes: Iterable[R]) -> Steps[None]:
        candidates: list[_Candidate[R]] = []
        for route in routes:
            yield
            candidates += self._candidates(route)
        # there are few keys, however many routes there are
        ranks = {key: rank for rank, key in enumerate(sorted({candidate.key for candidate in candidates}))}
        for candidate in candidates:
            candidate.rank = ranks[candidate.key]
        if len(candidates) == 1 and candidates[0].always and self._anywhere.below:
            self._every_path = candidates[0]

    def find(self, method: str, host: str, port: int, path: str) -> Match[R] | Miss:
        """Find the route of a request.

        `host` is lower-cased and has no port, as `http.target.parse_host` gives it; `port` is the one that Host
        names, else its scheme's default. `path` is decoded; "" is taken for "/".
        """
        if self._every_path is not None:
            candidate = self._every_path
            if candidate.methods is None or method in candidate.methods:
                return candidate.match
        pieces = (path or "/").split("/")
        end = len(pieces) - (not pieces[-1])
        lowered = path.lower()
        folded = pieces if lowered == path else lowered.split("/")
        found: list[_Candidate[R]] = []
        self._anywhere.collect(folded, 1, end, found)
        if self._hosts or self._suffixes:
            for tree in self._trees(host, port):
                tree.collect(folded, 1, end, found)
        if len(found) == 1:
            candidate = found[0]
            if candidate.always and (candidate.methods is None or method in candidate.methods):
                return candidate.match
        else:
            found.sort(key=_RANK)
        return self._choose(found, method, pieces, end)

    @staticmethod
    def _choose(found: list[_Candidate[R]], method: str, pieces: list[str], end: int) -> Match[R] | Miss:
        """Take the first of the ranked candidates that accepts the request, if no other of its rank does too."""
        best: Match[R] | None = None
        rank = 0
        refused: list[_Candidate[R]] = []
        for candidate in found:
            if best is not None and candidate.rank != rank:
                break
            if candidate.methods is not None and method not in candidate.methods:
                refused.append(candidate)
            elif candidate.accepts(pieces, end):
                if best is None:
                    best = candidate.match
                    rank = candidate.rank
                elif candidate.route is not best.route:
                    return Miss(MissKind.AMBIGUOUS, routes=(best.route.config.id, candidate.route.config.id))
        if best is not None:
            return best
        allow = {name for item in refused if item.accepts(pieces, end) for name in item.methods or ()}
        return Miss(MissKind.METHOD_NOT_ALLOWED, tuple(sorted(allow))) if allow else _NOT_FOUND

    def _candidates(self, route: R) -> Iterable[_Candidate[R]]:
        """Put a route into the trees of its hosts."""
        config = route.config
        template = Template.parse(config.path or _EVERY_PATH)
        for text in dict.fromkeys(config.hosts) or ("*",):
            host, port = _split_host(text)
            key: _Key = (config.order, template.precedence, not config.methods, *_specificity(host, port))
            candidate = _Candidate(route, template, key)
            self._tree(host, port).add(candidate)
            yield candidate

    def _tree(self, host: str, port: int | None) -> _Node[R]:
        """Give the tree of a host, which a first route makes."""
        if host == "*" and port is None:
            return self._anywhere
        trees = self._suffixes if host.startswith("*") else self._hosts
        ports = trees.setdefault(host.removeprefix("*"), [])
        for other, tree in ports:
            if other == port:
                return tree
        ports.append((port, _Node()))
        return ports[-1][1]

    def _trees(self, host: str, port: int) -> Iterable[_Node[R]]:
        """Give the trees of the hosts that `host` and `port` satisfy."""
        named = self._hosts.get(host, [])
        if self._suffixes:
            named = [*named, *self._suffixes.get("", ())]
            dot = host.find(".", 1)
            while dot > 0:
                named += self._suffixes.get(host[dot:], ())
                dot = host.find(".", dot + 1)
        return [tree for wanted, tree in named if wanted is None or wanted == port]


def _split_host(text: str) -> tuple[str, int | None]:
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

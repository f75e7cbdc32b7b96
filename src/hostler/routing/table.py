"""The table that finds a request's route, chosen as ASP.NET Core's endpoint routing and YARP choose.

A request's candidates are the routes whose host and path it has. Hosts are looked up in dicts, then the path is walked
through a tree with a dict of lower-cased literals in each node, so the cost of a look-up is that of the path's
length and of the candidates, not of the routes. What asks for an exact value of a header or a query parameter is
looked up by that value. Constraints, mixed segments and conditions are tested on candidates only, and a request's
headers and query are not looked at unless a candidate has conditions on them.

Among the candidates that accept the request, the smallest rank wins:

1. `order`;
2. the template's precedence (`Template.precedence`);
3. method: routes that list methods before routes that do not;
4. host: the more specific first. `a.example.com:80`, `a.example.com`, `*.example.com:80`, `*.example.com`,
   longer suffixes before shorter ones, `*:80`, none;
5. headers: the more conditions the better;
6. query: the more conditions the better.

Different routes of the same smallest rank are an error of the configuration that only a request shows.

Methods are asked before conditions, as in ASP.NET, where they are edges of the graph that leads to the candidates
(`HttpMethodMatcherPolicy`) and conditions are applied to what is found there (`HeaderMatcherPolicy`). So a method that
no candidate has is 405, whatever the conditions say; where one has it and its conditions fail, the answer is 404. A
CORS preflight is for the method that it asks about, as soon as one candidate has methods and a CORS policy: then routes
with a CORS policy alone are candidates, and there is no 405.
"""

from __future__ import annotations

import enum
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, TypeAlias

from attrs import define

from hostler.routing.candidate import Candidate, Match, R, RouteLike, split_host
from hostler.routing.conditions import Aspect, Subject, Subjects
from hostler.routing.template import Template
from hostler.routing.tree import Entry, Index, Node, choose_condition, count_keys
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hostler.routing.conditions import Head

__all__ = ["MAX_NAMED", "Match", "Miss", "MissKind", "RouteLike", "Table", "find_preflight"]

MAX_NAMED: Final = 10
"""How many routes are named that match equally well: no more are looked for than one that stands for all others."""

_EVERY_PATH: Final = "/{**catchall}"


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
    """For AMBIGUOUS: the ids of the routes, of more than `MAX_NAMED` that many and one more."""

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.kind.value


_NOT_FOUND: Final = Miss(MissKind.NOT_FOUND)
_NO_SUBJECTS: Final = Subjects(None)
_RANK: Final = attrgetter("rank")
_ORIGIN: Final = Subject.of(Aspect.LINES, "origin")
_REQUESTED_METHOD: Final = Subject.of(Aspect.LINES, "access-control-request-method", ignores_case=False)

_Trees: TypeAlias = dict[str, list[tuple[int | None, Node[R]]]]


class Table(Generic[R]):
    """Finds routes; built once for a set of them. Raises TemplateError for a route whose path is no template."""

    def __init__(self, routes: Iterable[R]) -> None:
        self._anywhere: Node[R] = Node()
        self._hosts: _Trees[R] = {}
        self._suffixes: _Trees[R] = {}
        self.only: Match[R] | None = None
        """What `find` returns for every request: the match of the one route of a table, where it takes everything."""
        self._has_conditions = False
        self._takes_preflights = False
        """Whether a route with methods and a CORS policy is to have the preflights for its methods."""
        self.candidates: list[Candidate[R]] = []
        """All of them, in the order of precedence."""
        finish(self._fill(routes))

    @classmethod
    def build(cls, routes: Iterable[R]) -> Steps[Table[R]]:
        """Make a table in steps."""
        table = cls(())
        yield from table._fill(routes)
        return table

    def _fill(self, routes: Iterable[R]) -> Steps[None]:
        candidates: list[Candidate[R]] = []
        for route in routes:
            yield
            candidates += _candidates(route)
        # there are few keys, however many routes there are
        ranks = {key: rank for rank, key in enumerate(sorted({candidate.key for candidate in candidates}))}
        shared = yield from count_keys(candidates)
        for candidate in candidates:
            yield
            candidate.rank = ranks[candidate.key]
            self._tree(candidate.host, candidate.port).add(candidate, choose_condition(candidate, shared))
            self._has_conditions |= bool(candidate.conditions)
            self._takes_preflights |= candidate.takes_preflight and candidate.methods is not None
        candidates.sort(key=_RANK)
        self.candidates = candidates
        if (
            len(candidates) == 1
            and candidates[0].always
            and self._anywhere.below
            and not candidates[0].methods
        ):
            self.only = candidates[0].match

    def find(self, method: str, host: str, port: int, path: str, head: Head | None = None) -> Match[R] | Miss:
        """Find the route of a request.

        `host` is lower-cased and has no port, as `http.target.parse_host` gives it; `port` is the one that Host
        names, else its scheme's default. `path` is decoded; "" is taken for "/". `head` is asked for headers and query
        where that matters; None has neither.
        """
        if self.only is not None:
            return self.only
        pieces = (path or "/").split("/")
        end = len(pieces) - (not pieces[-1])
        lowered = path.lower()
        folded = pieces if lowered == path else lowered.split("/")
        found: list[Entry[R]] = []
        self._anywhere.collect(folded, 1, end, found)
        if self._hosts or self._suffixes:
            for tree in self._trees(host, port):
                tree.collect(folded, 1, end, found)
        if len(found) == 1:
            candidate: Candidate[R] = found[0]  # type: ignore[assignment] # an index is never `always`
            if candidate.always and (candidate.methods is None or method in candidate.methods):
                return candidate.match
        return self._choose(found, method, pieces, end, head)

    def _choose(
        self, found: list[Entry[R]], method: str, pieces: list[str], end: int, head: Head | None
    ) -> Match[R] | Miss:
        """Take the candidate of the smallest rank that accepts the request, if no other of its rank does too."""
        subjects, preflight = _NO_SUBJECTS, None
        if self._has_conditions or (self._takes_preflights and method == "OPTIONS"):
            subjects = Subjects(head)
            if self._takes_preflights and method == "OPTIONS":
                preflight = find_preflight(found, pieces, end, subjects)
        best: Match[R] | None = None
        rank = 0
        equal: list[str] = []
        for candidate in self._ranked(found, subjects):
            if best is not None and candidate.rank != rank:
                break
            if not candidate.admits(method, preflight) or not candidate.accepts(pieces, end, subjects):
                continue
            if best is None:
                best = candidate.match
                rank = candidate.rank
            elif candidate.route is not best.route:
                equal.append(candidate.route.config.id)
                if len(equal) == MAX_NAMED:
                    break
        if best is not None and equal:
            return Miss(MissKind.AMBIGUOUS, routes=(best.route.config.id, *dict.fromkeys(equal)))
        return _refuse(found, method, preflight, pieces, end) if best is None else best

    def _ranked(self, found: list[Entry[R]], subjects: Subjects) -> list[Candidate[R]]:
        """Return the candidates among the entries that were found, by rank; of those in an index the ones to be tested."""
        candidates: list[Candidate[R]]
        if self._has_conditions:
            candidates = []
            for entry in found:
                if isinstance(entry, Index):
                    candidates += entry.find(subjects)
                else:
                    candidates.append(entry)
        else:
            candidates = found  # type: ignore[assignment]
        candidates.sort(key=_RANK)
        return candidates

    def is_for(self, candidate: Candidate[R], host: str, port: int) -> bool:
        """Tell whether a request's host is that of a candidate: whether `find` looks where it stands."""
        tree = self._tree(candidate.host, candidate.port)
        return tree is self._anywhere or tree in self._trees(host, port)

    def _tree(self, host: str, port: int | None) -> Node[R]:
        """Give the tree of a host, which a first route makes."""
        if host == "*" and port is None:
            return self._anywhere
        trees = self._suffixes if host.startswith("*") else self._hosts
        ports = trees.setdefault(host.removeprefix("*"), [])
        for other, tree in ports:
            if other == port:
                return tree
        ports.append((port, Node()))
        return ports[-1][1]

    def _trees(self, host: str, port: int) -> Iterable[Node[R]]:
        """Give the trees of the hosts that `host` and `port` satisfy."""
        named = self._hosts.get(host, [])
        if self._suffixes:
            named = [*named, *self._suffixes.get("", ())]
            dot = host.find(".", 1)
            while dot > 0:
                named += self._suffixes.get(host[dot:], ())
                dot = host.find(".", dot + 1)
        return [tree for wanted, tree in named if wanted is None or wanted == port]


def _candidates(route: R) -> Iterator[Candidate[R]]:
    config = route.config
    template = Template.parse(config.path or _EVERY_PATH)
    for text in dict.fromkeys(config.hosts) or ("*",):
        yield Candidate(route, template, *split_host(text))


def _each_representative(found: Iterable[Entry[R]]) -> Iterator[Candidate[R]]:
    """Give the candidates among entries, whatever their conditions; of an index one for each template and methods."""
    for entry in found:
        if isinstance(entry, Index):
            yield from entry.representatives.values()
        else:
            yield entry


def find_preflight(found: Iterable[Entry[R]], pieces: list[str], end: int, subjects: Subjects) -> str | None:
    """Return the method that a CORS preflight asks about, where a route is to answer that (Fetch, 3.3.2)."""
    asked = ",".join(subjects[_REQUESTED_METHOD])
    if not asked or not len(subjects[_ORIGIN]):
        return None
    for candidate in _each_representative(found):
        if candidate.takes_preflight and candidate.methods is not None and candidate.binds(pieces, end):
            return asked
    return None


def _refuse(found: list[Entry[R]], method: str, preflight: str | None, pieces: list[str], end: int) -> Miss:
    """Say why no candidate accepts a request: 405 when that is for its method alone."""
    allow: set[str] = set()
    for candidate in _each_representative(found):
        if candidate.binds(pieces, end):
            if preflight is not None or candidate.admits(method, None):
                return _NOT_FOUND
            allow.update(candidate.methods or ())
    return Miss(MissKind.METHOD_NOT_ALLOWED, tuple(sorted(allow))) if allow else _NOT_FOUND

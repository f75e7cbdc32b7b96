"""A rehearsal in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hostler.explaining import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hostler.fleet import LiveDestination, LiveRoute
    from hostler.rehearsal.rehearsing import Rehearsal
    from hostler.rehearsal.watching import Visit
    from hostler.routing.verdicts import Verdict

__all__ = ["write_report"]

_MOST_FAR: Final = 20
"""How many routes for other hosts and paths are listed; of more, only their number is said."""

_SECRET: Final = re.compile(rb"(?im)^(proxy-authorization: \w+ )[^\r]*")


def write_report(rehearsal: Rehearsal) -> str:
    """Return what became of a request, as text of several paragraphs."""
    paragraphs = [_request(rehearsal)]
    if rehearsal.exchange is not None:
        paragraphs.append(["Routes, in the order of precedence:", *_routes(rehearsal)])
    if rehearsal.route is not None:
        paragraphs.append(_cluster(rehearsal.route))
    if rehearsal.visits:
        paragraphs.append(["Stages:", *_stages(rehearsal)])
    for cluster, sent in rehearsal.sent:
        of = f" (cluster {cluster})" if cluster else ""
        paragraphs.append([f"Sent to {sent.to}{of}:", *_head(sent.head)])
    paragraphs.append(list(_answer(rehearsal)))
    return "\n".join("".join(f"{line}\n" for line in lines) for lines in paragraphs if lines)


def _request(rehearsal: Rehearsal) -> list[str]:
    lines = [*_head(rehearsal.asked.head)]
    if not rehearsal.is_placed:
        port = rehearsal.asked.server[1]
        lines.append(f"(No URL prefix of the document has port {port}: it is taken as if one had it.)")
    exchange = rehearsal.exchange
    if exchange is not None and exchange.path_base:
        lines.append(f"(The URL prefix takes {exchange.path_base}; routes match {exchange.path or '/'}.)")
    return ["Request:", *lines]


def _routes(rehearsal: Rehearsal) -> Iterator[str]:
    far = sum(not verdict.is_near for verdict in rehearsal.verdicts)
    shown = [verdict for verdict in rehearsal.verdicts if verdict.is_near or far <= _MOST_FAR]
    width = max((len(verdict.route.id) for verdict in shown), default=0)
    for verdict in shown:
        yield f"  {verdict.route.id:{width}}  {_said(verdict, rehearsal)}"
    if far > _MOST_FAR:
        yield f"  and {far} routes for other hosts and paths"
    if not rehearsal.verdicts:
        yield "  none: the document has no routes"


def _said(verdict: Verdict[LiveRoute], rehearsal: Rehearsal) -> str:
    exchange, verdicts = rehearsal.exchange, rehearsal.verdicts
    if verdict.failed:
        return f"no: {'; '.join(verdict.failed)}"
    if exchange is not None and verdict.route is exchange.route:
        values = ", ".join(f"{name} = {value!a}" for name, value in exchange.route_values.items())
        return f"WINS{', with ' if values else ''}{values}"
    matching = [other for other in verdicts if not other.failed]
    equal = [other.route.id for other in matching if other.rank == matching[0].rank and other is not verdict]
    if verdict.rank == matching[0].rank and equal:
        return f"matches as well as {', '.join(equal)}"
    return "matches too"


def _cluster(route: LiveRoute) -> list[str]:
    cluster = route.cluster
    if cluster is None:
        return [f"Cluster: {route.config.cluster_id or 'none'}, which the document does not have"]
    lines = [f"Cluster: {cluster.id}"]
    width = max((len(destination.id) for destination in cluster.destinations), default=0)
    for destination in cluster.destinations:
        queue = destination.config.queue
        what = (
            destination.config.address if queue is None else f"queue {queue} ({destination.config.address})"
        )
        out = "" if destination in cluster.available else ", not available"
        lines.append(f"  {destination.id:{width}}  {what}{out}")
    return lines if cluster.destinations else [*lines, "  no destinations"]


def _stages(rehearsal: Rehearsal) -> Iterator[str]:
    visits: dict[str, Visit] = {}
    for visit in rehearsal.visits:
        visits.setdefault(visit.stage, visit)
    width = max(map(len, visits), default=0)
    for name, visit in visits.items():
        yield f"  {name:{width}}  {_visited(visit, rehearsal)}"
    end = 1 + max((rehearsal.pipeline.index(name) for name in visits), default=-1)
    if others := [name for name in rehearsal.pipeline[:end] if name not in visits]:
        yield f"  (not concerned: {', '.join(others)})"
    if beyond := rehearsal.pipeline[end:]:
        yield f"  (not reached: {', '.join(beyond)})"


def _visited(visit: Visit, rehearsal: Rehearsal) -> str:
    if visit.after is None:
        if rehearsal.error is not None:
            return f"raises {explain(rehearsal.error)}"
        if rehearsal.sent:
            exchange = rehearsal.exchange
            picked = None if exchange is None else exchange.destination
            return f"sends it{'' if picked is None else f' to {picked.id}'}"
        return f"answers {rehearsal.stream.status if rehearsal.stream else ''}"
    if visit.after == visit.before:
        return f"leaves {_listed(visit.after)}"
    return f"{_listed(visit.before)} -> {_listed(visit.after)}"


def _listed(destinations: Sequence[LiveDestination]) -> str:
    return ", ".join(destination.id for destination in destinations) or "none"


def _answer(rehearsal: Rehearsal) -> Iterable[str]:
    refusal, stream = rehearsal.refusal, rehearsal.stream
    if refusal is not None:
        return [f"The server answers {refusal.status} by itself: {refusal}"]
    if rehearsal.error is not None:
        return [f"The answer is 500: {explain(rehearsal.error)}"]
    if stream is None or stream.delegated:
        return ["The process that takes it answers the client."]
    failure = rehearsal.outcome.failure if rehearsal.outcome is not None else None
    why = f" ({failure})" if failure is not None else ""
    if rehearsal.sent:
        return [f"Were its answer an empty 200, the client would get{why}:", *_head(stream.answer)]
    return [f"The client gets{why}:", *_head(stream.answer)]


def _head(head: bytes) -> Iterator[str]:
    r"""Give the lines of a head; what is not printable as \x.., and no secret of the document."""
    for line in _SECRET.sub(rb"\1...", head).decode("latin-1").rstrip("\r\n").split("\r\n"):
        shown = "".join(one if one.isprintable() and one.isascii() else ascii(one)[1:-1] for one in line)
        yield f"  {shown}"

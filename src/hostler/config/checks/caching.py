"""Rules for routes whose responses the server may keep: what must not stand in the way.

What is answered out of the kernel's cache is seen by no stage. So nothing may stand there that has to see each request,
and no header of a request may decide on its route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.transforms import CodeTransform
from hostler.errors import Problem, Severity
from hostler.routing.pattern import TemplateError
from hostler.routing.segments import Parameter
from hostler.routing.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hostler.config.model import Cluster, Route

__all__ = ["check_caching", "find_obstacles", "find_own_transforms"]

_UNSEEN: Final = "and a request that the server answers with a response that it keeps is seen by no stage"
_POLICIES: Final[tuple[tuple[str, str, Callable[[Route], str | None], tuple[str, ...]], ...]] = (
    ("AuthorizationPolicy", "guards", lambda route: route.authorization_policy, ("anonymous",)),
    ("RateLimiterPolicy", "counts", lambda route: route.rate_limiter_policy, ("default", "disable")),
    ("ConcurrencyPolicy", "counts", lambda route: route.concurrency_policy, ("disable",)),
    ("CorsPolicy", "answers by the origin of", lambda route: route.cors_policy, ("disable",)),
)
"""A key, what it does to requests, the policy of a route, and the names that ask for nothing."""


def find_obstacles(route: Route, cluster: Cluster | None) -> Iterator[tuple[str, str]]:
    """List the settings that keep a route's responses from being kept, each with the reason and the remedy."""
    for key, does, policy_of, harmless in _POLICIES:
        policy = policy_of(route) or ""
        if policy.lower() not in {"", *harmless}:
            yield key, f'"{policy}" {does} requests, {_UNSEEN}; remove {key}, or ResponseCaching'
    if route.mirror is not None:
        yield "Mirror", f"copies requests, {_UNSEEN}; remove Mirror, or ResponseCaching"
    if route.headers:
        yield (
            "Match.Headers",
            (
                "decides by headers, and what the server keeps of a URL it sends to everybody who asks for that; "
                "remove the conditions, or ResponseCaching"
            ),
        )
    if any(isinstance(transform, CodeTransform) for transform in route.transforms):
        yield (
            "Transforms",
            f"has a function, {_UNSEEN}, nor by a transform; remove the function, or ResponseCaching",
        )
    if cluster is not None and cluster.affinity is not None and cluster.affinity.enabled:
        yield (
            "ClusterId",
            (
                f'cluster "{cluster.id}" has SessionAffinity, which sends each client to its own destination, {_UNSEEN}; '
                "disable the affinity, or remove ResponseCaching"
            ),
        )


def find_own_transforms(route: Route, factories: Iterable[str]) -> Iterator[Problem]:
    """Find the transforms of a route whose responses are kept that a user's own code makes; `factories` are its keys."""
    own = {key.lower(): key for key in factories}
    for transform in route.transforms:
        if not isinstance(transform, CodeTransform):
            for key in own.keys() & {key.lower() for key in transform}:
                yield Problem(
                    f"Routes.{route.id}.ResponseCaching",
                    f"Transforms: your own code makes {own[key]} of a transform, {_UNSEEN}, nor by a transform; remove "
                    f"{own[key]}, or ResponseCaching",
                )


def check_caching(
    path: str, route: Route, cluster: Cluster | None, routes: Iterable[Route]
) -> Iterator[Problem]:
    """Find what stands in the way of keeping a route's responses; `routes` are all there are."""
    for key, why in find_obstacles(route, cluster):
        yield Problem(f"{path}.ResponseCaching", f"{key}: {why}")
    for other in routes:
        if other is not route and other.headers and other.order <= route.order and _may_meet(route, other):
            yield Problem(
                f"{path}.ResponseCaching",
                f"route {other.id} has Match.Headers and may take requests for the same URLs: the server would answer them "
                "with what it keeps of this route; give the routes different hosts or paths, or remove ResponseCaching",
            )
    if cluster is not None and any(destination.queue is not None for destination in cluster.destinations):
        yield Problem(
            f"{path}.ResponseCaching",
            f'does nothing for what is delegated, and cluster "{cluster.id}" has request queues: the process that answers '
            "decides",
            Severity.WARNING,
        )


def _may_meet(one: Route, other: Route) -> bool:
    """Whether a URL may be of both routes, as far as their hosts and the beginnings of their paths tell."""
    hosts, others = ({host.lower() for host in route.hosts} for route in (one, other))
    wildcards = any(host.startswith("*") for host in hosts | others)
    if hosts and others and not wildcards and hosts.isdisjoint(others):
        return False
    try:
        paths = [Template.parse(route.path or "/{**rest}").segments for route in (one, other)]
    except TemplateError:
        return False  # which is a problem of its own
    for mine, its in zip(*paths, strict=False):
        if not (isinstance(mine, str) and isinstance(its, str)):
            return True
        if mine.lower() != its.lower():
            return False
    longer = max(paths, key=len)
    rest = longer[min(map(len, paths)) :]
    return not rest or (isinstance(rest[0], Parameter) and rest[0].may_be_absent)

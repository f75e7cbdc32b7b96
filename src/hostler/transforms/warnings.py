"""What transforms can be used with, and does nothing: values that a route does not have, and what cannot be delegated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.transforms import CodeTransform, TransformKind
from hostler.errors import ConfigError, Problem, Severity
from hostler.routing.pattern import TemplateError, read_pattern
from hostler.routing.segments import Parameter
from hostler.transforms.reading import make_transforms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hostler.config.model import Cluster, Config, Route
    from hostler.config.transforms import Transform
    from hostler.steps import Steps
    from hostler.transforms.reading import Factories

__all__ = ["find_transform_warnings", "find_undelegated_requests"]

_ROUTE_VALUES = ("queryrouteparameter", "requestheaderroutevalue")
_HOST = ("requestheader", "requestheaderroutevalue", "requestheaderremove")


def find_transform_warnings(config: Config) -> Steps[list[Problem]]:
    """List the transforms of a configuration that do nothing, or nothing for what is delegated."""
    clusters = {cluster.id.lower(): cluster for cluster in config.clusters}
    found: list[Problem] = []
    for route in config.routes:
        yield
        cluster = _delegating(route, clusters)
        parameters = _parameters(route.path or "/{**catchall}")
        for index, transform in enumerate(route.transforms):
            path = f"Routes.{route.id}.Transforms[{index}]"
            found += _missing_values(path, transform, parameters)
            if cluster is not None:
                found += _undelegated(path, transform, cluster)
    return found


def find_undelegated_requests(config: Config, factories: Factories) -> Iterator[Problem]:
    """Find the routes whose requests are delegated by a server that hands over what came."""
    clusters = {cluster.id.lower(): cluster for cluster in config.clusters}
    for route in config.routes:
        cluster = _delegating(route, clusters)
        if cluster is None or not route.transforms:
            continue
        if make_transforms(route.transforms, factories).concern_requests:
            yield _warning(
                f"Routes.{route.id}.Transforms",
                "do not hold for what is delegated: HTTP.sys hands over the request as it came, and cluster "
                f'"{cluster.id}" has request queues',
            )


def _warning(path: str, message: str) -> Problem:
    return Problem(path, message, Severity.WARNING)


def _delegating(route: Route, clusters: Mapping[str, Cluster]) -> Cluster | None:
    """Return a route's cluster, if it has request queues."""
    cluster = clusters.get((route.cluster_id or "").lower())
    return cluster if cluster is not None and any(one.queue for one in cluster.destinations) else None


# -- route values ---------------------------------------------------------------------------------------------------


def _parameters(pattern: str) -> dict[str, Parameter]:
    """Return the parameters of a template, by name in lower case; none of what is no template."""
    try:
        segments = read_pattern(pattern)
    except TemplateError:
        return {}
    return {part.name.lower(): part for parts in segments for part in parts if isinstance(part, Parameter)}


def _missing_values(path: str, transform: Transform, known: Mapping[str, Parameter]) -> Iterator[Problem]:
    """Find the route values that a transform asks for, and the route's path does not have."""
    if isinstance(transform, CodeTransform):
        return
    wanted: dict[str, str] = {}
    for key, value in transform.items():
        if key.lower() == "pathpattern":
            pattern = _parameters(value)
            wanted |= {one.name: key for one in pattern.values() if not one.optional and one.default is None}
        elif key.lower() in {"set", "append"} and any(one.lower() in _ROUTE_VALUES for one in transform):
            wanted[value] = key
    for name, key in wanted.items():
        if name.lower() not in known:
            there = ", ".join(one.name for one in known.values()) or "none"
            yield _warning(
                f"{path}.{key}",
                f'the route\'s path has no parameter "{name}", so that nothing is written for it; it has {there}',
            )


# -- delegation -----------------------------------------------------------------------------------------------------


def _undelegated(path: str, transform: Transform, cluster: Cluster) -> Iterator[Problem]:
    """Say why a transform does not hold for what is delegated, if that is so."""
    end = f'cluster "{cluster.id}" has request queues'
    if isinstance(transform, CodeTransform):
        if transform.kind is not TransformKind.REQUEST:
            yield _warning(
                path,
                f"{transform.name} is not called for what is delegated: its answer does not come this way, and {end}",
            )
        return
    keys = {key.lower(): key for key in transform}
    if any(keys.get(key) and transform[keys[key]].lower() == "host" for key in _HOST):
        yield _warning(
            path, f"does not hold for what is delegated: Host stays as the client asked for it, and {end}"
        )
    elif any(key.startswith("response") for key in keys) and not _is_added(transform):
        yield _warning(
            path,
            "does not hold for what is delegated: its answer does not come this way, so that a header can only be added to "
            f"it (Append, When: Always), and {end}",
        )


def _is_added(transform: Mapping[str, str]) -> bool:
    """Tell whether a transform adds a header to every answer."""
    try:
        return bool(make_transforms((transform,)).added_when_delegated)
    except ConfigError:
        return False  # what is wrong with it is said elsewhere

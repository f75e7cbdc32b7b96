"""Transforms of the path, the query and the method.

Paths are changed as they are written: what the client escaped stays as it was. Text of the configuration, and route
values, are decoded, and escaped as YARP writes a path (`hostler.http.target.encode_path`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from hostler.http.target import decode_path, encode_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hostler.exchange import Exchange
    from hostler.routing.segments import Parameter
    from hostler.transforms.contexts import RequestTransformContext

__all__ = [
    "AppendQuery",
    "ChangeMethod",
    "PathPattern",
    "PathPrefix",
    "PathRemovePrefix",
    "PathSet",
    "RemoveQuery",
    "RouteValue",
    "SetQuery",
    "Static",
    "Value",
    "written",
]


class Value(Protocol):
    """What a transform sets: the same for every request, or one of its route values."""

    def of(self, exchange: Exchange, /) -> str | None:
        """Return it, or None where the request has none."""
        ...


@frozen
class Static:
    """The same for every request."""

    value: str

    def of(self, _: Exchange, /) -> str | None:
        """Return it."""
        return self.value


@frozen
class RouteValue:
    """What the route's template took out of the path, decoded."""

    name: str

    def of(self, exchange: Exchange, /) -> str | None:
        """Return it, or None where the template has no such parameter, or it is absent."""
        return _look_up(exchange.route_values, self.name)


def _look_up(values: Mapping[str, str], name: str) -> str | None:
    found = values.get(name)
    if found is None:
        lowered = name.lower()
        found = next((value for key, value in values.items() if key.lower() == lowered), None)
    return found


def written(path: str) -> str:
    """Return a decoded path as it goes out, with the slash that it begins with."""
    escaped = encode_path(path).decode("ascii")
    return escaped if escaped.startswith("/") else "/" + escaped


def _rest(path: str) -> str:
    """Return what may follow a prefix; the target of `OPTIONS *` is no path."""
    return "" if path == "*" else path


@frozen
class PathPrefix:
    """Puts a path in front; `prefix` is escaped."""

    prefix: str

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        rest = _rest(context.path)
        context.path = (self.prefix.removesuffix("/") if rest.startswith("/") else self.prefix) + rest


@frozen
class PathRemovePrefix:
    """Takes a path off the front, in any case, where it ends with a segment; `prefix` is decoded."""

    prefix: str

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        pieces = context.path.split("/")
        size = self.prefix.count("/") + 1
        front = decode_path("/".join(pieces[:size]).encode("ascii"))
        if len(pieces) >= size and front.lower() == self.prefix.lower():
            context.path = "/".join(["", *pieces[size:]]) if pieces[size:] else ""


@frozen
class PathSet:
    """Replaces the path; `path` is escaped."""

    path: str

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        context.path = self.path


@frozen
class PathPattern:
    """Builds the path of a template and the request's route values (PathRouteValuesTransform).

    A value stands for one segment, so that its slashes become `%2F`, but for those of `{**rest}`. A segment without a value
    is left out.
    """

    segments: tuple[tuple[str | Parameter, ...], ...]

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        values = context.exchange.route_values
        segments = ["".join([_fill_in(part, values) for part in parts]) for parts in self.segments]
        context.path = "/" + "/".join([text for text in segments if text])


def _fill_in(part: str | Parameter, values: Mapping[str, str]) -> str:
    if isinstance(part, str):
        return encode_path(part).decode("ascii")
    value = _look_up(values, part.name) or part.default or ""
    escaped = encode_path(value).decode("ascii")
    return escaped if part.keeps_slashes else escaped.replace("/", "%2F")


@frozen
class SetQuery:
    """Gives a query parameter one value; none where the request has no such route value."""

    name: str
    value: Value

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        value = self.value.of(context.exchange)
        if value is not None:
            context.query.set(self.name, value)


@frozen
class AppendQuery:
    """Adds a value to a query parameter; none where the request has no such route value."""

    name: str
    value: Value

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        value = self.value.of(context.exchange)
        if value is not None:
            context.query.append(self.name, value)


@frozen
class RemoveQuery:
    """Removes a query parameter."""

    name: str

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        context.query.remove(self.name)


@frozen
class ChangeMethod:
    """Replaces one method by another."""

    old: str
    new: str

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        if context.method == self.old:
            context.method = self.new

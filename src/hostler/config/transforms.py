"""A route's transforms as a configuration has them: mappings with YARP's keys, and functions of your own."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hostler.outcome import Outcome
    from hostler.transforms.contexts import (
        RequestTransformContext,
        ResponseTrailersTransformContext,
        ResponseTransformContext,
    )

__all__ = [
    "CodeTransform",
    "TransformKind",
    "convert_transforms",
    "request_transform",
    "response_trailers_transform",
    "response_transform",
]


class TransformKind(enum.Enum):
    """What a transform changes."""

    REQUEST = "request"
    RESPONSE = "response"
    RESPONSE_TRAILERS = "response trailers"


@frozen
class CodeTransform:
    """A function that is a transform; make one with `request_transform` or its siblings."""

    kind: TransformKind
    function: Callable[..., object]

    @property
    def name(self) -> str:
        """The function's name, for messages."""
        return getattr(self.function, "__qualname__", type(self.function).__qualname__)


def request_transform(
    function: Callable[[RequestTransformContext], Outcome | Awaitable[Outcome | None] | None],
) -> CodeTransform:
    """Make a transform of a function that changes the outgoing request; a decorator.

    One that answers the exchange itself ends it: `return await context.exchange.respond(...)`.
    """
    return CodeTransform(TransformKind.REQUEST, function)


def response_transform(
    function: Callable[[ResponseTransformContext], Awaitable[None] | None],
) -> CodeTransform:
    """Make a transform of a function that changes the response to the client; a decorator.

    It is called for failures of forwarding too. The response waits for an `async def` function, and for no other.
    """
    return CodeTransform(TransformKind.RESPONSE, function)


def response_trailers_transform(
    function: Callable[[ResponseTrailersTransformContext], Awaitable[None] | None],
) -> CodeTransform:
    """Make a transform of a function that changes the response's trailers; a decorator."""
    return CodeTransform(TransformKind.RESPONSE_TRAILERS, function)


Transform: TypeAlias = "Mapping[str, str] | CodeTransform"
"""One of a route's transforms."""


def convert_transforms(values: Iterable[Transform]) -> tuple[Transform, ...]:
    """Freeze what a route is given; raises TypeError for what is no transform."""
    return tuple(_frozen(value) for value in values)


def _frozen(value: Transform) -> Transform:
    if isinstance(value, CodeTransform):
        return value
    if isinstance(value, Mapping):
        return MappingProxyType(dict(value))
    raise TypeError(
        f"{value!r} is not a transform: give a mapping with YARP's keys, or mark a function with request_transform, "
        "response_transform or response_trailers_transform"
    )

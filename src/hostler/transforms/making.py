"""What the forms of transforms are made of: a form, its values, and the transforms of a route while they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from hostler.config.transforms import CodeTransform, TransformKind
from hostler.transforms.compiled import DEFAULT_FORWARDERS, Copied, Transforms

if TYPE_CHECKING:
    from hostler.http.headers import RawHeaders
    from hostler.transforms.compiled import Function

__all__ = ["Arguments", "Form", "Making", "TransformError"]


class TransformError(ValueError):
    """What is wrong with a transform; `key` is the one whose value is meant, "" for all of it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@define(eq=False)
class Making:
    """The transforms of a route while they are made."""

    request: list[Function] = field(factory=list)
    response: list[Function] = field(factory=list)
    trailers: list[Function] = field(factory=list)
    request_headers: Copied = field(factory=Copied)
    response_headers: Copied = field(factory=Copied)
    response_trailers: Copied = field(factory=Copied)
    default_forwarders: bool = True
    """Whether what YARP says of clients by default is not replaced."""

    added_when_delegated: RawHeaders = field(factory=list)

    def add_code(self, transform: CodeTransform) -> None:
        """Add a function."""
        kinds = {
            TransformKind.REQUEST: self.request,
            TransformKind.RESPONSE: self.response,
            TransformKind.RESPONSE_TRAILERS: self.trailers,
        }
        kinds[transform.kind].append(transform.function)

    def finish(self) -> Transforms:
        """Return them, behind what is done by default."""
        defaults = DEFAULT_FORWARDERS if self.default_forwarders else ()
        return Transforms(
            request=(*defaults, *self.request),
            response=tuple(self.response),
            trailers=tuple(self.trailers),
            request_headers=self.request_headers,
            response_headers=self.response_headers,
            response_trailers=self.response_trailers,
            added_when_delegated=self.added_when_delegated,
        )


Arguments: TypeAlias = Mapping[str, str]
"""The values of a transform, by key as it is spelled in its form."""


@frozen
class Form:
    """One kind of transform."""

    key: str
    """The key that says that it is this one."""

    add: Callable[[Making, Arguments], None]
    """Adds it; raises TransformError for a value that it cannot have."""

    one_of: tuple[str, ...] = ()
    """Of these keys there is exactly one."""

    optional: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that it may have."""
        return (self.key, *self.one_of, *self.optional)

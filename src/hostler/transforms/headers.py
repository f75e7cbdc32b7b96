"""Transforms of headers: of a request's, of a response's, of its trailers."""

from __future__ import annotations

import enum
from base64 import b64encode
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from hostler.transforms.contexts import (
        RequestTransformContext,
        ResponseTrailersTransformContext,
        ResponseTransformContext,
    )
    from hostler.transforms.path import Value

    ResponseContext: TypeAlias = ResponseTransformContext | ResponseTrailersTransformContext

__all__ = [
    "AppendRequestHeader",
    "AppendResponseHeader",
    "ClientCertificate",
    "OriginalHost",
    "RemoveRequestHeader",
    "RemoveResponseHeader",
    "ResponseCondition",
    "SetHost",
    "SetRequestHeader",
    "SetResponseHeader",
]


class ResponseCondition(enum.Enum):
    """Which responses a transform is for (When)."""

    SUCCESS = "Success"
    """Those with a status under 400."""

    FAILURE = "Failure"
    ALWAYS = "Always"

    def holds_for(self, status: int) -> bool:
        """Tell whether a response of this status is one of them."""
        return self is ResponseCondition.ALWAYS or (self is ResponseCondition.SUCCESS) == (status < 400)


# -- requests -------------------------------------------------------------------------------------------------------


@frozen
class SetRequestHeader:
    """Replaces every line of a header by one; none where the request has no such route value."""

    name: bytes
    value: Value

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        value = self.value.of(context.exchange)
        if value is not None:
            context.headers.set(self.name, _encoded(value))


@frozen
class AppendRequestHeader:
    """Adds a line to a header; none where the request has no such route value."""

    name: bytes
    value: Value

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        value = self.value.of(context.exchange)
        if value is not None:
            for existing in context.take_header(self.name.lower()):
                context.headers.add(self.name, existing)
            context.headers.add(self.name, _encoded(value))


@frozen
class RemoveRequestHeader:
    """Removes a header; Host becomes the destination's own again."""

    name: bytes

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        if self.name.lower() == b"host":
            context.host = None
        context.headers.remove(self.name)


@frozen
class SetHost:
    """Sets Host, whatever else is configured for it."""

    value: Value

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        context.host = self.value.of(context.exchange) or context.host


@frozen
class OriginalHost:
    """Passes on the Host that the client asked for (RequestHeaderOriginalHost)."""

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        host = context.exchange.request.host
        if host:
            context.host = host.decode("latin-1")


@frozen
class ClientCertificate:
    """Says in a header what the client's certificate is, as DER in base64; what the client says there is removed."""

    name: bytes

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        context.headers.remove(self.name)
        tls = context.exchange.tls
        if tls is not None and tls.client_certificate is not None:
            context.headers.add(self.name, b64encode(tls.client_certificate))


def _encoded(value: str) -> bytes:
    """Return a route value or a text of the configuration as it stands in a header; UTF-8 where it is not ASCII."""
    return value.encode("utf-8", "surrogateescape")


# -- responses and trailers -----------------------------------------------------------------------------------------


@frozen
class SetResponseHeader:
    """Replaces every line of a header, or of a trailer, by one."""

    name: bytes
    value: bytes
    when: ResponseCondition

    def __call__(self, context: ResponseContext) -> None:
        """Apply it."""
        if self.when.holds_for(context.status):
            context.headers.set(self.name, self.value)


@frozen
class AppendResponseHeader:
    """Adds a line to a header, or to a trailer."""

    name: bytes
    value: bytes
    when: ResponseCondition

    def __call__(self, context: ResponseContext) -> None:
        """Apply it."""
        if self.when.holds_for(context.status):
            for existing in context.take_header(self.name.lower()):
                context.headers.add(self.name, existing)
            context.headers.add(self.name, self.value)


@frozen
class RemoveResponseHeader:
    """Removes a header, or a trailer."""

    name: bytes
    when: ResponseCondition

    def __call__(self, context: ResponseContext) -> None:
        """Apply it."""
        if self.when.holds_for(context.status):
            context.headers.remove(self.name)

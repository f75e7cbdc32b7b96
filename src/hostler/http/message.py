"""Request and response heads, as values.

How long a body is, is one integer everywhere (`Framing`): its length in bytes, `CHUNKED`, or `UNTIL_CLOSE`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Protocol

from attrs import define, field

from hostler.http.headers import Headers

__all__ = ["BODILESS", "CHUNKED", "UNTIL_CLOSE", "Request", "RequestHead", "Response", "reason_phrase"]

CHUNKED: Final = -1
"""The body is in chunks (RFC 9112 7.1)."""

UNTIL_CLOSE: Final = -2
"""The body ends with the connection (RFC 9112 6.3, rule 8); responses only."""

BODILESS: Final = -3
"""No body follows, whatever the head says of one: the answer to HEAD, 204, 304 (RFC 9110 6.4.1)."""

_PHRASES: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


def reason_phrase(status: int) -> bytes:
    """Return the registered phrase of a status, or b"" when there is none."""
    return _PHRASES.get(status, b"")


class RequestHead(Protocol):
    """What framing depends on in a request's head: a `Request` or a `PlainRequest`."""

    @property
    def method(self) -> str:
        """The method."""
        ...

    @property
    def version(self) -> int:
        """10 or 11."""
        ...

    @property
    def framing(self) -> int:
        """The body's length in bytes, or CHUNKED."""
        ...

    @property
    def keep_alive(self) -> bool:
        """Whether the client may keep the connection."""
        ...

    @property
    def expect_continue(self) -> bool:
        """Whether it waits for 100 Continue."""
        ...

    @property
    def upgrade(self) -> bytes | None:
        """The protocols that it offers."""
        ...


@define(eq=False)
class Request:
    """A request's head, as it stood on the wire; `target` is the raw request target."""

    method: str
    target: bytes
    headers: Headers
    version: int = 11
    """10 or 11."""

    framing: int = 0
    """The body's length in bytes, or CHUNKED."""

    host: bytes | None = None
    """The Host header. The server replaces both by an absolute-form target's authority (RFC 9112 3.2.2)."""

    keep_alive: bool = True
    expect_continue: bool = False
    """The client waits for 100 Continue before it sends its body (RFC 9110 10.1.1)."""

    upgrade: bytes | None = None
    """The protocols offered in Upgrade, when Connection names it."""


@define(eq=False)
class Response:
    """A response's head."""

    status: int
    headers: Headers = field(factory=Headers)
    framing: int = 0
    """The body's length in bytes, CHUNKED, or UNTIL_CLOSE."""

    reason: bytes | None = None
    """The reason phrase; None stands for the registered one."""

    version: int = 11
    keep_alive: bool = True

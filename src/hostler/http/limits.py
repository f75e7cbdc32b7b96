"""How large a request's head, and a body's trailer section, may be."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Limits"]


@frozen
class Limits:
    """How large a request's head may be."""

    request_line: int = 8192
    """Bytes of method, target and version; more is 414."""

    head: int = 32768
    """Bytes of the whole head; more is 431."""

    headers: int = 100
    """Header lines; more is 431."""

    trailers: int = 8192
    """Bytes of a chunked body's trailer section; more ends the exchange."""

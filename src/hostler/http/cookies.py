"""Cookies as requests carry them (RFC 6265 4.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["cookie_values"]


def cookie_values(lines: Iterable[bytes], name: bytes) -> list[bytes]:
    """Return every value of the cookie `name`, in order; `lines` are the values of the Cookie headers."""
    found = []
    for line in lines:
        if name in line:
            for pair in line.split(b";"):
                cookie, equals, text = pair.partition(b"=")
                if equals and cookie.strip() == name:
                    found.append(text.strip())
    return found

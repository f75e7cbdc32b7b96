"""Cookies as requests carry them (RFC 6265 4.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hostler.http.headers import RawHeaders

__all__ = ["cookie_values"]


def cookie_values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """Return every value of the cookie `name`, in order."""
    found = []
    for key, value in headers:
        if len(key) == 6 and name in value and key.lower() == b"cookie":
            for pair in value.split(b";"):
                cookie, equals, text = pair.partition(b"=")
                if equals and cookie.strip() == name:
                    found.append(text.strip())
    return found

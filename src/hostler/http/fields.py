"""Header fields that concern one connection only, and lists in header values (RFC 9110 5.6.1, 7.6.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = [
    "HOP_BY_HOP",
    "IDENTITY",
    "NOT_TRAILERS",
    "TEXT",
    "TEXT_PATTERN",
    "TOKEN",
    "TOKEN_PATTERN",
    "connection_options",
    "has_token",
]

TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a token, such as a method or a field's name (RFC 9110 5.6.2)."""

TOKEN_PATTERN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
"""One of them, for regular expressions, which are compiled far sooner with ranges."""

TEXT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
"""The characters of a field's value, and of a reason phrase (RFC 9110 5.5, RFC 9112 4)."""

TEXT_PATTERN: Final = rb"[\t -~\x80-\xff]"
"""One of them, for regular expressions."""

HOP_BY_HOP: Final = frozenset({
    b"connection", b"transfer-encoding", b"keep-alive", b"upgrade", b"proxy-connection", b"proxy-authenticate",
    b"proxy-authentication-info", b"proxy-authorization", b"proxy-features", b"proxy-instruction",
    b"security-scheme", b"alpn", b"close", b"http2-settings", b"upgrade-insecure-requests", b"te", b"alt-svc",
})  # fmt: skip
"""Headers that are never forwarded, in either direction, in lower case (YARP; RFC 9110 7.6.1)."""

IDENTITY: Final = frozenset({
    b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix",
})  # fmt: skip
"""What says who the client is, in lower case: a proxy's word, never the client's own."""

NOT_TRAILERS: Final = HOP_BY_HOP | IDENTITY | {
    b"content-length", b"trailer", b"host",
    b"authorization", b"www-authenticate", b"cookie", b"set-cookie",
    b"cache-control", b"expect", b"max-forwards", b"pragma", b"range",
    b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range",
    b"age", b"expires", b"location", b"retry-after", b"vary", b"warning",
    b"content-encoding", b"content-type", b"content-range",
}  # fmt: skip
"""Fields that have no meaning in a trailer section, in lower case: framing, routing, authentication, request modifiers,
response controls, content format (RFC 9110 6.5.1), what concerns one connection only, and a proxy's word for the client,
which a worker would take for its proxy's. They are dropped."""


def has_token(value: bytes, token: bytes) -> bool:
    """Whether a comma-separated header value contains `token` (given in lower case)."""
    lowered = value.lower()
    if lowered == token:
        return True
    return token in lowered and any(part.strip() == token for part in lowered.split(b","))


@lru_cache(maxsize=256)
def connection_options(value: bytes) -> frozenset[bytes]:
    """Return the options in a Connection header, in lower case (RFC 9110 7.6.1)."""
    return frozenset(option for part in value.lower().split(b",") if (option := part.strip()))

"""The words that HTTP.sys has numbers for: methods (HTTP_VERB) and headers (HTTP_HEADER_ID)."""

from __future__ import annotations

import enum
from typing import Final

__all__ = ["REQUEST_HEADERS", "RESPONSE_HEADERS", "RESPONSE_HEADER_IDS", "VERBS", "Verb"]


class Verb(enum.IntEnum):
    """HTTP_VERB (HttpVerb...): a request's method; UNKNOWN has its text in pUnknownVerb."""

    UNPARSED = 0
    UNKNOWN = 1
    INVALID = 2
    OPTIONS = 3
    GET = 4
    HEAD = 5
    POST = 6
    PUT = 7
    DELETE = 8
    TRACE = 9
    CONNECT = 10
    TRACK = 11
    MOVE = 12
    COPY = 13
    PROPFIND = 14
    PROPPATCH = 15
    MKCOL = 16
    LOCK = 17
    UNLOCK = 18
    SEARCH = 19


VERBS: Final[tuple[bytes, ...]] = tuple(
    b"" if verb <= Verb.INVALID else verb.name.encode("ascii") for verb in Verb
)
"""The methods by HTTP_VERB; empty for the three that are none."""

_EVERY_HEADERS: Final = (
    b"Cache-Control", b"Connection", b"Date", b"Keep-Alive", b"Pragma", b"Trailer", b"Transfer-Encoding", b"Upgrade",
    b"Via", b"Warning", b"Allow", b"Content-Length", b"Content-Type", b"Content-Encoding", b"Content-Language",
    b"Content-Location", b"Content-MD5", b"Content-Range", b"Expires", b"Last-Modified",
)  # fmt: skip

REQUEST_HEADERS: Final[tuple[bytes, ...]] = (
    *_EVERY_HEADERS,
    b"Accept", b"Accept-Charset", b"Accept-Encoding", b"Accept-Language", b"Authorization", b"Cookie", b"Expect",
    b"From", b"Host", b"If-Match", b"If-Modified-Since", b"If-None-Match", b"If-Range", b"If-Unmodified-Since",
    b"Max-Forwards", b"Proxy-Authorization", b"Referer", b"Range", b"TE", b"Translate", b"User-Agent",
)  # fmt: skip
"""The headers by HTTP_HEADER_ID, in HTTP_REQUEST_HEADERS.KnownHeaders."""

RESPONSE_HEADERS: Final[tuple[bytes, ...]] = (
    *_EVERY_HEADERS,
    b"Accept-Ranges", b"Age", b"ETag", b"Location", b"Proxy-Authenticate", b"Retry-After", b"Server", b"Set-Cookie",
    b"Vary", b"WWW-Authenticate",
)  # fmt: skip
"""The headers by HTTP_HEADER_ID, in HTTP_RESPONSE_HEADERS.KnownHeaders."""

RESPONSE_HEADER_IDS: Final[dict[bytes, int]] = {
    name.lower(): number for number, name in enumerate(RESPONSE_HEADERS)
}
"""The HTTP_HEADER_ID of a response's header, by its lower-case name."""

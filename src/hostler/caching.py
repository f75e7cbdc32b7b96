"""Whether a server may answer other requests with a response, and for how long.

By its own headers, a response may be kept under the rules of ASP.NET's HTTP.sys server: Cache-Control says `public` and
a lifetime (s-maxage before max-age before Expires), and there is no Set-Cookie, no Vary, no Pragma. Beyond those,
`private`, `no-store` and `no-cache` are believed, an Age is counted, and what has a Content-Encoding is not kept: nothing
in the kernel compares it with what a client accepts.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hostler.native import Caching

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from hostler.exchange import Exchange
    from hostler.http.headers import Headers
    from hostler.http.message import Response

__all__ = ["cache_response", "check_url", "lifetime"]

_log: Final = logging.getLogger("hostler.proxy")
_NEVER: Final = frozenset({206, 304})
"""What would answer others wrongly: a part, and that a client's own copy is current (dotnet/aspnetcore 23345)."""

_SUCCESSES: Final = frozenset({200, 203, 300, 301, 308})
"""What a stage's word keeps."""

_FOR_ONE: Final = (b"set-cookie", b"vary", b"content-encoding")
"""Headers that say that a response is not for everybody alike."""

_PRIVATE: Final = frozenset({b"private", b"no-store", b"no-cache"})


def cache_response(exchange: Exchange, seconds: float | None) -> None:
    """Do what `Exchange.cache_response` says."""
    if seconds is not None and not seconds >= 1:
        raise ValueError(
            f"{seconds!r} is no time to keep a response for; give seconds, 1 or more, or math.inf for until it is flushed"
        )
    if exchange.stream.started:
        raise RuntimeError(
            f"the response has begun (status {exchange.stream.status}); have it cached before that"
        )
    obstacle = _find_obstacle(exchange)
    if obstacle is not None:
        raise RuntimeError(obstacle)
    exchange.stream.native.cache(Caching(seconds, lambda: _may_be_kept(exchange)))


def _may_be_kept(exchange: Exchange) -> bool:
    """Look once more when the response begins: who asked may not have known the route yet, or its cluster."""
    obstacle = _find_obstacle(exchange)
    if obstacle is not None:
        _log.warning("%s", obstacle)
    return obstacle is None


def _find_obstacle(exchange: Exchange) -> str | None:
    """Say what keeps the responses of an exchange's route from being kept; None for nothing."""
    from hostler.config.checks.caching import find_obstacles  # noqa: PLC0415 - for who caches

    route = exchange.route
    if route is None:
        return None
    cluster = None if exchange.cluster is None else exchange.cluster.config
    for key, why in find_obstacles(route.config, cluster):
        return f"the responses of route {route.id} cannot be cached: {key}: {why}"
    return None


def lifetime(response: Response, given: float | None = None, now: float | None = None) -> float | None:
    """Return for how many seconds others may be answered with a response; None: not at all.

    `given` is what a stage says of a success, in place of what its headers say; math.inf is until it is flushed. `now`
    is in seconds since 1970, and defaults to the time it is.
    """
    headers, status = response.headers, response.status
    if status in _NEVER or status < 200 or b"content-type" not in headers:
        return None
    control = _directives(headers)
    if any(name in headers for name in _FOR_ONE) or not _PRIVATE.isdisjoint(control):
        return None
    if given is not None:
        return given if status in _SUCCESSES else None
    if b"public" not in control or b"pragma" in headers:
        return None
    seconds = _lifetime(headers, control, time.time() if now is None else now)
    age = headers.get_raw(b"age")
    if age is not None:
        seconds -= _seconds(age)
    return seconds if seconds >= 1 else None


def check_url(url: str) -> SplitResult:
    """Take apart a URL whose responses are to be dropped; raises ValueError for what is no absolute one."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.username is not None:
        raise ValueError(f"{url!r} is no URL to flush; write scheme://host:port/path, as clients ask for it")
    return parts


def _lifetime(headers: Headers, control: dict[bytes, bytes], now: float) -> float:
    for directive in (b"s-maxage", b"max-age"):
        if directive in control:
            return _seconds(control[directive])
    expires = headers.get_raw(b"expires")
    return 0 if expires is None else _time(expires, now) - now


def _directives(headers: Headers) -> dict[bytes, bytes]:
    """Return the directives of Cache-Control, in lower case; of one that is there twice, the first."""
    found: dict[bytes, bytes] = {}
    for value in headers.get_all_raw(b"cache-control"):
        for part in value.split(b","):
            name, _, argument = part.partition(b"=")
            found.setdefault(name.strip().lower(), argument.strip().strip(b'"'))
    return found


def _seconds(value: bytes) -> float:
    """Read delta-seconds (RFC 9111 1.2.2); what is none is no time, and what is too many is very long."""
    if not value.isdigit():
        return 0
    return math.inf if len(value) > 10 else int(value)


def _time(value: bytes, otherwise: float) -> float:
    """Read an HTTP-date, in seconds since 1970; one that names no zone is in UTC, as all are (RFC 9110 5.6.7)."""
    from datetime import UTC  # noqa: PLC0415 - as below
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - costs milliseconds, for a header that few send

    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
    except (ValueError, OverflowError):
        return otherwise
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()

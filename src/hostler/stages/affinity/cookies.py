"""Cookies that carry keys: read from a request, written into a response."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hostler.config.model import SameSite, SecurePolicy
from hostler.http.cookies import cookie_values
from hostler.http.date import http_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import AffinityCookie, SessionAffinity
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders

__all__ = ["KeyCookie"]


class KeyCookie:
    """The cookie of a cluster's affinity, with any key in it.

    `now` returns seconds since 1970, for `expires`.
    """

    def __init__(self, config: SessionAffinity, *, now: Callable[[], float] = time.time) -> None:
        self._name = config.key_name.encode("latin-1")
        self._cookie = config.cookie
        self._now = now
        self._plain = _attributes(config.cookie, secure=False)
        self._secure = _attributes(config.cookie, secure=True)

    def read(self, exchange: Exchange) -> list[bytes]:
        """Return every value of the cookie in a request, in order."""
        return cookie_values(exchange.header_values(b"cookie"), self._name)

    def write(self, exchange: Exchange, key: bytes) -> RawHeaders:
        """Return the Set-Cookie header with a key."""
        cookie = self._cookie
        policy = cookie.secure_policy
        secure = policy is SecurePolicy.ALWAYS or (
            policy is SecurePolicy.SAME_AS_REQUEST and exchange.scheme == "https"
        )
        pieces = [self._name, b"=", key]
        if cookie.expiration is not None:
            expires = http_date(self._now() + cookie.expiration)
            pieces.append(b"; expires=" + expires.encode("ascii"))
        pieces.append(self._secure if secure else self._plain)
        return [(b"set-cookie", b"".join(pieces))]


def _attributes(cookie: AffinityCookie, *, secure: bool) -> bytes:
    """Write the attributes that are the same for every response, in ASP.NET Core's order and case."""
    pieces = []
    if cookie.max_age is not None:
        pieces.append(f"; max-age={int(cookie.max_age)}")
    if cookie.domain is not None:
        pieces.append(f"; domain={cookie.domain}")
    pieces.append(f"; path={cookie.path}")
    if secure:
        pieces.append("; secure")
    if cookie.same_site is not SameSite.UNSPECIFIED:
        pieces.append(f"; samesite={cookie.same_site.value.lower()}")
    if cookie.http_only:
        pieces.append("; httponly")
    return "".join(pieces).encode("latin-1")

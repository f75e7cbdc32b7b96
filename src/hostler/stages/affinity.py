"""Keeping a client on the destination that answered it first (YARP: SessionAffinity).

The key of a destination is a hash of its id, so any process with the same configuration finds the same destination,
and nothing has to be remembered.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.config.model import SameSite, SecurePolicy
from hostler.stages.xxhash import xxh64

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hostler.config.model import AffinityCookie, SessionAffinity
    from hostler.exchange import Exchange, Outcome
    from hostler.fleet import AffinityPolicy, LiveCluster, LiveDestination
    from hostler.http.headers import RawHeaders
    from hostler.pipeline import Next

__all__ = ["AFFINITY_POLICIES", "HashCookie", "affinity"]

_STATE: Final = "HashCookie"


class HashCookie:
    """A cookie with the xxHash64 of the destination's id (YARP: HashCookie).

    `now` returns seconds since 1970, for `Expires`.
    """

    def __init__(self, config: SessionAffinity, *, now: Callable[[], float] = time.time) -> None:
        self._name = config.key_name.encode("latin-1")
        self._cookie = config.cookie
        self._now = now
        self._plain = _attributes(config.cookie, secure=False)
        self._secure = _attributes(config.cookie, secure=True)

    def find(
        self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /
    ) -> tuple[LiveDestination, ...] | None:
        """Return the destination of the request's key, () when it is gone, None when it has no key."""
        keys = _cookies(exchange.request.headers.pairs(), self._name)
        if keys is None:
            return None
        for key in keys:
            for destination in candidates:
                if _key(destination) == key:
                    return (destination,)
        return ()

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> RawHeaders:
        """Return the Set-Cookie header that carries the key of `destination`."""
        cookie = self._cookie
        policy = cookie.secure_policy
        secure = policy is SecurePolicy.ALWAYS or (
            policy is SecurePolicy.SAME_AS_REQUEST and exchange.scheme == "https"
        )
        pieces = [self._name, b"=", _key(destination), self._secure if secure else self._plain]
        if cookie.expiration is not None:
            expires = formatdate(self._now() + cookie.expiration, usegmt=True)
            pieces.append(b"; Expires=" + expires.encode("ascii"))
        return [(b"set-cookie", b"".join(pieces))]


def _key(destination: LiveDestination) -> bytes:
    """Return a destination's key: 16 hexadecimal digits, computed once."""
    key: bytes | None = destination.state.get(_STATE)
    if key is None:
        name = destination.id.upper().encode("utf-16-le", "surrogatepass")
        key = destination.state[_STATE] = b"%016x" % xxh64(name)
    return key


def _attributes(cookie: AffinityCookie, *, secure: bool) -> bytes:
    """Write the attributes that are the same for every response (RFC 6265 4.1.1)."""
    pieces = [f"; Path={cookie.path}"]
    if cookie.domain is not None:
        pieces.append(f"; Domain={cookie.domain}")
    if cookie.max_age is not None:
        pieces.append(f"; Max-Age={int(cookie.max_age)}")
    if secure:
        pieces.append("; Secure")
    if cookie.same_site is not SameSite.UNSPECIFIED:
        pieces.append(f"; SameSite={cookie.same_site.value}")
    if cookie.http_only:
        pieces.append("; HttpOnly")
    return "".join(pieces).encode("latin-1")


def _cookies(headers: RawHeaders, name: bytes) -> list[bytes] | None:
    """Return every value of the cookie `name`, in order, or None when there is none (RFC 6265 4.2.1)."""
    found: list[bytes] | None = None
    for key, value in headers:
        if len(key) == 6 and name in value and key.lower() == b"cookie":
            for pair in value.split(b";"):
                cookie, equals, text = pair.partition(b"=")
                if equals and cookie.strip() == name:
                    if found is None:
                        found = []
                    found.append(text.strip())
    return found


AFFINITY_POLICIES: Final[Mapping[str, Callable[[SessionAffinity], AffinityPolicy]]] = MappingProxyType(
    {"HashCookie": HashCookie}
)
"""What makes a policy, by YARP's name."""


def affinity(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Narrow the candidates to the one that the request's key names; a stage (YARP: UseSessionAffinity).

    A request without a key, or whose key names no candidate any more (YARP: Redistribute), goes anywhere, and its
    response carries the key of where it went.
    """
    policy = _policy(exchange.cluster)
    if policy is not None:
        found = policy.find(exchange, exchange.candidates)
        if found:
            exchange.candidates = found
        else:
            exchange.on_response(partial(_write_key, exchange))
    return onward(exchange)


def _policy(cluster: LiveCluster | None) -> AffinityPolicy | None:
    """Return a cluster's policy, or None when affinity is off there."""
    if cluster is None:
        return None
    config = cluster.config.affinity
    return cluster.equipment.affinity if config is not None and config.enabled else None


def _write_key(exchange: Exchange, headers: RawHeaders) -> None:
    """Add the key of where the exchange went, by the policy of the cluster that it is in by then."""
    destination = exchange.destination
    if destination is None or exchange.stream.closed:
        return
    policy = _policy(exchange.cluster)
    if policy is not None:
        headers += policy.key_headers(exchange, destination)

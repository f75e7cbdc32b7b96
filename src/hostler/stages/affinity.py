"""Keeping a client on the destination that answered it first (YARP: SessionAffinity).

The key of a destination is a hash of its id, so any process with the same configuration finds the same destination,
and nothing has to be remembered.
"""

from __future__ import annotations

import time
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeGuard

from hostler.config.model import Cluster, SameSite, SecurePolicy
from hostler.fleet.equipment import PolicyKind
from hostler.http.date import http_date
from hostler.pipeline import for_clusters
from hostler.stages.xxhash import xxh64

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.config.model import AffinityCookie, SessionAffinity
    from hostler.exchange import Exchange, Outcome
    from hostler.fleet import LiveDestination
    from hostler.http.headers import RawHeaders
    from hostler.pipeline import Next

__all__ = [
    "AFFINITY",
    "AFFINITY_FAILURE",
    "AffinityFailurePolicy",
    "AffinityPolicy",
    "HashCookie",
    "affinity",
    "redistribute",
]

_STATE: Final = "HashCookie"


class AffinityPolicy(Protocol):
    """Finds the destination that a request's key names, and writes the key of the one that answers."""

    def find(
        self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /
    ) -> tuple[LiveDestination, ...] | None:
        """Return the destinations of the request's key, () when they are gone, None when it has no key."""
        ...

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> RawHeaders:
        """Return the response headers that carry the key of `destination`."""
        ...


class AffinityFailurePolicy(Protocol):
    """Decides about a request whose key names no candidate any more."""

    def __call__(self, exchange: Exchange, /) -> Awaitable[Outcome] | None:
        """Answer the exchange, or return None to have it go to any of its candidates."""
        ...


class HashCookie:
    """A cookie with the xxHash64 of the destination's id (YARP: HashCookie).

    `now` returns seconds since 1970, for `expires`.
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
        pieces = [self._name, b"=", _key(destination)]
        if cookie.expiration is not None:
            expires = http_date(self._now() + cookie.expiration)
            pieces.append(b"; expires=" + expires.encode("ascii"))
        pieces.append(self._secure if secure else self._plain)
        return [(b"set-cookie", b"".join(pieces))]


def _key(destination: LiveDestination) -> bytes:
    """Return a destination's key: 16 hexadecimal digits, computed once."""
    key: bytes | None = destination.state.get(_STATE)
    if key is None:
        name = "".join(map(_capital, destination.id)).encode("utf-16-le", "surrogatepass")
        key = destination.state[_STATE] = b"%016x" % xxh64(name)
    return key


def _capital(character: str) -> str:
    """Return the one character that .NET's `ToUpperInvariant` makes of one.

    That is Unicode's simple mapping, but for U+0131, which it leaves alone. `str.upper` may give several characters;
    where it does, the simple mapping is that to the title case if it is one character, and else there is none.
    """
    if character == "\u0131":
        return character
    return next((made for made in (character.upper(), character.title()) if len(made) == 1), character)


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


def _is_on(config: SessionAffinity | None) -> TypeGuard[SessionAffinity]:
    return config is not None and config.enabled


def redistribute(_: Exchange, /) -> None:
    """Let the request go to any candidate (YARP: Redistribute)."""


AFFINITY: Final[PolicyKind[Cluster, AffinityPolicy]] = PolicyKind(
    owner=Cluster,
    key="SessionAffinity.Policy",
    named=lambda cluster: cluster.affinity.policy if _is_on(cluster.affinity) else None,
    default="HashCookie",
    builtin=MappingProxyType({"HashCookie": HashCookie}),
    arguments=lambda cluster: (cluster.affinity,),
    later=("ArrCookie", "Cookie", "CustomHeader"),
)
"""The kind of policy that finds and writes keys."""

AFFINITY_FAILURE: Final[PolicyKind[Cluster, AffinityFailurePolicy]] = PolicyKind(
    owner=Cluster,
    key="SessionAffinity.FailurePolicy",
    named=lambda cluster: cluster.affinity.failure_policy if _is_on(cluster.affinity) else None,
    default="Redistribute",
    builtin=MappingProxyType({"Redistribute": lambda: redistribute}),
    later=("Return503Error",),
)
"""The kind of policy that decides when a key names no candidate."""


@for_clusters(lambda cluster: _is_on(cluster.affinity))
def affinity(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Narrow the candidates to the one that the request's key names; a stage (YARP: UseSessionAffinity).

    A request without a key goes anywhere, and its response carries the key of where it went; so does one whose key
    names no candidate any more, unless the failure policy answers it.
    """
    cluster = exchange.cluster
    if cluster is not None and (policy := cluster.equipment.get(AFFINITY)) is not None:
        found = policy.find(exchange, exchange.candidates)
        if found:
            exchange.candidates = found
            return onward(exchange)
        if found is not None and (answer := cluster.equipment[AFFINITY_FAILURE](exchange)) is not None:
            return answer
        exchange.on_response(partial(_write_key, exchange))
    return onward(exchange)


def _write_key(exchange: Exchange, headers: RawHeaders) -> None:
    """Add the key of where the exchange went, by the policy of the cluster that it is in by then."""
    destination, cluster = exchange.destination, exchange.cluster
    if destination is None or cluster is None or exchange.stream.closed:
        return
    policy = cluster.equipment.get(AFFINITY)
    if policy is not None:
        headers += policy.key_headers(exchange, destination)

"""Cookies with a hash of the destination's id: HashCookie, YARP's default, and ArrCookie, that of IIS."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from hostler.stages.affinity.candidates import CandidatesByKey
from hostler.stages.affinity.cookies import KeyCookie
from hostler.stages.affinity.policy import AffinityFailure
from hostler.stages.affinity.xxhash import xxh64

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import SessionAffinity
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.http.headers import RawHeaders
    from hostler.stages.affinity.policy import Found

__all__ = ["ARR_COOKIE", "HASH_COOKIE", "HashedKeyCookie"]

_REMEMBERED: Final = 4096
"""Ids whose keys are computed only once."""


class HashedKeyCookie:
    """A cookie with a hash of the destination's id.

    `hash_id` makes the key of an id; `now` returns seconds since 1970, for `expires`.
    """

    def __init__(
        self,
        config: SessionAffinity,
        *,
        hash_id: Callable[[str], bytes],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cookie = KeyCookie(config, now=now)
        self._hash_id = hash_id
        self._candidates = CandidatesByKey(hash_id)

    def find(self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /) -> Found:
        """Return the destination of the request's key; of several keys, of the first that names one."""
        keys = self._cookie.read(exchange)
        if not keys:
            return None
        by_key = self._candidates.of(candidates)
        for key in keys:
            destination = by_key.get(key)
            if destination is not None:
                return (destination,)
        return AffinityFailure.DESTINATION_NOT_FOUND

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> RawHeaders:
        """Return the Set-Cookie header that carries the key of `destination`."""
        return self._cookie.write(exchange, self._hash_id(destination.id))


@lru_cache(_REMEMBERED)
def hash_key(destination_id: str) -> bytes:
    """Return YARP's key of an id without case: its xxHash64 in 16 hexadecimal digits."""
    return b"%016x" % xxh64(_utf16(map(_capital, destination_id)))


@lru_cache(_REMEMBERED)
def arr_key(destination_id: str) -> bytes:
    """Return IIS Application Request Routing's key of an id without case: its SHA-256 in 64 hexadecimal digits."""
    import hashlib  # noqa: PLC0415 - which loads OpenSSL: for this policy alone

    return hashlib.sha256(_utf16(map(_small, destination_id))).hexdigest().upper().encode("ascii")


def _utf16(characters: map[str]) -> bytes:
    return "".join(characters).encode("utf-16-le", "surrogatepass")


def _capital(character: str) -> str:
    """Return the one character that .NET's `ToUpperInvariant` makes of one.

    That is Unicode's simple mapping, but for U+0131, which it leaves alone. `str.upper` may give several characters;
    where it does, the simple mapping is that to the title case if it is one character, and else there is none.
    """
    if character == "\u0131":
        return character
    return next((made for made in (character.upper(), character.title()) if len(made) == 1), character)


def _small(character: str) -> str:
    """Return the one character that .NET's `ToLowerInvariant` makes of one: U+0130, for one, it leaves alone."""
    made = character.lower()
    return made if len(made) == 1 else character


HASH_COOKIE: Final = partial(HashedKeyCookie, hash_id=hash_key)
"""Makes the policy HashCookie."""

ARR_COOKIE: Final = partial(HashedKeyCookie, hash_id=arr_key)
"""Makes the policy ArrCookie, which finds the destinations of IIS' cookies of the same name."""

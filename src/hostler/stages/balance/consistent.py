"""The same destination for the same key: rendezvous hashing.

Each destination draws a number for the key, and the largest one wins. The draw of a destination depends on nothing but
the key and its own id, so that a destination which goes away loses its own keys to the others, one that comes back gets
them back, and no other key moves; and any proxy, whatever else it knows, draws the same. With weights, the logarithm of
the draw is divided by the weight, which gives each destination its exact share, and a weight that changes moves no key
between others. A choice takes time for each candidate: half a microsecond, with weights a whole one.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from hostler.config.model import HashBy
from hostler.http.cookies import cookie_values
from hostler.stages.balance.even import PowerOfTwoChoices
from hostler.stages.balance.weighted import WeightedPowerOfTwoChoices, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hostler.config.model import LoadBalancing
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.stages.balance.policy import BalancePolicy, Balancing, Candidates

__all__ = ["ConsistentHash"]

_MASK: Final = (1 << 64) - 1
_SEED: Final = "ConsistentHash"
"""Where the hash of a destination's id is, among what policies remember of it."""


class ConsistentHash:
    """Choose the destination that a request's key hashes to; a request without the key goes where another policy says."""

    def __init__(self, balancing: Balancing, fallback: BalancePolicy | None = None) -> None:
        self._key = _key_by(balancing.settings)
        self._choose = _heaviest if balancing.weighted else _largest
        if fallback is None:
            fallback = WeightedPowerOfTwoChoices() if balancing.weighted else PowerOfTwoChoices()
        self._fallback = fallback

    def __call__(self, exchange: Exchange, candidates: Candidates, /) -> LiveDestination | None:
        """Choose."""
        key = self._key(exchange)
        if not key:
            return self._fallback(exchange, candidates)
        return self._choose(_hash(key), candidates)


def _largest(key: int, candidates: Candidates) -> LiveDestination:
    best, most = candidates[0], -1
    for number, candidate in zip(_draws(key, candidates), candidates, strict=True):
        if number > most:
            best, most = candidate, number
    return best


def _heaviest(key: int, candidates: Candidates) -> LiveDestination:
    best, least = candidates[0], math.inf
    for number, candidate, weight in zip(
        _draws(key, candidates), candidates, weights_of(candidates), strict=True
    ):
        if weight:
            cost = -math.log((number + 1) / (1 << 64)) / weight
            if cost < least:
                best, least = candidate, cost
    return best


def _draws(key: int, candidates: Candidates) -> Iterator[int]:
    """Yield the number from 0 to 2**64 that each candidate draws for a key (the finalizer of splitmix64)."""
    for candidate in candidates:
        seed = candidate.state.get(_SEED)
        if seed is None:
            seed = candidate.state[_SEED] = _hash(candidate.id.lower().encode("utf-8", "surrogatepass"))
        number = key ^ seed
        number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        number = ((number ^ number >> 27) * 0x94D049BB133111EB) & _MASK
        yield number ^ number >> 31


def _hash(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def _key_by(settings: LoadBalancing) -> Callable[[Exchange], bytes | None]:
    """Return what reads the key of a request."""
    name = settings.name.encode("latin-1")
    lower, segment = name.lower(), settings.segment

    def header(exchange: Exchange) -> bytes | None:
        return next(iter(exchange.header_values(lower)), None)

    def cookie(exchange: Exchange) -> bytes | None:
        return next(iter(cookie_values(exchange.header_values(b"cookie"), name)), None)

    def client_address(exchange: Exchange) -> bytes | None:
        return exchange.client[0].encode("utf-8", "surrogatepass")

    def path_segment(exchange: Exchange) -> bytes | None:
        segments = exchange.path.split("/", segment + 1)
        return segments[segment].encode("utf-8", "surrogatepass") if len(segments) > segment else None

    return {
        HashBy.HEADER: header,
        HashBy.COOKIE: cookie,
        HashBy.CLIENT_ADDRESS: client_address,
        HashBy.PATH_SEGMENT: path_segment,
    }[settings.hash_by]

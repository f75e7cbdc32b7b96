"""Keys that are the destination's id, sealed, so that clients neither read nor make one (YARP: Cookie, CustomHeader).

A sealed id is a nonce of 12 random bytes, then the id in UTF-8 as AES-256-GCM encrypts it, with its tag of 16 bytes; in
base64, without padding. The cluster's id is its associated data, so that a key of another cluster is as foreign as one
that was tampered with. A client can send as many bad keys as it likes: each request has a few of a bounded length
opened, and nothing is logged.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import time
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag

from hostler.stages.affinity.candidates import CandidatesByKey
from hostler.stages.affinity.cookies import KeyCookie
from hostler.stages.affinity.keys import KeyFile, made_keys
from hostler.stages.affinity.policy import AffinityFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.config.model import SessionAffinity
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.http.headers import RawHeaders
    from hostler.stages.affinity.keys import SealingKeys
    from hostler.stages.affinity.policy import Found

__all__ = ["CustomHeader", "SealedCookie", "Sealer", "sealing_keys"]

_NONCE_SIZE: Final = 12
_MIN_SIZE: Final = _NONCE_SIZE + 16
_MAX_LENGTH: Final = 4096
"""Characters of a key that is opened; browsers keep no larger cookie."""

_MAX_TRIES: Final = 4
"""How many cookies of the name are opened; a browser sends several when they are for several paths."""

_log: Final = logging.getLogger("hostler.stages.affinity")


def sealing_keys(config: SessionAffinity) -> SealingKeys:
    """Return the keys that a configuration names, or else one that was made at this start, with a warning."""
    if config.sealing_key_file is not None:
        return KeyFile(config.sealing_key_file)
    _log.warning(
        "SessionAffinity %s has no SealingKeyFile, and seals with a key that was made at this start: a restart, and any "
        "other worker or proxy, takes its sessions for foreign ones; name a file of keys",
        config.key_name,
    )
    return made_keys()


class Sealer:
    """Seals the ids of destinations, and finds candidates by sealed ids."""

    def __init__(self, keys: SealingKeys) -> None:
        self._keys = keys
        self._candidates = CandidatesByKey(str.lower)

    def seal(self, exchange: Exchange, destination: LiveDestination) -> bytes:
        """Return the sealed id of a destination of the exchange's cluster."""
        nonce, text = os.urandom(_NONCE_SIZE), destination.id.encode("utf-8", "surrogatepass")
        sealed = self._keys.current()[0].encrypt(nonce, text, _associated(exchange))
        return base64.b64encode(nonce + sealed).rstrip(b"=")

    def find(
        self, exchange: Exchange, values: Iterable[bytes], candidates: tuple[LiveDestination, ...]
    ) -> Found:
        """Return the candidate that one of the sealed ids names; an empty one counts as none."""
        given = [value for value in values if value][:_MAX_TRIES]
        if not given:
            return None
        failure = AffinityFailure.KEY_EXTRACTION_FAILED
        for value in given:
            found = self._open(value, _associated(exchange))
            if found is not None:
                destination = self._candidates.of(candidates).get(found.lower())
                if destination is not None:
                    return (destination,)
                failure = AffinityFailure.DESTINATION_NOT_FOUND
        return failure

    def _open(self, value: bytes, associated: bytes) -> str | None:
        """Return the id that was sealed here, None for anything else."""
        if len(value) > _MAX_LENGTH:
            return None
        try:
            sealed = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
        except binascii.Error:
            return None
        if len(sealed) < _MIN_SIZE:
            return None
        for key in self._keys.current():
            try:
                text = key.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], associated)
            except InvalidTag:
                continue
            return text.decode("utf-8", "surrogatepass")
        return None


def _associated(exchange: Exchange) -> bytes:
    cluster = exchange.cluster
    name = "" if cluster is None else cluster.id.lower()
    return b"hostler affinity\0" + name.encode("utf-8", "surrogatepass")


class SealedCookie:
    """A cookie with the destination's id, sealed (YARP: Cookie).

    `now` returns seconds since 1970, for `expires`.
    """

    def __init__(
        self,
        config: SessionAffinity,
        *,
        keys: SealingKeys | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cookie = KeyCookie(config, now=now)
        self._sealer = Sealer(sealing_keys(config) if keys is None else keys)

    def find(self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /) -> Found:
        """Return the destination of the request's cookie."""
        return self._sealer.find(exchange, self._cookie.read(exchange), candidates)

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> RawHeaders:
        """Return the Set-Cookie header that carries the key of `destination`."""
        return self._cookie.write(exchange, self._sealer.seal(exchange, destination))


class CustomHeader:
    """A header with the destination's id, sealed; the same one in requests and in answers (YARP: CustomHeader)."""

    def __init__(self, config: SessionAffinity, *, keys: SealingKeys | None = None) -> None:
        self._name = config.key_name.encode("latin-1")
        self._lower = self._name.lower()
        self._sealer = Sealer(sealing_keys(config) if keys is None else keys)

    def find(self, exchange: Exchange, candidates: tuple[LiveDestination, ...], /) -> Found:
        """Return the destination of the request's header, which may stand there once."""
        values = exchange.header_values(self._lower)
        if len(values) > 1:
            return AffinityFailure.KEY_EXTRACTION_FAILED
        return self._sealer.find(exchange, values, candidates)

    def key_headers(self, exchange: Exchange, destination: LiveDestination, /) -> RawHeaders:
        """Return the header that carries the key of `destination`."""
        return [(self._name, self._sealer.seal(exchange, destination))]

"""Keys in a header, of which the proxy knows digests."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from hostler.authorization.credentials import challenge, only_value
from hostler.authorization.decision import Decision, Denied, Granted

if TYPE_CHECKING:
    from hostler.config.access import ApiKeyDefinition
    from hostler.exchange import Exchange

__all__ = ["ApiKeys"]

_MAX_SIZE: Final = 1024
"""Bytes of a key that are looked at."""


class ApiKeys:
    """An authorization policy: one of a few keys, compared by their SHA-256, all of them each time."""

    def __init__(self, definition: ApiKeyDefinition, realm: str) -> None:
        self._header = definition.header
        self._digests = [(bytes.fromhex(digest), name) for name, digest in definition.keys.items()]
        self._challenge = challenge("ApiKey", realm=realm, header=definition.header)

    async def __call__(self, exchange: Exchange, /) -> Decision:
        """Let in who has a key."""
        key = only_value(exchange.request.headers, self._header)
        if isinstance(key, Denied):
            return key
        if key is None:
            return Denied(401, [self._challenge], "no key")
        digest = hashlib.sha256(key[:_MAX_SIZE]).digest()
        found = None
        for known, name in self._digests:
            if hmac.compare_digest(digest, known):
                found = name
        if found is None or len(key) > _MAX_SIZE:
            return Denied(401, [self._challenge], "unknown key")
        return Granted(found)

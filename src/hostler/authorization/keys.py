"""Keys that check signatures: read from a file or a URL, and judged once."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from hostler.client.fetch import fetch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from joserfc.jwk import Key

__all__ = ["VerificationKey", "parse_keys", "read_keys", "reader_of"]

MAX_SIZE: Final = 1 << 20
"""Bytes of a key set."""

_MAX_KEYS: Final = 100
_TIMEOUT: Final = 5.0
_ACCEPT: Final = "application/jwk-set+json, application/json"
_RSA_SIZES: Final = range(2048, 8193)
"""Bits: RFC 7518 3.3 asks for the first; what is larger than the last makes tokens dear to check."""

_MAX_EXPONENT: Final = 32
"""Bits, likewise."""

_MIN_SECRET: Final = 32
"""Bytes: what HS256 asks for (RFC 7518 3.2)."""

_UNUSABLE: Final = (JoseError, UnsupportedAlgorithm, ArithmeticError, LookupError, TypeError, ValueError)
"""What is raised for a key that is none, or of a kind that is not known."""


@frozen(eq=False)
class VerificationKey:
    """A key, and what it may be used for."""

    key: Key
    kid: str | None
    algorithms: frozenset[str]
    """Which of the policy's algorithms go with its type, its curve, and what it says of itself."""


def reader_of(keys: str, algorithms: Iterable[str]) -> Callable[[], Awaitable[tuple[VerificationKey, ...]]]:
    """Return what reads keys from an http or https URL, or a file; it raises OSError or ValueError when there are none."""
    wanted = frozenset(algorithms)

    async def from_url() -> tuple[VerificationKey, ...]:
        content = await fetch(keys, max_size=MAX_SIZE, timeout=_TIMEOUT, accept=_ACCEPT)
        return await asyncio.to_thread(parse_keys, content, wanted)

    async def from_file() -> tuple[VerificationKey, ...]:
        return await asyncio.to_thread(read_keys, keys, wanted)

    return from_url if keys.lower().startswith(("http://", "https://")) else from_file


def read_keys(path: str, algorithms: frozenset[str]) -> tuple[VerificationKey, ...]:
    """Read keys from a file; raises OSError or ValueError."""
    with Path(path).open("rb") as file:
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise ValueError(f"it has more than {MAX_SIZE} bytes, which no key set has")
    return parse_keys(content, algorithms)


def parse_keys(content: bytes, algorithms: frozenset[str]) -> tuple[VerificationKey, ...]:
    """Read a public key in PEM, a JWK or a JWK set (RFC 7517); those that cannot be used are passed over.

    Raises ValueError when none is left.
    """
    made = _from_pem(content) if content.lstrip().startswith(b"-----BEGIN") else _from_json(content)
    keys = tuple(key for key in map(_usable(algorithms), made) if key is not None)
    if not keys:
        raise ValueError(f"there is no key in it that goes with {', '.join(sorted(algorithms))}")
    return keys


def _from_pem(content: bytes) -> Iterator[Key]:
    if b"PRIVATE" in content:
        raise ValueError("it holds a private key; give the public one")
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            yield kind.import_key(content)
        except _UNUSABLE:
            continue


def _from_json(content: bytes) -> Iterator[Key]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is neither JSON nor PEM") from None
    listed: Any = document.get("keys", [document]) if isinstance(document, dict) else []
    for found in listed[:_MAX_KEYS] if isinstance(listed, list) else []:
        try:
            if isinstance(found, dict) and isinstance(found.get("kid", ""), str) and _has_size(found):
                yield JWKRegistry.import_key(found)
        except _UNUSABLE:
            continue


def _has_size(key: Mapping[str, Any]) -> bool:
    """Whether a key is neither too short to be safe nor so long that it costs more than it is worth."""
    if key.get("kty") == "RSA":
        return _bits(key["n"]) in _RSA_SIZES and _bits(key["e"]) <= _MAX_EXPONENT
    return key.get("kty") != "oct" or len(key["k"]) * 6 // 8 >= _MIN_SECRET


def _bits(number: str) -> int:
    """Return the size of a number as a JWK has it (RFC 7518 2, Base64urlUInt)."""
    return int.from_bytes(urlsafe_b64decode(number + "=="), "big").bit_length()


def _usable(algorithms: frozenset[str]) -> Callable[[Key], VerificationKey | None]:
    def judge(key: Key) -> VerificationKey | None:
        fit = frozenset(name for name in algorithms if _fits(key, name))
        return VerificationKey(key, key.kid, fit) if fit else None

    return judge


def _fits(key: Key, algorithm: str) -> bool:
    """Whether a key may check signatures by an algorithm: its type, its curve, its use."""
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
        native: Any = key.get_op_key("verify")
    except _UNUSABLE:
        return False
    return not isinstance(key, RSAKey) or native.key_size in _RSA_SIZES

"""Signed JWTs as bearer tokens (RFC 6750, RFC 7519), checked as RFC 8725 asks."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jws import JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from hostler.authorization.credentials import challenge, credentials
from hostler.authorization.decision import Decision, Denied, Granted
from hostler.authorization.key_set import RETRY_EMPTY, KeySet, KeysUnavailableError
from hostler.authorization.keys import reader_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from joserfc.jws import CompactSignature

    from hostler.authorization.keys import VerificationKey
    from hostler.config.access import BearerDefinition
    from hostler.exchange import Exchange

__all__ = ["MAX_TOKEN", "Bearer"]

MAX_TOKEN: Final = 16384
"""Bytes of a token that is looked at."""

_MAX_HEADER: Final = 4096
_MAX_TRIES: Final = 8
"""How many keys are tried on one token, where it does not say which."""

_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class InvalidTokenError(Exception):
    """A token that is not valid; the message is for whoever sent it."""


class _Registry(JWSRegistry):
    """What joserfc may do: check signatures by these algorithms, whatever other parameters a header has."""

    max_header_length = _MAX_HEADER
    max_payload_length = MAX_TOKEN

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        super().__init__(algorithms=algorithms, strict_check_header=False)
        self._allowed = {name: self.algorithms[name] for name in algorithms}

    def get_alg(self, name: str) -> Any:
        """Return an algorithm; raises InvalidTokenError for one that is not the policy's, such as `none`."""
        if name not in self._allowed:
            raise InvalidTokenError("its algorithm is not accepted")
        return self._allowed[name]


class Bearer:
    """An authorization policy: a JWT with a valid signature, of one issuer, for one of a few audiences.

    `now` returns seconds since 1970; `clock` is for the age of the keys.
    """

    def __init__(
        self,
        definition: BearerDefinition,
        realm: str,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._definition = definition
        self._realm = realm
        self._keys: KeySet[VerificationKey] = KeySet(
            definition.keys,
            reader_of(definition.keys, definition.algorithms),
            refresh_period=definition.refresh_period,
            clock=clock,
        )
        self._types = frozenset(map(_media_type, definition.types))
        self._registry = _Registry(definition.algorithms)
        self._claims = JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=int(definition.leeway),
            iss={"essential": True, "value": definition.issuer},
            aud={"essential": True, "values": list(definition.audiences)},
            exp={"essential": True},
        )

    async def __call__(self, exchange: Exchange, /) -> Decision:
        """Let in who has a valid token with the scopes and claims that are required."""
        token = credentials(exchange.request.headers, "Bearer")
        if isinstance(token, Denied):
            return token
        if token is None:
            return Denied(401, [challenge("Bearer", realm=self._realm)], "no bearer token")
        try:
            claims = await self._verified(token)
        except InvalidTokenError as error:
            return self._invalid(str(error))
        except KeysUnavailableError as error:
            return Denied(503, [("Retry-After", f"{RETRY_EMPTY:.0f}")], f"no keys from {error}")
        return self._permitted(claims)

    async def _verified(self, token: bytes) -> Mapping[str, Any]:
        """Return the claims of a token; raises InvalidTokenError, KeysUnavailableError."""
        signature = self._taken_apart(token)
        header = signature.headers()
        kid, algorithm = header.get("kid"), header["alg"]
        keys = _candidates(await self._keys.current(), kid, algorithm)
        if not keys:
            keys = _candidates(await self._keys.latest(), kid, algorithm)
        if not keys:
            raise InvalidTokenError("its key is not known")
        if not any(self._is_signed(signature, key) for key in keys):
            raise InvalidTokenError("its signature is not valid")
        return self._valid(signature.payload)

    def _taken_apart(self, token: bytes) -> CompactSignature:
        if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
            raise InvalidTokenError("it is not a signed JWT")
        try:
            signature = extract_compact(token, registry=self._registry)
            header: object = signature.headers()
            if not isinstance(header, dict):
                raise InvalidTokenError("it is not a signed JWT")
            self._registry.check_header(header)
            self._registry.get_alg(header["alg"])
            if self._types and _media_type(header.get("typ", "")) not in self._types:
                raise InvalidTokenError("it is of another type")
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
            # joserfc reads whatever JSON a stranger wrote where a header should be
            raise InvalidTokenError("it is not a signed JWT") from None
        return signature

    def _is_signed(self, signature: CompactSignature, key: VerificationKey) -> bool:
        try:
            return validate_compact(signature, key.key, registry=self._registry)
        except (JoseError, ValueError):
            return False

    def _valid(self, payload: bytes) -> Mapping[str, Any]:
        """Return the claims in a payload; raises InvalidTokenError when they are not valid now and here."""
        try:
            claims = json.loads(payload)
            if not isinstance(claims, dict):
                raise InvalidTokenError("its claims are not an object")
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise InvalidTokenError("it has expired") from None
        except InvalidClaimError as error:
            raise InvalidTokenError(_wrong(error.claim)) from None
        except (JoseError, ValueError, RecursionError):
            raise InvalidTokenError("its claims are not complete") from None
        return claims

    def _permitted(self, claims: Mapping[str, Any]) -> Decision:
        required = self._definition.required_scopes
        if not set(required) <= _scopes(claims):
            return self._insufficient("missing scope", scope=" ".join(required))
        for name, values in self._definition.required_claims.items():
            if not _texts(claims.get(name)) & set(values):
                return self._insufficient(f"claim {name} has none of the values that are required")
        user = claims.get(self._definition.user_claim)
        return Granted(user if isinstance(user, str) else None, claims)

    def _invalid(self, why: str) -> Denied:
        said = challenge("Bearer", realm=self._realm, error="invalid_token", error_description=why)
        return Denied(401, [said], f"invalid token: {why}")

    def _insufficient(self, why: str, **parameters: str) -> Denied:
        return Denied(
            403, [challenge("Bearer", realm=self._realm, error="insufficient_scope", **parameters)], why
        )


def _candidates(keys: Iterable[VerificationKey], kid: object, algorithm: str) -> list[VerificationKey]:
    """Return the keys that may have signed a token: of its name or without one, of its algorithm."""
    found = [
        key
        for key in keys
        if algorithm in key.algorithms and (kid is None or key.kid is None or key.kid == kid)
    ]
    return found[:_MAX_TRIES]


def _media_type(typ: str) -> str:
    """Return a type as it is compared: without case, and without what may be left out (RFC 7515 4.1.9)."""
    return typ.lower().removeprefix("application/")


def _wrong(claim: str | None) -> str:
    return {
        "iss": "it has another issuer",
        "aud": "it is for another audience",
        "nbf": "it is not valid yet",
        "iat": "it was issued in the future",
    }.get(claim or "", "one of its claims is not valid")


def _scopes(claims: Mapping[str, Any]) -> set[str]:
    """Return the scopes of a token: `scope` (RFC 8693 4.2), or Microsoft's `scp`; a list, or a text with spaces."""
    said = claims.get("scope", claims.get("scp"))
    return set(said.split()) if isinstance(said, str) else _texts(said)


def _texts(value: object) -> set[str]:
    """Return a claim's value, or those in its list, as text."""
    values = value if isinstance(value, list) else [value]
    return {
        str(item).lower() if isinstance(item, bool) else str(item)
        for item in values
        if isinstance(item, str | int)
    }

"""Rules for the policies that say who may ask for what: `Policies.Cors` and `Policies.Authorization`.

What may be a secret, or was meant to be a digest of one, is not repeated in a message.
"""

from __future__ import annotations

import math
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hostler.config.access import ALGORITHMS, ANY
from hostler.config.checks.values import check_positive
from hostler.errors import Problem
from hostler.http.fields import TOKEN_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hostler.config.access import (
        ApiKeyDefinition,
        AuthorizationDefinition,
        BasicDefinition,
        BearerDefinition,
        CorsDefinition,
    )

__all__ = ["check_authorization", "check_cors"]

_ORIGIN: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?:(?:\*\.)?(?P<host>[^\s/\\*?#@:\[\]]+)|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?"
)
_TOKEN: Final = re.compile(TOKEN_PATTERN.decode() + "+")
_ARGON2: Final = re.compile(
    r"\$argon2(?:id|i|d)\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
)
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_NAME: Final = re.compile(r"[^:\x00-\x1f\x7f]+")
_REALM: Final = re.compile(r"[ -~]+")


def check_cors(path: str, cors: CorsDefinition) -> Iterator[Problem]:
    """Find what is wrong with a CORS policy."""
    for index, origin in enumerate(cors.allowed_origins):
        if message := _origin_rule(origin):
            yield Problem(f"{path}.AllowedOrigins[{index}]", message)
    if cors.allow_credentials and ANY in cors.allowed_origins:
        yield Problem(
            f"{path}.AllowCredentials",
            'with "*" in AllowedOrigins any page could act as its user; list the origins, or set this to false',
        )
    if cors.allow_credentials and ANY in cors.exposed_headers:
        yield Problem(
            f"{path}.ExposedHeaders", '"*" means nothing together with AllowCredentials; list the headers'
        )
    for key, names in (
        ("AllowedMethods", cors.allowed_methods),
        ("AllowedHeaders", cors.allowed_headers),
        ("ExposedHeaders", cors.exposed_headers),
    ):
        kind = "method" if key == "AllowedMethods" else "header"
        for index, name in enumerate(names):
            if not _TOKEN.fullmatch(name):
                yield Problem(
                    f"{path}.{key}[{index}]", f'{name!a} is not the name of a {kind}; write one, or "*"'
                )
    age = cors.preflight_max_age
    if age is not None and not 0 <= age < math.inf:
        yield Problem(f"{path}.PreflightMaxAge", f"{age:g} seconds is out of range; use 0 or more")


def _origin_rule(origin: str) -> str | None:
    expected = 'write "https://example.com", "https://*.example.com" or "*"'
    if origin == ANY:
        return None
    if origin.lower() == "null":
        return f'"null" is the origin of any page that is sandboxed or a file; {expected}'
    found = _ORIGIN.fullmatch(origin)
    try:
        fits = found is not None and bool((found["host"] or "a").encode("idna"))
    except UnicodeError:
        fits = False
    return None if fits else f"{origin!a} is not an origin; {expected}"


def check_authorization(path: str, policy: AuthorizationDefinition) -> Iterator[Problem]:
    """Find what is wrong with an authorization policy."""
    kinds = {"Bearer": policy.bearer, "Basic": policy.basic, "ApiKey": policy.api_key}
    named = [name for name, kind in kinds.items() if kind is not None]
    if len(named) != 1:
        found = f"{' and '.join(named)} are" if named else "none is"
        yield Problem(path, f"{found} there; a policy is one of Bearer, Basic and ApiKey")
    if not _REALM.fullmatch(policy.realm):
        yield Problem(f"{path}.Realm", f"{policy.realm!a} is not a realm; use visible ASCII and spaces")
    if policy.bearer is not None:
        yield from _bearer(f"{path}.Bearer", policy.bearer)
    if policy.basic is not None:
        yield from _basic(f"{path}.Basic", policy.basic)
    if policy.api_key is not None:
        yield from _api_key(f"{path}.ApiKey", policy.api_key)


def _bearer(path: str, bearer: BearerDefinition) -> Iterator[Problem]:
    yield from _non_empty(f"{path}.Issuer", [bearer.issuer])
    yield from _non_empty(f"{path}.Audiences", bearer.audiences)
    yield from _non_empty(f"{path}.UserClaim", [bearer.user_claim])
    if not all(bearer.types):
        yield Problem(f"{path}.Types", "one of them is empty; write a type such as at+jwt")
    yield from _algorithms(path, bearer)
    if message := _keys_rule(bearer.keys):
        yield Problem(f"{path}.Keys", message)
    if not 0 <= bearer.leeway < math.inf:
        yield Problem(f"{path}.Leeway", f"{bearer.leeway:g} seconds is out of range; use 0 or more")
    yield from check_positive(f"{path}.RefreshPeriod", bearer.refresh_period)
    for index, scope in enumerate(bearer.required_scopes):
        if not re.fullmatch(r"[!#-\[\]-~]+", scope):
            yield Problem(
                f"{path}.RequiredScopes[{index}]", f"{scope!a} is not a scope (RFC 6749 3.3); write one"
            )
    for claim, values in bearer.required_claims.items():
        if not values:
            yield Problem(f"{path}.RequiredClaims.{claim}", "there are no values; list those that are enough")


def _algorithms(path: str, bearer: BearerDefinition) -> Iterator[Problem]:
    yield from _non_empty(f"{path}.Algorithms", bearer.algorithms)
    for index, name in enumerate(bearer.algorithms):
        if name not in ALGORITHMS:
            yield Problem(
                f"{path}.Algorithms[{index}]", f"{name!a} is not accepted; use {', '.join(ALGORITHMS)}"
            )
    secret = {name.startswith("HS") for name in bearer.algorithms}
    if len(secret) > 1:
        yield Problem(
            f"{path}.Algorithms",
            "some are for shared secrets (HS...) and some for public keys, which must not be taken for one another; "
            "make two policies",
        )
    elif secret == {True} and "://" in bearer.keys:
        yield Problem(f"{path}.Keys", "a shared secret cannot come from a URL; write the path of a file")


def _keys_rule(keys: str) -> str | None:
    if not keys:
        return "it is empty; write an https URL, or the path of a file"
    if "://" not in keys:
        return None
    try:
        parts = urlsplit(keys)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme.lower() not in {"http", "https"}
        or not re.fullmatch(r"[!-~]+", keys)
        or "@" in parts.netloc
    ):
        return "it is not an https URL; write https://host[:port]/path"
    if parts.scheme.lower() == "http" and not _is_this_host(host):
        return "over http anybody on the way can put keys of their own there; use https"
    return None


def _is_this_host(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _basic(path: str, basic: BasicDefinition) -> Iterator[Problem]:
    if not basic.users:
        yield Problem(f"{path}.Users", "there are none; name at least one")
    for name, hashed in basic.users.items():
        if not _NAME.fullmatch(name):
            yield Problem(
                f"{path}.Users", f"{name!a} cannot be a user's name; leave out colons and control characters"
            )
        if not _ARGON2.fullmatch(hashed):
            yield Problem(
                f"{path}.Users.{name}",
                'it is not an Argon2 hash; write one, such as "$argon2id$v=19$m=...$...$..."',
            )


def _api_key(path: str, policy: ApiKeyDefinition) -> Iterator[Problem]:
    if not _TOKEN.fullmatch(policy.header):
        yield Problem(f"{path}.Header", f"{policy.header!a} is not the name of a header; write one")
    if not policy.keys:
        yield Problem(f"{path}.Keys", "there are none; name at least one")
    seen: dict[str, str] = {}
    for name, digest in policy.keys.items():
        other = seen.setdefault(digest.lower(), name)
        if not _SHA256.fullmatch(digest):
            yield Problem(
                f"{path}.Keys.{name}", "it is not the SHA-256 of a key; write its 64 hexadecimal digits"
            )
        elif other != name:
            yield Problem(f"{path}.Keys.{name}", f"{other} has the same key; give each one of its own")


def _non_empty(path: str, values: Iterable[str]) -> Iterator[Problem]:
    values = tuple(values)
    if not values or not all(values):
        yield Problem(path, "it is empty; say what is expected")

"""Definitions of the policies that say who may ask for what: `Policies.Cors` and `Policies.Authorization`.

As values: what is made of them is in `hostler.stages.cors` and `hostler.authorization`. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003 - `keys_of` asks for the types
from typing import Final

from attrs import field, frozen

from hostler.config.fields import mapping, mapping_of_strings, strings

__all__ = [
    "ALGORITHMS",
    "ANY",
    "ApiKeyDefinition",
    "AuthorizationDefinition",
    "BasicDefinition",
    "BearerDefinition",
    "CorsDefinition",
]

ANY: Final = "*"
"""In a list of a `CorsDefinition`: everything."""

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA",
    "HS256", "HS384", "HS512",
)  # fmt: skip
"""The algorithms that a bearer policy may name (RFC 7518 3.1, RFC 8037, RFC 9864); those with HS need a shared secret."""


def _lists(value: Mapping[str, Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    return mapping({key: strings(item) for key, item in value.items()})


@frozen
class CorsDefinition:
    """Which pages of other origins may use a route, and how (the Fetch standard, 3.3; ASP.NET's CorsPolicy)."""

    allowed_origins: tuple[str, ...] = field(converter=strings)
    """`https://example.com`, `https://*.example.com` for all hosts below it, or `*`."""

    allowed_methods: tuple[str, ...] = field(default=(), converter=strings)
    """What a page may ask with beside GET, HEAD and POST; or `*`."""

    allowed_headers: tuple[str, ...] = field(default=(), converter=strings)
    """What a page may send beside the headers that need no permission; or `*`."""

    exposed_headers: tuple[str, ...] = field(default=(), converter=strings)
    """What a page may read of an answer beside the headers that need no permission; or `*`."""

    allow_credentials: bool = False
    """Whether cookies and credentials may come along."""

    preflight_max_age: float | None = None
    """Seconds for which a browser may keep the answer to a preflight; None leaves it to the browser."""


@frozen
class BearerDefinition:
    """Asks for a signed JWT as a bearer token (RFC 6750, RFC 7519, RFC 8725)."""

    issuer: str
    """What `iss` must be, to the letter."""

    audiences: tuple[str, ...] = field(converter=strings)
    """One of these must be in `aud`."""

    algorithms: tuple[str, ...] = field(converter=strings)
    """What tokens may be signed with, of `ALGORITHMS`; either signatures or shared secrets, not both."""

    keys: str
    """Where the keys are: a JWK set at an https URL or in a file, or a public key in PEM in a file."""

    types: tuple[str, ...] = field(default=(), converter=strings)
    """What `typ` may be, such as `at+jwt` (RFC 8725 3.11); any when this is empty."""

    leeway: float = 60.0
    """By how much clocks may differ."""

    refresh_period: float = 300.0
    """After how long the keys are read again."""

    required_scopes: tuple[str, ...] = field(default=(), converter=strings)
    """What must all be in `scope`, or `scp`."""

    required_claims: Mapping[str, tuple[str, ...]] = field(factory=dict, converter=_lists)
    """Claims, each with the values of which one must be there."""

    user_claim: str = "sub"
    """The claim that names the user."""


@frozen
class BasicDefinition:
    """Asks for a name and a password (RFC 7617)."""

    users: Mapping[str, str] = field(converter=mapping_of_strings, repr=False)
    """Argon2 hashes of passwords, by name."""


@frozen
class ApiKeyDefinition:
    """Asks for a key in a header."""

    keys: Mapping[str, str] = field(converter=mapping_of_strings, repr=False)
    """SHA-256 digests of keys in hexadecimal, by the name of whoever has the key."""

    header: str = "X-API-Key"


@frozen
class AuthorizationDefinition:
    """One of the ready-made authorization policies."""

    bearer: BearerDefinition | None = None
    basic: BasicDefinition | None = None
    api_key: ApiKeyDefinition | None = None
    realm: str = "hostler"
    """What the challenge of a 401 names (RFC 9110 11.5)."""

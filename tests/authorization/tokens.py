"""Keys and tokens for tests, right ones and wrong ones."""

from __future__ import annotations

import base64
import json

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

NOW = 1_800_000_000
ISSUER = "https://login.example.com/"
CLAIMS = {
    "iss": ISSUER,
    "aud": "orders",
    "exp": NOW + 600,
    "sub": "alice",
    "scope": "orders.read orders.write",
    "role": ["staff", "night"],
}

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "other"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
SECRET = OctKey.generate_key(256, {"kid": "secret"})


def public(*keys, **more):
    """Return a JWK set of public keys, as bytes."""
    return json.dumps({"keys": [{**key.as_dict(private=False), **more} for key in keys]}).encode()


class _Any(JWSRegistry):
    def get_alg(self, name):
        return self.algorithms[name]


_ANY = _Any(algorithms=list(JWSRegistry.algorithms), strict_check_header=False)


def token(key=RSA, algorithm="RS256", *, header=(), **changes):
    """Sign claims, with some changed; None takes one away."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    said = {"alg": algorithm, "kid": key.kid, **dict(header)}
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, claims, key, registry=_ANY)


def encoded(data):
    """Write JSON or bytes in base64url."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header, payload, key=RSA, algorithm="RS256"):
    """Sign whatever there is."""
    said = f"{encoded(header)}.{encoded(payload)}"
    return f"{said}.{encoded(JWSRegistry.algorithms[algorithm].sign(said.encode(), key))}"

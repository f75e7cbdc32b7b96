"""Which keys a file or an endpoint gives."""

from __future__ import annotations

import json

import pytest

from hostler.authorization.keys import MAX_SIZE, parse_keys, read_keys
from tests.authorization.tokens import EC, ED, RSA, SECRET, public

ALL = frozenset({"RS256", "ES256", "EdDSA"})


def kids(content, algorithms=ALL):
    return [key.kid for key in parse_keys(content, algorithms)]


def test_keys_of_several_types():
    found = {key.kid: key.algorithms for key in parse_keys(public(RSA, EC, ED), ALL)}
    assert found == {"rsa": {"RS256"}, "ec": {"ES256"}, "ed": {"EdDSA"}}


def test_what_cannot_be_used_is_passed_over():
    good = json.loads(public(RSA))["keys"]
    bad = [
        7, None, "key", [], {}, {"kty": "RSA"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "new"}, {"kty": []},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {**good[0], "kid": 7}, {**good[0], "n": 7},
        {**good[0], "key_ops": ["sign"]}, {**good[0], "use": "enc"}, {**good[0], "alg": "RS512"},
        {"kty": "oct", "k": ""}, {"kty": "OKP", "crv": "X25519", "x": "AA"},
    ]  # fmt: skip
    assert kids(json.dumps({"keys": bad + good}).encode()) == ["rsa"]


def test_keys_that_are_too_short_or_too_long_are_passed_over():
    good = json.loads(public(RSA))["keys"][0]
    sizes = [
        {**good, "n": good["n"][:171]},
        {**good, "n": good["n"] * 5},
        {**good, "e": good["n"][:8]},
        {**good, "n": "A" * 342},
        {**good, "n": ""},
    ]
    assert kids(json.dumps({"keys": [*sizes, good]}).encode()) == ["rsa"]
    short = {"kty": "oct", "k": "A" * 42}
    with pytest.raises(ValueError, match="no key in it that goes with HS256"):
        kids(json.dumps(short).encode(), frozenset({"HS256"}))


def test_a_secret_is_no_public_key_and_the_other_way_round():
    secret = json.dumps(SECRET.as_dict(private=True)).encode()
    with pytest.raises(ValueError, match="no key in it"):
        kids(secret, frozenset({"RS256"}))
    with pytest.raises(ValueError, match="no key in it"):
        kids(public(RSA), frozenset({"HS256"}))


@pytest.mark.parametrize("key", [RSA, EC, ED])
def test_a_public_key_in_pem(key):
    assert len(parse_keys(b"\n" + key.as_pem(private=False), ALL)) == 1


def test_a_private_key_in_pem_is_refused():
    with pytest.raises(ValueError, match="it holds a private key; give the public one"):
        parse_keys(RSA.as_pem(private=True), ALL)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"keys": 7}', b'{"keys": []}', b'{"keys": {}}',
                b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"<html>"]
)  # fmt: skip
def test_what_holds_no_keys(content):
    with pytest.raises(ValueError, match=r"neither JSON nor PEM|no key in it"):
        parse_keys(content, ALL)


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(b" " * (MAX_SIZE + 1))
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        read_keys(str(path), ALL)

"""Rules for CORS and authorization policies that a document defines."""

from __future__ import annotations

import pytest

from hostler import (
    ApiKeyDefinition,
    AuthorizationDefinition,
    BasicDefinition,
    BearerDefinition,
    CorsDefinition,
)
from hostler.config.checks.access import check_authorization, check_cors

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def of_cors(*origins, **changes):
    return {problem.path: problem.message for problem in check_cors("C", CorsDefinition(origins, **changes))}


def of(**kinds):
    definition = AuthorizationDefinition(**kinds)
    return {
        problem.path.removeprefix("A."): problem.message for problem in check_authorization("A", definition)
    }


def of_bearer(**changes):
    settings = {
        "issuer": "i",
        "audiences": "a",
        "algorithms": "RS256",
        "keys": "https://login.example.com/keys",
    }
    return of(bearer=BearerDefinition(**{**settings, **changes}))


@pytest.mark.parametrize(
    "origin",
    ["*", "https://example.com", "https://*.example.com:8443", "http://localhost:3000/", "http://[::1]:80",
     "capacitor://localhost", "https://b\u00fccher.example", "https://EXAMPLE.com"],
)  # fmt: skip
def test_origins(origin):
    assert of_cors(origin) == {}


@pytest.mark.parametrize(
    "origin",
    ["", "example.com", "https://", "https://example.com/app", "https://a.*.com", "https://*", "https://u@example.com",
     "https://example.com:port", "//example.com", "*.example.com", "https://exa mple.com", "null", "NULL",
     "https://" + "x" * 64, "https://a..b"],
)  # fmt: skip
def test_what_is_no_origin(origin):
    message = of_cors(origin)["C.AllowedOrigins[0]"]
    assert message.endswith('; write "https://example.com", "https://*.example.com" or "*"')


def test_credentials_and_stars():
    assert of_cors("*", allow_credentials=True) == {
        "C.AllowCredentials": 'with "*" in AllowedOrigins any page could act as its user; list the origins, or set this to false'
    }
    assert of_cors("https://a", allow_credentials=True, exposed_headers="*") == {
        "C.ExposedHeaders": '"*" means nothing together with AllowCredentials; list the headers'
    }
    assert of_cors("https://a", allow_credentials=True, allowed_headers="*", allowed_methods="*") == {}


def test_names_and_ages():
    assert of_cors("*", allowed_methods=["P T"], allowed_headers=["\xe9"], exposed_headers=[""]) == {
        "C.AllowedMethods[0]": "'P T' is not the name of a method; write one, or \"*\"",
        "C.AllowedHeaders[0]": "'\\xe9' is not the name of a header; write one, or \"*\"",
        "C.ExposedHeaders[0]": "'' is not the name of a header; write one, or \"*\"",
    }
    assert of_cors("*", preflight_max_age=-1.0) == {
        "C.PreflightMaxAge": "-1 seconds is out of range; use 0 or more"
    }
    assert of_cors("*", preflight_max_age=0.0) == {}


def test_a_policy_is_of_one_kind():
    assert of() == {"A": "none is there; a policy is one of Bearer, Basic and ApiKey"}
    found = of(basic=BasicDefinition({"a": HASH}), api_key=ApiKeyDefinition({"a": DIGEST}))
    assert found == {"A": "Basic and ApiKey are there; a policy is one of Bearer, Basic and ApiKey"}


@pytest.mark.parametrize("realm", ["", "caf\xe9", "a\nb"])
def test_a_realm_is_visible(realm):
    found = of(basic=BasicDefinition({"a": HASH}), realm=realm)
    assert found == {"Realm": f"{realm!a} is not a realm; use visible ASCII and spaces"}


@pytest.mark.parametrize(
    "changes",
    [{}, {"keys": "keys.json"}, {"keys": "http://127.0.0.1:9003/keys"}, {"keys": "http://[::1]/"},
     {"keys": "http://localhost/keys"}, {"keys": "https://host/keys?p=1"}, {"algorithms": ["RS256", "ES256"]},
     {"algorithms": ["HS256", "HS512"], "keys": "secret.json"}, {"leeway": 0.0}, {"required_scopes": ["a.b:c/d"]}],
)  # fmt: skip
def test_bearer(changes):
    assert of_bearer(**changes) == {}


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"issuer": ""}, "Issuer", "it is empty"),
        ({"audiences": []}, "Audiences", "it is empty"),
        ({"audiences": ["a", ""]}, "Audiences", "it is empty"),
        ({"algorithms": []}, "Algorithms", "it is empty"),
        ({"algorithms": "none"}, "Algorithms[0]", "'none' is not accepted; use RS256, "),
        ({"algorithms": "rs256"}, "Algorithms[0]", "'rs256' is not accepted; use RS256, "),
        ({"algorithms": ["RS256", "HS256"]}, "Algorithms", "some are for shared secrets"),
        ({"algorithms": "HS256"}, "Keys", "a shared secret cannot come from a URL"),
        ({"keys": ""}, "Keys", "it is empty"),
        ({"keys": "http://login.example.com/keys"}, "Keys", "over http anybody on the way"),
        ({"keys": "ftp://login.example.com/keys"}, "Keys", "it is not an https URL"),
        ({"keys": "https://user:password@host/"}, "Keys", "it is not an https URL"),
        ({"keys": "https://"}, "Keys", "it is not an https URL"),
        ({"keys": "https://host:port/"}, "Keys", "it is not an https URL"),
        ({"keys": "https://host/a b"}, "Keys", "it is not an https URL"),
        ({"keys": "https://[host/"}, "Keys", "it is not an https URL"),
        ({"leeway": -1.0}, "Leeway", "-1 seconds is out of range"),
        ({"leeway": float("inf")}, "Leeway", "inf seconds is out of range"),
        ({"refresh_period": 0.0}, "RefreshPeriod", "0 seconds is out of range"),
        ({"required_scopes": ["a b"]}, "RequiredScopes[0]", "'a b' is not a scope"),
        ({"required_scopes": ['"']}, "RequiredScopes[0]", "'\"' is not a scope"),
        ({"required_claims": {"role": []}}, "RequiredClaims.role", "there are no values"),
        ({"user_claim": ""}, "UserClaim", "it is empty"),
        ({"types": ["at+jwt", ""]}, "Types", "one of them is empty"),
    ],
)
def test_what_is_wrong_with_bearer(changes, key, said):
    found = of_bearer(**changes)
    assert list(found) == [f"Bearer.{key}"]
    assert found[f"Bearer.{key}"].startswith(said)


@pytest.mark.parametrize(
    "hashed", ["", "secret", "5f4dcc3b5aa765d61d8327deb882cf99", "$2b$12$abc", HASH + " "]
)
def test_a_password_is_a_hash_and_is_not_shown(hashed):
    found = of(basic=BasicDefinition({"alice": hashed}))
    assert list(found) == ["Basic.Users.alice"]
    assert not hashed or hashed not in found["Basic.Users.alice"]


@pytest.mark.parametrize("name", ["", "a:b", "a\nb"])
def test_a_users_name(name):
    assert list(of(basic=BasicDefinition({name: HASH}))) == ["Basic.Users"]


def test_somebody_must_be_let_in():
    assert list(of(basic=BasicDefinition({}))) == ["Basic.Users"]
    assert list(of(api_key=ApiKeyDefinition({}))) == ["ApiKey.Keys"]


def test_api_keys():
    assert of(api_key=ApiKeyDefinition({"a": DIGEST}, header="X-Key")) == {}
    assert list(of(api_key=ApiKeyDefinition({"a": DIGEST}, header="X Key"))) == ["ApiKey.Header"]
    found = of(api_key=ApiKeyDefinition({"a": DIGEST, "b": DIGEST.upper(), "c": "the-key-itself"}))
    assert found == {
        "ApiKey.Keys.b": "a has the same key; give each one of its own",
        "ApiKey.Keys.c": "it is not the SHA-256 of a key; write its 64 hexadecimal digits",
    }

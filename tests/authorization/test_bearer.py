"""Bearer tokens: who is let in, and every way in which a token can be wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging

import pytest

from hostler.authorization import Denied, Granted
from hostler.authorization.bearer import MAX_TOKEN, Bearer
from hostler.config.access import BearerDefinition
from hostler.testing import FakeClock, exchange
from tests.authorization.tokens import (
    CLAIMS,
    EC,
    ED,
    ISSUER,
    NOW,
    OTHER_RSA,
    RSA,
    SECRET,
    encoded,
    public,
    signed,
    token,
)

REALM = 'Bearer realm="orders"'


@pytest.fixture
def make(tmp_path):
    """Make a policy with these keys."""

    def make(content=None, *, clock=None, **changes):
        path = tmp_path / "keys.json"
        path.write_bytes(public(RSA, EC, ED) if content is None else content)
        settings = {"issuer": ISSUER, "audiences": "orders", "algorithms": "RS256", "keys": str(path)}
        definition = BearerDefinition(**{**settings, **changes})
        return Bearer(definition, "orders", now=lambda: NOW, clock=clock or FakeClock())

    return make


async def decide(policy, *values):
    return await policy(exchange(headers=[("Authorization", value) for value in values]))


async def judged(policy, text):
    return await decide(policy, f"Bearer {text}")


def refused(decision, why=None):
    assert isinstance(decision, Denied)
    (header,) = decision.headers
    said = 'error="invalid_token"' + ("" if why is None else f', error_description="{why}"')
    return decision.status == 401 and header[1].startswith(f"{REALM}, {said}")


async def test_a_valid_token_names_the_user_and_its_claims(make):
    granted = await judged(make(), token())
    assert isinstance(granted, Granted)
    assert (granted.user, granted.claims) == ("alice", CLAIMS)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_the_name_of_the_scheme_has_no_case(make, scheme):
    assert isinstance(await decide(make(), f"{scheme} {token()}"), Granted)


@pytest.mark.parametrize("values", [[], ["Basic YTpi"], ["Bearerx"], [""]])
async def test_without_a_token_one_is_asked_for(make, values):
    decision = await decide(make(), *values)
    assert (decision.status, decision.headers) == (401, (("WWW-Authenticate", REALM),))


async def test_two_authorization_headers_are_refused(make):
    assert (await decide(make(), f"Bearer {token()}", f"Bearer {token()}")).status == 400


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")],
)
async def test_signatures_by_the_algorithms_that_are_accepted(make, key, algorithm):
    assert isinstance(await judged(make(algorithms=[algorithm]), token(key, algorithm)), Granted)


async def test_a_shared_secret(make):
    content = json.dumps(SECRET.as_dict(private=True)).encode()
    policy = make(content, algorithms="HS256")
    assert isinstance(await judged(policy, token(SECRET, "HS256")), Granted)
    assert refused(await judged(policy, token(RSA)))


async def test_a_public_key_in_pem_signs_for_every_name(make):
    policy = make(RSA.as_pem(private=False))
    assert isinstance(await judged(policy, token(header={"kid": "whatever"})), Granted)
    assert refused(await judged(policy, token(OTHER_RSA)), "its signature is not valid")


async def test_a_token_need_not_name_its_key(make):
    assert isinstance(await judged(make(public(OTHER_RSA, EC, RSA)), token(header={"kid": None})), Granted)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": NOW - 61}, "it has expired"),
        ({"exp": NOW - 60}, "it has expired"),
        ({"exp": None}, "its claims are not complete"),
        ({"exp": True}, "one of its claims is not valid"),
        ({"exp": "never"}, "one of its claims is not valid"),
        ({"exp": float("nan")}, "one of its claims is not valid"),
        ({"exp": float("inf")}, "one of its claims is not valid"),
        ({"nbf": NOW + 61}, "it is not valid yet"),
        ({"nbf": "soon"}, "it is not valid yet"),
        ({"iat": NOW + 61}, "it was issued in the future"),
        ({"iss": ISSUER[:-1]}, "it has another issuer"),
        ({"iss": [ISSUER]}, "it has another issuer"),
        ({"iss": None}, "its claims are not complete"),
        ({"aud": "Orders"}, "it is for another audience"),
        ({"aud": []}, "it is for another audience"),
        ({"aud": ["billing"]}, "it is for another audience"),
        ({"aud": {"orders": 1}}, "it is for another audience"),
        ({"aud": None}, "its claims are not complete"),
        ({"sub": ["alice"]}, "one of its claims is not valid"),
    ],
)
async def test_claims_that_are_not_valid(make, changes, why):
    assert refused(await judged(make(), token(**changes)), why)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 59},
        {"nbf": NOW + 60},
        {"iat": NOW + 60},
        {"aud": ["billing", "orders"]},
        {"exp": 10**400},
    ],
)
async def test_claims_that_are_just_valid(make, changes):
    assert isinstance(await judged(make(), token(**changes)), Granted)


async def test_an_unsigned_token_is_refused(make):
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        for signature in ("", "AA"):
            text = f"{encoded({'alg': algorithm})}.{encoded(CLAIMS)}.{signature}"
            assert refused(await judged(make(), text))


@pytest.mark.parametrize("spelling", ["pem", "json", "modulus"])
async def test_a_public_key_is_no_shared_secret(make, spelling):
    """RFC 8725 2.1: a token with HS256, signed with what everybody knows."""
    pem = RSA.as_pem(private=False)
    secret = {"pem": pem, "json": public(RSA), "modulus": RSA.as_dict(private=False)["n"].encode()}[spelling]
    said = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(CLAIMS)}"
    text = f"{said}.{encoded(hmac.digest(secret, said.encode(), hashlib.sha256))}"
    for content in (pem, public(RSA)):
        assert refused(await judged(make(content), text))


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256"])
async def test_an_algorithm_that_is_not_accepted(make, algorithm):
    key = EC if algorithm == "ES256" else RSA
    assert refused(await judged(make(), token(key, algorithm)), "its algorithm is not accepted")


@pytest.mark.parametrize(
    "header",
    [
        [],
        ["alg"],
        "alg",
        "b64alg",
        7,
        None,
        {},
        {"alg": None},
        {"alg": ["RS256"]},
        {"alg": {"RS256": 1}},
        {"alg": "RS256", "kid": 7},
        {"alg": "RS256", "kid": ["rsa"]},
        {"alg": "RS256", "crit": ["exp"], "exp": 1},
        {"alg": "RS256", "crit": "alg"},
        {"alg": "RS256", "crit": [["alg"]]},
        {"alg": "RS256", "crit": 1},
        {"alg": "RS256", "b64": False},
        {"alg": "RS256", "b64": False, "crit": ["b64"]},
        {"alg": "RS256", "jwk": 1},
        {"alg": "RS256", "x": "y" * 4096},
        b"[" * 3000,
        b'{"alg":' * 400,
        b"\xff",
    ],
    ids=lambda header: str(header)[:40],
)
async def test_headers_of_every_kind(make, header):
    assert refused(await judged(make(), signed(header, CLAIMS)))


async def test_keys_in_a_tokens_header_are_not_looked_at(make):
    for header in ({"jwk": OTHER_RSA.as_dict(private=False)}, {"jku": "http://127.0.0.1:1/keys"}):
        assert refused(
            await judged(make(), token(OTHER_RSA, header={"kid": "rsa", **header})),
            "its signature is not valid",
        )


@pytest.mark.parametrize(
    "payload",
    [b"[" * 9000, b"{" * 100, b'{"a":' * 2000, b"[]", b"7", b"null", b"", b"\xff", b'"x"', b"9" * 5000],
)
async def test_claims_of_every_kind(make, payload):
    assert refused(await judged(make(), signed({"alg": "RS256", "kid": "rsa"}, payload)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "..",
        "a.b.",
        "a.b.c.d.e",
        "\xe9.b.c",
        "a b c",
        "a.b.c,",
        "=.=.=",
        "A" * (MAX_TOKEN + 1),
        f"{'A' * MAX_TOKEN}.A.A",
        "." * 10_000,
    ],
    ids=lambda text: text[:12],
)
async def test_what_is_no_token(make, text):
    assert refused(await judged(make(), text), "it is not a signed JWT")


async def test_a_token_that_was_tampered_with(make):
    header, claims, signature = token().split(".")
    other = encoded({**CLAIMS, "sub": "mallory"})
    assert refused(await judged(make(), f"{header}.{other}.{signature}"), "its signature is not valid")
    assert refused(await judged(make(), f"{header}.{claims}.{signature[:-4]}"), "its signature is not valid")


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_a_type_that_is_accepted(make, typ):
    policy = make(types=["at+JWT"])
    assert isinstance(await judged(policy, token(header={"typ": typ})), Granted)


@pytest.mark.parametrize("typ", ["JWT", "", None, 7, ["at+jwt"]])
async def test_a_type_that_is_not(make, typ):
    said = {"alg": "RS256", "kid": "rsa"} | ({} if typ is None else {"typ": typ})
    assert refused(await judged(make(types="at+jwt"), signed(said, CLAIMS)))


async def test_required_scopes(make):
    assert isinstance(await judged(make(required_scopes=["orders.read"]), token()), Granted)
    for claim in ({"scope": "orders.reader"}, {"scope": None}, {"scope": 7}, {"scope": None, "scp": ["a"]}):
        denied = await judged(make(required_scopes=["orders.read"]), token(**claim))
        assert denied.status == 403
        assert denied.headers[0][1] == f'{REALM}, error="insufficient_scope", scope="orders.read"'
    assert isinstance(await judged(make(required_scopes="a"), token(scope=None, scp=["a", "b"])), Granted)


@pytest.mark.parametrize(
    ("claims", "permitted"),
    [
        ({"role": "staff"}, True),
        ({"role": ["guest", "admin"]}, True),
        ({"role": "Staff"}, False),
        ({"role": ["guest"]}, False),
        ({"role": {"staff": 1}}, False),
        ({"role": None}, False),
    ],
)
async def test_required_claims(make, claims, permitted):
    decision = await judged(make(required_claims={"role": ["staff", "admin"]}), token(**claims))
    assert isinstance(decision, Granted) if permitted else decision.status == 403


async def test_a_claim_that_is_no_text_can_be_required(make):
    policy = make(required_claims={"email_verified": "true", "level": ["2"]})
    assert isinstance(await judged(policy, token(email_verified=True, level=2)), Granted)
    assert (await judged(policy, token(email_verified=False, level=2))).status == 403


async def test_another_claim_can_name_the_user(make):
    assert (await judged(make(user_claim="email"), token(email="a@example.com"))).user == "a@example.com"
    assert (await judged(make(user_claim="email"), token(email=7))).user is None


async def test_a_new_key_is_found_when_a_token_names_it(make, tmp_path):
    clock = FakeClock()
    policy = make(public(RSA), clock=clock)
    assert refused(await judged(policy, token(OTHER_RSA)), "its key is not known")
    (tmp_path / "keys.json").write_bytes(public(RSA, OTHER_RSA))
    assert refused(await judged(policy, token(OTHER_RSA)), "its key is not known")
    clock.advance(30)
    assert isinstance(await judged(policy, token(OTHER_RSA)), Granted)


async def test_without_keys_nobody_is_let_in(make, tmp_path, caplog):
    policy = make()
    (tmp_path / "keys.json").unlink()
    denied = await judged(policy, token())
    assert (denied.status, denied.headers) == (503, (("Retry-After", "2"),))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_key_for_encryption_checks_no_signatures(make):
    policy = make(public(RSA, use="enc"), algorithms="RS256")
    assert (await judged(policy, token())).status == 503

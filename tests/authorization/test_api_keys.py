"""Keys in a header."""

from __future__ import annotations

import hashlib

import pytest

from hostler.authorization import Granted
from hostler.authorization.api_keys import ApiKeys
from hostler.config.access import ApiKeyDefinition
from hostler.testing import exchange

KEYS = {"billing": "k1-0d8f", "shipping": "k2-77aa"}


def made(**changes):
    digests = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    return ApiKeys(ApiKeyDefinition(digests, **changes), "orders")


async def decide(*keys, header="x-api-key", policy=None):
    return await (policy or made())(exchange(headers=[(header, key) for key in keys]))


@pytest.mark.parametrize("name", KEYS)
async def test_who_has_a_key_is_let_in_by_name(name):
    assert await decide(KEYS[name]) == Granted(name)


async def test_the_header_can_be_another_one():
    policy = made(header="X-Key")
    assert await decide(KEYS["billing"], header="x-key", policy=policy) == Granted("billing")
    assert (await decide(KEYS["billing"], policy=policy)).status == 401


@pytest.mark.parametrize(
    "key", ["", "k1", "K1-0D8F", "k1-0d8f2", "caf\xe9", "x" * 5000, hashlib.sha256(b"k1-0d8f").hexdigest()]
)
async def test_any_other_key_is_not(key):
    denied = await decide(key)
    assert denied.status == 401
    assert denied.headers == (("WWW-Authenticate", 'ApiKey realm="orders", header="X-API-Key"'),)


async def test_no_key_and_two_keys():
    assert (await decide()).status == 401
    assert (await decide(*KEYS.values())).status == 400

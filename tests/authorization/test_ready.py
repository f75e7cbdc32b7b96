"""From a definition to a policy, and what is missing for one."""

from __future__ import annotations

import pytest

from hostler import (
    ApiKeyDefinition,
    AuthorizationDefinition,
    BasicDefinition,
    BearerDefinition,
    ConfigError,
    Definitions,
    Proxy,
)
from hostler.authorization import ready
from hostler.authorization.api_keys import ApiKeys
from hostler.authorization.basic import Basic
from hostler.authorization.bearer import Bearer
from hostler.authorization.ready import make_policy

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
KINDS = {
    "bearer": (BearerDefinition("i", "a", "RS256", "https://login.example.com/keys"), Bearer),
    "basic": (BasicDefinition({"a": HASH}), Basic),
    "api_key": (ApiKeyDefinition({"a": "0" * 64}), ApiKeys),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_policy(kind):
    definition, made = KINDS[kind]
    assert isinstance(make_policy(AuthorizationDefinition(**{kind: definition})), made)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "bearer",
            'Policies.Authorization.p.Bearer: it needs joserfc, which is not installed; pip install "hostler[auth]"',
        ),
        (
            "basic",
            'Policies.Authorization.p.Basic: it needs argon2, which is not installed; pip install "hostler[auth]"',
        ),
        ("api_key", None),
    ],
)
def test_an_extra_that_is_missing_is_found_before_the_start(monkeypatch, kind, said):
    monkeypatch.setattr(ready, "find_spec", lambda name: None)
    definitions = Definitions(authorization={"p": AuthorizationDefinition(**{kind: KINDS[kind][0]})})
    if said is None:
        assert Proxy(definitions=definitions)
        return
    with pytest.raises(ConfigError) as refused:
        Proxy(definitions=definitions)
    assert str(refused.value) == said

"""Affinity: the cookie that carries a key."""

from __future__ import annotations

import pytest

from hostler.config.model import AffinityCookie, SameSite, SecurePolicy, SessionAffinity
from hostler.stages.affinity.cookies import KeyCookie
from hostler.testing import exchange


def set_cookie(config, *, scheme="http", now=lambda: 0.0):
    ((name, value),) = KeyCookie(config, now=now).write(exchange(scheme=scheme), b"key")
    assert name == b"set-cookie"
    return value.decode()


def cookie(**attributes):
    return SessionAffinity("sticky", cookie=AffinityCookie(**attributes))


@pytest.mark.parametrize(
    ("config", "attributes"),
    [
        (cookie(), "path=/; httponly"),
        (cookie(http_only=False), "path=/"),
        (cookie(path="/shop", domain="example.com"), "domain=example.com; path=/shop; httponly"),
        (cookie(path="shop"), "path=shop; httponly"),
        (cookie(max_age=90.7), "max-age=90; path=/; httponly"),
        (cookie(same_site=SameSite.NONE), "path=/; samesite=none; httponly"),
        (cookie(same_site=SameSite.LAX), "path=/; samesite=lax; httponly"),
        (cookie(same_site=SameSite.STRICT), "path=/; samesite=strict; httponly"),
        (cookie(expiration=86400.0), "expires=Fri, 02 Jan 1970 00:00:00 GMT; path=/; httponly"),
        (cookie(is_essential=True), "path=/; httponly"),
        (
            cookie(
                domain="a.example",
                secure_policy=SecurePolicy.ALWAYS,
                same_site=SameSite.LAX,
                expiration=86400.0,
                max_age=60.0,
            ),
            "expires=Fri, 02 Jan 1970 00:00:00 GMT; max-age=60; domain=a.example; path=/; secure; samesite=lax; httponly",
        ),
    ],
)
def test_attributes(config, attributes):
    assert set_cookie(config) == f"sticky=key; {attributes}"


def test_the_expiry_counts_from_now():
    config = cookie(expiration=1.0)
    assert set_cookie(config, now=lambda: 951782399.0).startswith(
        "sticky=key; expires=Tue, 29 Feb 2000 00:00:00 GMT; "
    )


@pytest.mark.parametrize(
    ("policy", "scheme", "secure"),
    [
        (SecurePolicy.NONE, "http", False),
        (SecurePolicy.NONE, "https", False),
        (SecurePolicy.ALWAYS, "http", True),
        (SecurePolicy.ALWAYS, "https", True),
        (SecurePolicy.SAME_AS_REQUEST, "http", False),
        (SecurePolicy.SAME_AS_REQUEST, "https", True),
    ],
)
def test_secure(policy, scheme, secure):
    assert ("; secure" in set_cookie(cookie(secure_policy=policy), scheme=scheme)) is secure

"""The rules for session affinity."""

from __future__ import annotations

import pytest

from hostler.config.model import (
    AffinityCookie,
    SessionAffinity,
)
from tests.config.checks.saying import of_cluster


class TestAffinity:
    def test_off_is_not_looked_at(self):
        assert of_cluster(affinity=SessionAffinity("", enabled=False, policy="ArrCookie")) == {}

    def test_needs_a_key(self):
        assert (
            "set Enabled to false"
            in of_cluster(affinity=SessionAffinity())["SessionAffinity.AffinityKeyName"]
        )

    @pytest.mark.parametrize("name", ["a b", "a;b", "a=b", "a\r\n", "größe"])
    def test_key_is_a_cookies_name(self, name):
        said = of_cluster(affinity=SessionAffinity(name))
        assert "is not a cookie's name" in said["SessionAffinity.AffinityKeyName"]
        assert said["SessionAffinity.AffinityKeyName"].isprintable()

    @pytest.mark.parametrize("policy", ["Cookie", "CustomHeader"])
    def test_policies_that_come_later(self, policy):
        said = of_cluster(affinity=SessionAffinity("key", policy=policy))
        assert said == {
            "SessionAffinity.Policy": f'not supported yet: Policy "{policy}"; remove it, or use ArrCookie, HashCookie'
        }

    def test_unknown_policy(self):
        said = of_cluster(affinity=SessionAffinity("key", policy="HashCooky"))
        assert "did you mean HashCookie?" in said["SessionAffinity.Policy"]

    @pytest.mark.parametrize("policy", ["redistribute", "return503error", ""])
    def test_failure_policies(self, policy):
        assert of_cluster(affinity=SessionAffinity("key", failure_policy=policy)) == {}

    def test_a_full_cookie(self):
        cookie = AffinityCookie(path="/app", domain=".example.com", expiration=60.0, max_age=60.0)
        assert of_cluster(affinity=SessionAffinity("key", cookie=cookie)) == {}

    @pytest.mark.parametrize("path", ["", "shop", "/a b"])
    def test_a_path_is_written_as_it_stands(self, path):
        assert of_cluster(affinity=SessionAffinity("key", cookie=AffinityCookie(path=path))) == {}

    def test_the_cookies_parts(self):
        cookie = AffinityCookie(path="/;x", domain="a b", expiration=0.0, max_age=-1.0)
        assert list(of_cluster(affinity=SessionAffinity("key", cookie=cookie))) == [
            "SessionAffinity.Cookie.Path",
            "SessionAffinity.Cookie.Domain",
            "SessionAffinity.Cookie.Expiration",
            "SessionAffinity.Cookie.MaxAge",
        ]

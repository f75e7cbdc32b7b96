"""The rules for session affinity."""

from __future__ import annotations

from importlib import import_module

import pytest

from hostler.config.model import (
    AffinityCookie,
    SessionAffinity,
)
from hostler.policies import Policies
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

    @pytest.mark.parametrize("policy", ["HashCookie", "arrcookie", "Cookie", "CustomHeader", ""])
    def test_policies(self, policy):
        assert of_cluster(affinity=SessionAffinity("key", policy=policy)) == {}

    @pytest.mark.parametrize(
        "name", ["Content-Length", "connection", "Set-Cookie", "X-Forwarded-For", "Host"]
    )
    def test_a_header_with_a_meaning_holds_no_key(self, name):
        said = of_cluster(affinity=SessionAffinity(name, policy="customheader"))
        assert said == {
            "SessionAffinity.AffinityKeyName": f"{name} has a meaning of its own in HTTP; "
            "name a header that nobody else uses"
        }
        assert of_cluster(affinity=SessionAffinity(name, policy="Cookie")) == {}

    @pytest.mark.parametrize(("policy", "named"), [("", "HashCookie"), ("ArrCookie", "ArrCookie")])
    def test_a_hash_is_not_sealed(self, policy, named):
        said = of_cluster(affinity=SessionAffinity("key", policy=policy, sealing_key_file="keys"))
        assert said == {
            "SessionAffinity.SealingKeyFile": f"is for Cookie and CustomHeader, and {named} seals nothing; remove it"
        }

    def test_a_file_of_keys_has_a_name(self):
        said = of_cluster(affinity=SessionAffinity("key", policy="Cookie", sealing_key_file=""))
        assert said == {"SessionAffinity.SealingKeyFile": "is empty; name the file of keys, or remove it"}

    @pytest.mark.parametrize("policy", ["Cookie", "customheader"])
    def test_a_file_of_keys_is_read(self, tmp_path, policy):
        path = tmp_path / "sealing.keys"
        affinity = SessionAffinity("key", policy=policy, sealing_key_file=str(path))
        assert of_cluster(affinity=affinity) == {
            "SessionAffinity.SealingKeyFile": f"{path}: cannot be read: No such file or directory"
        }
        path.write_bytes(b"hunter2\n")
        path.chmod(0o600)
        assert of_cluster(affinity=affinity) == {
            "SessionAffinity.SealingKeyFile": f"{path}: line 1 is not base64; "
            "write one key a line, as `openssl rand -base64 32` makes it"
        }
        path.write_bytes(b"A" * 43 + b"=\n")
        assert of_cluster(affinity=affinity) == {}

    @pytest.mark.parametrize("policy", ["Cookie", "CustomHeader"])
    def test_what_seals_must_be_installed(self, monkeypatch, policy):
        monkeypatch.setattr(import_module("hostler.stages.affinity.builtin"), "find_spec", lambda _: None)
        assert of_cluster(affinity=SessionAffinity("key", policy=policy)) == {
            "SessionAffinity.Policy": f"{policy} needs cryptography, which is not installed; "
            'pip install "hostler[sealed]"'
        }
        mine = Policies(affinity={policy: lambda _: None})
        assert of_cluster(affinity=SessionAffinity("key", policy=policy), policies=mine) == {}

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

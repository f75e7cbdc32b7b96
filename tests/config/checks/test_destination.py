"""The rules for a destination."""

from __future__ import annotations

import pytest

from tests.config.checks.saying import of_destination


class TestDestinations:
    @pytest.mark.parametrize(
        "address", ["http://a", "HTTPS://a.example:8443/base", "http://[::1]:80/", "http://10.0.0.1/"]
    )
    def test_addresses(self, address):
        assert of_destination(address) == {}

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("", "is empty"),
            ("localhost:80", "not an absolute http or https address"),
            ("/path", "not an absolute http or https address"),
            ("http:///path", "not an absolute http or https address"),
            ("ftp://a/", "not an absolute http or https address"),
            ("http://a:0/", "not an absolute http or https address"),
            ("http://a:65536/", "out of range"),
            ("http://[::1/", "is not an address"),
            ("http://a b/", "whitespace"),
            ("http://a/\r\nx", "whitespace or control"),
            ("http://größe/", "punycode"),
            ("http://me:secret@a/", "a user"),
            ("http://a/?q", "a query"),
            ("http://a/#f", "a fragment"),
            ("http://*:80/", "only a request queue"),
        ],
    )
    def test_not_addresses(self, address, why):
        assert why in of_destination(address)["Address"]

    @pytest.mark.parametrize(
        "address", ["http+unix://%2Frun%2Fapp.sock", "HTTP+unix://%2Frun%2Fapp.sock/base/"]
    )
    def test_unix_sockets(self, address):
        assert of_destination(address, health=address) == {}

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("http+unix://app.sock", "absolute path"),
            (f"http+unix://%2F{'x' * 110}", "at most 1"),
            ("http+unix://%2Frun%2Fapp.sock/?q", "a query"),
            ("http+unix://%2Frun%2Fapp.sock/a b", "whitespace"),
            ("http://unix:/run/app.sock:/base", 'write "http+unix://%2Frun%2Fapp.sock/path"'),
        ],
    )
    def test_not_unix_sockets(self, address, why):
        assert why in of_destination(address)["Address"]
        assert why in of_destination(health=address)["Health"]

    def test_health_is_an_address_too(self):
        assert of_destination(health="http://a:81/up") == {}
        assert of_destination(health="") == {}
        assert "absolute" in of_destination(health="/up")["Health"]

    @pytest.mark.parametrize("host", ["a b", "a\r\n", "*.example.com", "größe", "http://a"])
    def test_host_is_one(self, host):
        assert of_destination(host="example.com:80") == {}
        assert "is not a host" in of_destination(host=host)["Host"]

    @pytest.mark.parametrize(
        "prefix", ["http://*:80/", "http://+:80/x/", "https://example.com:443/", "http://größe:80/"]
    )
    def test_a_queue_is_delegated_to_under_a_url_prefix(self, prefix):
        assert of_destination(prefix, metadata={"HttpSysDelegationQueue": "reports"}) == {}

    def test_a_queues_prefix_must_be_one(self):
        assert "absolute" in of_destination("*:80", metadata={"HttpSysDelegationQueue": "reports"})["Address"]

    @pytest.mark.parametrize("key", ["weight", "priority"])
    def test_weights_and_priorities_are_not_negative(self, key):
        assert [of_destination(**{key: number}) for number in (0, 1, 1_000_000)] == [{}] * 3
        for number in (-1, 1_000_001):
            assert of_destination(**{key: number}) == {
                key.title(): f"{number} is out of range; use a number from 0 to 1000000"
            }

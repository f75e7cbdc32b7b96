"""Whose requests are counted together."""

from __future__ import annotations

import pytest

from hostler import ConfigError, RateLimiterDefinition, Route
from hostler.rate_limiting.keys import key_of
from hostler.testing import exchange


def key(given, **definition):
    return key_of(RateLimiterDefinition(1, 1, **definition))(given)


def from_(address, **kwargs):
    return exchange(client=(address, 1), **kwargs)


def by_tenant(exchange):
    return exchange.host


def by_mistake(exchange):
    return None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_a_client_is_its_address_and_has_a_network_of_ipv6(address, expected):
    assert key(from_(address)) == expected


def test_how_much_of_an_ipv6_address_counts():
    assert key(from_("2001:db8:1:2::3"), ipv6_prefix_length=128) == "2001:db8:1:2::3"
    assert key(from_("2001:db8:1:2::3"), ipv6_prefix_length=48) == "2001:db8:1::"


def test_by_route():
    assert key(exchange(route=Route("/", id="Shop")), partition_by="route") == "shop"


def test_by_header_and_without_it_by_address():
    header = {"partition_by": "Header", "header": "X-Api-Key"}
    assert key(exchange(headers=[("x-api-key", "secret")]), **header) == "value secret"
    assert key(from_("192.0.2.1"), **header) == "address 192.0.2.1"
    assert key(exchange(headers=[("x-api-key", "a"), ("X-Api-Key", "b")]), **header) == "value a, b"


def test_a_key_is_of_limited_size():
    long = key(exchange(headers=[("a", "x" * 8000)]), partition_by="Header", header="a")
    assert len(long) < 100
    assert long != key(exchange(headers=[("a", "x" * 8001)]), partition_by="Header", header="a")


def test_by_a_function():
    assert key(exchange(host="a.example"), partition_by=f"{__name__}:by_tenant") == "a.example"
    with pytest.raises(TypeError, match="by_mistake returned None as the key"):
        key(exchange(), partition_by=f"{__name__}:by_mistake")
    with pytest.raises(ConfigError):
        key(exchange(), partition_by="nowhere:at_all")

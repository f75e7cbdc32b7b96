"""What a probe asks (YARP: DefaultProbingRequestFactory)."""

from __future__ import annotations

import pytest

from hostler.config.model import ActiveHealthCheck, Cluster, Destination, HealthCheck
from hostler.probing import probe_request


def made(address="http://a:81/", path=None, query=None, **destination):
    destination = Destination(address, **destination)
    check = ActiveHealthCheck(path=path, query=query)
    return probe_request(Cluster("c", [destination], health_check=HealthCheck(active=check)), destination)


@pytest.mark.parametrize(
    ("address", "path", "query", "url"),
    [
        ("http://a:81", None, None, "http://a:81/"),
        ("http://a:81/", None, None, "http://a:81/"),
        ("http://a:81/base", None, None, "http://a:81/base"),
        ("http://a:81/base/", None, None, "http://a:81/base/"),
        ("http://a:81", "/health", None, "http://a:81/health"),
        ("http://a:81/", "/health", None, "http://a:81/health"),
        ("http://a:81/base", "/health/", "?deep=1", "http://a:81/base/health/?deep=1"),
        ("https://a/base/", "/health", "?deep=1", "https://a/base/health?deep=1"),
        ("http://a", "", "?x", "http://a/?x"),
        ("http://a", "/a?b", None, "http://a/a%3Fb"),
        ("http://a", "/a#b", "?c#d", "http://a/a%23b?c%23d"),
        ("http://a", "/a b/é", "?q=a b?é", "http://a/a%20b/%C3%A9?q=a%20b?%C3%A9"),
        ("http://a", "/%41%2f%", "?%41%zz", "http://a/%41%2f%25?%41%25zz"),
        ("http://a", "/x\r\nHost: b", None, "http://a/x%0D%0AHost:%20b"),
        ("http://[::1]:81/base", "/x", None, "http://[::1]:81/base/x"),
    ],
)
def test_where_it_goes(address, path, query, url):
    assert str(made(address, path, query)) == f"GET {url}"


def test_the_health_address_takes_the_place_of_the_address():
    request = made("http://a:81/base", "/live", health="http://b:82/status")
    assert str(request) == "GET http://b:82/status/live"
    assert str(made("http://a:81/base", "/live", health="")) == "GET http://a:81/base/live"


@pytest.mark.parametrize(("host", "said"), [("shop.example", "shop.example"), ("", None), (None, None)])
def test_the_destinations_host(host, said):
    assert made(host=host).host == said


def test_it_says_who_asks():
    assert made().headers == (("User-Agent", "hostler (Active Health Check Monitor)"),)

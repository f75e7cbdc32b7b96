"""The rules for a cluster's HttpClient."""

from __future__ import annotations

import pytest

from hostler.config.model import HttpClient, WebProxy
from tests.config.checks.saying import of_cluster


def said_of(**fields):
    said = of_cluster(http_client=HttpClient(**fields))
    return {path.removeprefix("HttpClient."): message for path, message in said.items()}


def test_everything_that_is_wrong_is_said():
    said = said_of(
        ssl_protocols=["Tls12", "Tls99", "Tls"],
        request_header_encoding="utf-99",
        response_header_encoding="a\0",
        max_connections_per_server=0,
        max_idle_connections_per_server=-1,
        connect_timeout=0.0,
        pooled_connection_idle_timeout=float("inf"),
        pooled_connection_lifetime=-1.0,
        web_proxy=WebProxy("proxy:3128"),
    )
    assert list(said) == [
        "SslProtocols[1]",
        "SslProtocols",
        "MaxConnectionsPerServer",
        "MaxIdleConnectionsPerServer",
        "ConnectTimeout",
        "PooledConnectionIdleTimeout",
        "PooledConnectionLifetime",
        "RequestHeaderEncoding",
        "ResponseHeaderEncoding",
        "WebProxy.Address",
    ]
    assert "use 1 or more" in said["MaxConnectionsPerServer"]


@pytest.mark.parametrize(
    "protocols",
    [[], ["None"], ["Tls12"], ["tls13", "TLS12"], ["Tls", "Tls11", "Tls12", "Tls13"], ["None", "Tls11"]],
)
def test_versions_of_tls(protocols):
    assert said_of(ssl_protocols=protocols) == {}


@pytest.mark.parametrize(
    ("protocols", "missing"),
    [
        (["Tls11", "Tls13"], "Tls12"),
        (["Tls", "Tls12"], "Tls11"),
        (["Tls13", "Tls"], "Tls11 and Tls12"),
    ],
)
def test_a_gap_between_versions_is_refused(protocols, missing):
    message = f"{missing} between the others cannot be left out with OpenSSL; add it, or name one range"
    assert said_of(ssl_protocols=protocols) == {"SslProtocols": message}


@pytest.mark.parametrize("protocol", ["Ssl2", "SSL3", "Default", "Tls14", ""])
def test_what_is_not_spoken_is_refused_with_what_is(protocol):
    message = said_of(ssl_protocols=["Tls12", protocol])["SslProtocols[1]"]
    assert protocol in message
    assert "use Tls12 or Tls13" in message or "write None" in message


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF8", "latin1", "Latin1", "iso-8859-1", "us-ascii", "windows-1252", ""]
)
def test_encodings_that_contain_ascii(name):
    assert said_of(request_header_encoding=name, response_header_encoding=name) == {}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("utf-99", "unknown encoding"),
        ("base64", "unknown encoding"),
        ("utf-16", "does not contain ASCII"),
        ("utf-7", "does not contain ASCII"),
        ("cp037", "does not contain ASCII"),
    ],
)
def test_other_encodings_are_refused(name, why):
    assert why in said_of(request_header_encoding=name)["RequestHeaderEncoding"]
    assert why in said_of(response_header_encoding=name)["ResponseHeaderEncoding"]


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1:3128",
        "http://proxy",
        "http://proxy/",
        "http://me:se%20cret@proxy:3128/",
        "HTTP://[::1]:81",
    ],
)
def test_the_address_of_a_web_proxy(address):
    assert said_of(web_proxy=WebProxy(address)) == {}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "the address is empty"),
        ("proxy:3128", "is not an absolute http or https address"),
        ("https://proxy:3128", "spoken to in plain HTTP"),
        ("socks5://proxy:1080", "spoken to in plain HTTP"),
        ("http://proxy:99999", "is not an address"),
        ("http://proxy/path", "has a path"),
        ("http://proxy?a", "a query or a fragment"),
        ("http://me@proxy", "user and password of a web proxy"),
        ("http://me:se cret@proxy", "user and password of a web proxy"),
        ("http://me:a@b:c@proxy", "user and password of a web proxy"),
        ("http://[::1", "is not an address"),
    ],
)
def test_what_is_no_address_of_a_web_proxy(address, why):
    message = said_of(web_proxy=WebProxy(address))["WebProxy.Address"]
    assert why in message
    assert "cret" not in message


def test_default_credentials_are_refused_with_a_remedy():
    said = said_of(web_proxy=WebProxy("http://proxy", use_default_credentials=True))
    assert "write user and password in Address" in said["WebProxy.UseDefaultCredentials"]

"""A destination's address, taken apart."""

from __future__ import annotations

import pytest

from hostler.client.address import DestinationAddress


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://example.com", ("http", "example.com", 80, b"", b"example.com", "example.com")),
        ("https://example.com", ("https", "example.com", 443, b"", b"example.com", "example.com")),
        ("http://example.com/", ("http", "example.com", 80, b"", b"example.com", "example.com")),
        (
            "http://Example.COM:8080",
            ("http", "example.com", 8080, b"", b"Example.COM:8080", "example.com"),
        ),
        ("http://a/base/", ("http", "a", 80, b"/base", b"a", "a")),
        ("http://[fe80::1%25eth0]:81", ("http", "fe80::1%eth0", 81, b"", b"[fe80::1]:81", "fe80::1")),
        ("http://a/b%20c", ("http", "a", 80, b"/b%20c", b"a", "a")),
        ("http://10.0.0.1:81/x", ("http", "10.0.0.1", 81, b"/x", b"10.0.0.1:81", "10.0.0.1")),
        ("http://[::1]:81", ("http", "::1", 81, b"", b"[::1]:81", "::1")),
        ("HTTPS://a", ("https", "a", 443, b"", b"a", "a")),
        ("http://a/users/@me", ("http", "a", 80, b"/users/@me", b"a", "a")),
    ],
)
def test_an_address(address, expected):
    found = DestinationAddress.parse(address)
    assert (
        found.scheme,
        found.host,
        found.port,
        found.base_path,
        found.authority,
        found.server_name,
    ) == expected


@pytest.mark.parametrize(
    ("host", "authority", "server_name"),
    [
        ("shop.example", b"shop.example", "shop.example"),
        ("shop.example:8443", b"shop.example:8443", "shop.example"),
        ("[2001:db8::1]:80", b"[2001:db8::1]:80", "2001:db8::1"),
        ("shop.example.", b"shop.example.", "shop.example"),  # RFC 6066 3
    ],
)
def test_a_host_of_its_own_replaces_the_addresss_in_host_and_certificate(host, authority, server_name):
    found = DestinationAddress.parse("https://10.0.0.1:8443/x", host)
    assert (found.host, found.port) == ("10.0.0.1", 8443)
    assert (found.authority, found.server_name) == (authority, server_name)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.com",
        "example.com:80",
        "ftp://example.com",
        "http://",
        "http:///path",
        "http://:80",
        "http://a?",
        "http://a/?q",
        "http://a/#f",
        "http://me@a",
        "http://:secret@a",
        "http://a:port",
        "http://a:99999",
        "http://[::1",
        "http://a b/",
        "http://a\r\nX: 1",
        "http://a/b\tc",
        "http://bücher.example",
        "http://a/ü",
    ],
)
def test_what_is_no_address_is_named_with_how_to_write_one(address):
    with pytest.raises(ValueError) as caught:
        DestinationAddress.parse(address)
    assert (
        str(caught.value)
        == f"{address!r} is not a destination: write it as http://host[:port][/path] or https://..."
    )


@pytest.mark.parametrize("host", ["a\r\nX: 1", "a b", "bücher.example"])
def test_a_host_that_would_break_the_head_is_refused(host):
    with pytest.raises(ValueError, match="is not a host for http://a"):
        DestinationAddress.parse("http://a", host)


@pytest.mark.parametrize(
    ("address", "path", "base"),
    [
        ("http+unix://%2Frun%2Fapp.sock", "/run/app.sock", b""),
        ("http+unix://%2Frun%2FApp.sock/base/", "/run/App.sock", b"/base"),
    ],
)
def test_a_unix_socket_is_called_localhost(address, path, base):
    found = DestinationAddress.parse(address)
    assert (found.socket_path, found.base_path, found.authority) == (path, base, b"localhost")
    assert DestinationAddress.parse(address, "shop.example").authority == b"shop.example"


def test_a_unix_socket_must_have_a_path():
    with pytest.raises(ValueError, match="absolute path"):
        DestinationAddress.parse("http+unix://app.sock")

"""Which destinations a web proxy is for, and what it is told."""

from __future__ import annotations

import socket

import pytest

from hostler.client.address import DestinationAddress
from hostler.client.web_proxy import HttpProxy, find_proxy, in_absolute_form
from hostler.config.model import WebProxy
from hostler.http.target import join


@pytest.mark.parametrize(
    ("address", "host", "port", "authorization"),
    [
        ("http://10.0.0.1:3128", "10.0.0.1", 3128, None),
        ("http://proxy/", "proxy", 80, None),
        ("http://[::1]:81", "::1", 81, None),
        ("http://me:secret@proxy:3128", "proxy", 3128, b"Basic bWU6c2VjcmV0"),
        ("http://me:a%40b%3A@proxy:3128", "proxy", 3128, b"Basic bWU6YUBiOg=="),
    ],
)
def test_the_address_of_a_proxy(address, host, port, authorization):
    assert HttpProxy.parse(address) == HttpProxy(host, port, authorization)


def test_no_password_is_shown():
    config = WebProxy("http://me:secret@proxy:3128")
    address = DestinationAddress.parse("http://there")
    proxy = HttpProxy.parse(config.address)
    shown = f"{config} {proxy} {in_absolute_form(address, proxy)}"
    assert "secret" not in shown
    assert "bWU6c2VjcmV0" not in shown


@pytest.mark.parametrize(
    ("destination", "local"),
    [
        ("http://localhost:81", True),
        ("http://127.0.0.1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("http://intranet", True),
        ("http://shop.our.example", True),
        ("http://our.example", False),
        ("http://shop.example", False),
        ("http://192.0.2.1", False),
        ("http://[2001:db8::1]", False),
    ],
)
def test_what_is_local_as_net_has_it(destination, local, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Web1.Our.example")
    address = DestinationAddress.parse(destination)
    proxy = HttpProxy("proxy", 3128)
    assert find_proxy(WebProxy("http://proxy:3128"), address) == proxy
    bypassing = WebProxy("http://proxy:3128", bypass_on_local=True)
    assert find_proxy(bypassing, address) == (None if local else proxy)


def test_without_a_proxy_and_on_a_unix_socket_there_is_none():
    assert find_proxy(None, DestinationAddress.parse("http://shop.example")) is None
    there = DestinationAddress.parse("http+unix://%2Frun%2Fa.sock")
    assert find_proxy(WebProxy("http://proxy:3128"), there) is None


@pytest.mark.parametrize(
    ("address", "path", "query", "target"),
    [
        ("http://there", b"/a", None, b"http://there:80/a"),
        ("http://There:81/base/", b"/a", b"q=1", b"http://there:81/base/a?q=1"),
        ("http://[::1]:81", b"/", None, b"http://[::1]:81/"),
        ("http://there/base", b"*", None, b"http://there:80"),
    ],
)
def test_targets_in_absolute_form(address, path, query, target):
    made = in_absolute_form(DestinationAddress.parse(address), HttpProxy("proxy", 3128))
    assert join(made.base_path, path, query) == target

"""Socket addresses: as the user-mode server gives them, with nothing of Windows' sockets."""

import ipaddress
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.marshal.address import read_address
from tests.server.httpsys.marshal.native_requests import sockaddr


def read(host, port=80, **members):
    made = sockaddr(host, port, **members)
    return read_address(ffi.cast("SOCKADDR *", made))


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "192.0.2.255", "255.255.255.255"])
def test_ipv4(host):
    assert read(host, 8080) == (host, 8080)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("::", "::"),
        ("::1", "::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_ipv6_is_compressed(host, text):
    assert read(host, 443) == (text, 443)


def test_an_ipv6_address_of_one_link_names_it():
    assert read("fe80::1", 80, scope=7) == ("fe80::1%7", 80)


@pytest.mark.parametrize("port", [0, 1, 255, 256, 65535])
def test_the_port_is_in_network_order(port):
    assert read("192.0.2.1", port) == ("192.0.2.1", port)
    assert read("2001:db8::1", port) == ("2001:db8::1", port)


def test_there_may_be_none():
    assert read_address(ffi.NULL) == ("", 0)
    unix = ffi.new("SOCKADDR_STORAGE *", {"ss_family": 1})
    assert read_address(ffi.cast("SOCKADDR *", unix)) == ("", 0)


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_any_ipv4_address(address, port):
    assert read(str(address), port) == (str(address), port)


@pytest.mark.skipif(sys.platform == "win32", reason="another inet_ntop is another opinion")
@given(st.ip_addresses(v=6), st.integers(0, 65535))
def test_any_ipv6_address_is_what_the_system_would_write(address, port):
    text, read_port = read(str(address), port)
    assert (ipaddress.ip_address(text), read_port) == (address.ipv4_mapped or address, port)
    if address.ipv4_mapped is None and address > ipaddress.ip_address(
        "::ffff:ffff"
    ):  # inet_ntop knows IPv4-compatible addresses, long gone
        assert text == socket.inet_ntop(socket.AF_INET6, address.packed)

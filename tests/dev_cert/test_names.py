"""Names on the command line."""

from ipaddress import ip_address, ip_network

import pytest

from hostler import CertificateError
from hostler.dev_cert.names import LOCAL_SUBTREES, is_within, parse, subtree_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("App.Test", "app.test"),
        ("app.test.", "app.test"),
        ("*.app.test", "*.app.test"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("192.168.1.2", ip_address("192.168.1.2")),
        ("[fe80::1]", ip_address("fe80::1")),
        ("box", "box"),
    ],
)
def test_what_is_a_name(text, name):
    assert parse(text) == name


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a.test", "a_b", "a b", "1.2.3", "http://a", "*.com", "*", "a.*.b", "x" * 64, "a.test:443"]
)  # fmt: skip
def test_what_is_none(text):
    with pytest.raises(CertificateError, match=r"is no host name|is for too much"):
        parse(text)


def test_what_an_authority_vouches_for():
    assert subtree_of("*.app.test") == "app.test"
    assert subtree_of(ip_address("10.0.0.1")) == ip_network("10.0.0.1/32")
    within = ("localhost", "a.localhost", ip_address("127.9.9.9"), ip_address("::1"))
    assert all(is_within(name, LOCAL_SUBTREES) for name in within)
    beyond = ("notlocalhost", "localhost.test", ip_address("128.0.0.1"), ip_address("::2"))
    assert not any(is_within(name, LOCAL_SUBTREES) for name in beyond)

"""Which proxies are trusted, and which hosts they may name."""

import pickle

import pytest

from hostler import TrustedHeaders, TrustedProxies


def trusts(network, host):
    return TrustedProxies(networks=[network]).trusts((host, 1))


@pytest.mark.parametrize(
    ("network", "host"),
    [
        ("10.0.0.2", "10.0.0.2"),
        ("10.0.0.0/8", "10.255.0.1"),
        ("0.0.0.0/0", "192.0.2.1"),
        ("2001:db8::/32", "2001:db8:1::5"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.2", "10.0.0.2"),
        ("::ffff:10.0.0.0/104", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.0.0.2"),
        ("fe80::/10", "fe80::1%eth0"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("unix", ""),
    ],
)
def test_an_address_in_a_network_is_trusted(network, host):
    assert trusts(network, host)


@pytest.mark.parametrize(
    ("network", "host"),
    [
        ("10.0.0.2", "10.0.0.3"),
        ("10.0.0.0/8", "11.0.0.0"),
        ("10.0.0.0/8", "::10.0.0.1"),
        ("0.0.0.0/0", "::1"),
        ("::/0", "192.0.2.1"),
        ("::/0", ""),
        ("::/0", "unknown"),
        ("fe80::1%eth0", "fe80::1%eth1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unix", "127.0.0.1"),
        ("unix", "unix"),
    ],
)
def test_any_other_is_not(network, host):
    assert not trusts(network, host)


@pytest.mark.parametrize(
    "network", ["", "10.0.0.1/8", "10.0.0.0/33", "example.org", "10.0.0.1%eth0", "fe80::1%", "10.0.0", "*"]
)
def test_what_is_no_network_is_refused(network):
    with pytest.raises(ValueError, match=r"networks: .* is no network .*write an address"):
        TrustedProxies(networks=["10.0.0.0/8", network])


def test_no_networks_are_refused():
    with pytest.raises(ValueError, match="networks: is empty"):
        TrustedProxies(networks=[])


def test_nothing_but_the_client_is_believed_of_one_proxy_by_default():
    trusted = TrustedProxies(networks="10.0.0.0/8")
    assert trusted == TrustedProxies(
        networks=("10.0.0.0/8",), headers=TrustedHeaders.X_FORWARDED, limit=1, hosts=()
    )
    assert not trusted.allows("example.org")


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("example.org", "example.org", True),
        ("EXAMPLE.org", "example.org", True),
        ("example.org", "www.example.org", False),
        ("*.example.org", "a.www.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "badexample.org", False),
        ("*.example.org", ".example.org", False),
        ("[2001:db8::1]", "[2001:db8::1]", True),
        ("*", "anything", True),
    ],
)
def test_hosts_are_allowed_by_name_or_pattern(allowed, host, is_allowed):
    assert TrustedProxies(networks=["unix"], hosts=[allowed]).allows(host) is is_allowed


@pytest.mark.parametrize(
    "host", ["", "example.org:80", "*.", "**", "*example.org", "a b", "exämple.org", "http://a"]
)
def test_what_is_no_host_is_refused(host):
    with pytest.raises(ValueError, match=r"hosts: .* is no host"):
        TrustedProxies(networks=["unix"], hosts=[host])


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, 1001])
def test_a_limit_is_a_number_of_proxies(limit):
    with pytest.raises(ValueError, match=r"limit: .* is not a number of proxies from 1 to 1000, None"):
        TrustedProxies(networks=["unix"], limit=limit)


def test_headers_are_of_one_family():
    with pytest.raises(
        ValueError, match="unknown TrustedHeaders 'x-real-ip'; use one of 'x-forwarded', 'forwarded'"
    ):
        TrustedProxies(networks=["unix"], headers="x-real-ip")


def test_they_go_to_another_process_as_they_are():
    trusted = TrustedProxies(networks=["10.0.0.0/8", "unix"], hosts=["example.org"], limit=None)
    copy = pickle.loads(pickle.dumps(trusted))
    assert copy == trusted
    assert copy.trusts(("10.1.1.1", 0))

"""The `TrustedProxies` section as an option."""

import pytest

from hostler import ConfigError, TrustedProxies
from hostler.config.trusted import TrustedSection
from hostler.errors import Severity
from hostler.server.trusted import check_trusted, configured_proxies


def test_a_section_is_an_option():
    section = TrustedSection(
        networks=("10.0.0.0/8",), headers="X-Forwarded", forward_limit=3, allowed_hosts=("*.example.org",)
    )
    assert configured_proxies(section) == TrustedProxies(
        networks=["10.0.0.0/8"], headers="x-forwarded", limit=3, hosts=["*.example.org"]
    )
    assert check_trusted(section) == []


def test_what_is_left_out_is_as_in_a_program():
    assert configured_proxies(TrustedSection(networks=("unix",))) == TrustedProxies(networks=["unix"])


def test_any_number_of_proxies_is_minus_one():
    assert configured_proxies(TrustedSection(networks=("unix",), forward_limit=-1)).limit is None


def test_everything_that_is_wrong_is_said_in_the_documents_words():
    section = TrustedSection(
        networks=("10.0.0.1/8",), headers="X-Real-IP", forward_limit=0, allowed_hosts=("a b",)
    )
    problems = {problem.path: problem.message for problem in check_trusted(section)}
    assert problems == {
        "TrustedProxies.Networks": "'10.0.0.1/8' is no network (10.0.0.1/8 has host bits set); write an address, one with "
        "the length of its prefix as in 10.0.0.0/8 or fd00::/8, or unix for the peers of Unix sockets",
        "TrustedProxies.Headers": "unknown TrustedHeaders 'x-real-ip'; use one of 'x-forwarded', 'forwarded'",
        "TrustedProxies.ForwardLimit": "0 is not a number of proxies from 1 to 1000, or -1 for any number",
        "TrustedProxies.AllowedHosts": "'a b' is no host; write a name or an address without a port, as in example.org, "
        "*.example.org for every name below it, or * for any host at all",
    }
    with pytest.raises(ConfigError):
        configured_proxies(section)


def test_networks_are_required():
    (problem,) = check_trusted(TrustedSection(headers="Forwarded"))
    assert problem.path == "TrustedProxies.Networks"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_networks_that_hold_everybody_and_any_host_are_a_warning(network):
    problems = check_trusted(TrustedSection(networks=(network, "fe80::%eth0/64"), allowed_hosts=("*",)))
    assert [(problem.path, problem.severity) for problem in problems] == [
        ("TrustedProxies.Networks", Severity.WARNING),
        ("TrustedProxies.AllowedHosts", Severity.WARNING),
    ]

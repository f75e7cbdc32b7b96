"""Where certificates are bound."""

import pytest

from hostler.server.httpsys.configuration.endpoint import TlsEndpoint


@pytest.mark.parametrize(
    ("text", "host", "port", "named"),
    [
        ("0.0.0.0:443", "0.0.0.0", 443, False),
        ("[::]:443", "[::]", 443, False),
        ("[2001:DB8:0::1]:8443", "[2001:db8::1]", 8443, False),
        ("Example.com:443", "example.com", 443, True),
        ("bücher.example:443", "xn--bcher-kva.example", 443, True),
    ],
)
def test_endpoints_are_normalised(text, host, port, named):
    endpoint = TlsEndpoint.parse(text)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert (endpoint.address is None) == named
    assert TlsEndpoint.parse(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "example.com",
        "[::]",
        "::1:443",
        "",
        ":443",
        "*:443",
        "+:443",
        "a:0",
        "a:65536",
        "a:443/x",
        "https://a:1",
    ],
)
def test_what_is_no_endpoint_says_what_one_is(text):
    with pytest.raises(
        ValueError, match=r"expected an address and a port such as 0\.0\.0\.0:443 or \[::\]:443"
    ):
        TlsEndpoint.parse(text)

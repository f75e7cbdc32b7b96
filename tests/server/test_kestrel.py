"""What the `Kestrel` section says of the user-mode server."""

from __future__ import annotations

import pickle
import re

import pytest

from hostler import Certificate, ClientCertificates, Endpoint, ServerOptions, TlsOptions
from hostler.config.kestrel import lay_over
from hostler.config.yarp import load
from hostler.config.yarp.reading import read_kestrel
from hostler.errors import ConfigError
from hostler.server.kestrel import check_kestrel, configured_endpoints, find_kestrel_warnings

CERTIFICATE = {"Path": "a.pem", "KeyPath": "a.key"}
OTHER = {"Path": "b.pfx", "Password": "open sesame"}
A = Certificate(path="a.pem", key_path="a.key")
B = Certificate(path="b.pfx", password="open sesame")


def section_of(said):
    section, problems = read_kestrel(said)
    assert problems == []
    return section


def configured(**said):
    return configured_endpoints(section_of(said))


def endpoint(**said):
    """What holds for one endpoint, over https unless its Url says otherwise."""
    found = configured(Endpoints={"a": {"Url": "https://*", **said}})
    (made,) = found.endpoints.values()
    return made


def refused(**said):
    return [str(problem) for problem in check_kestrel(section_of(said))]


def warned(**said):
    assert refused(**said) == []
    return [str(problem) for problem in find_kestrel_warnings(section_of(said))]


def refused_endpoint(**said):
    return refused(Endpoints={"a": {"Url": "https://*", "Certificate": CERTIFICATE, **said}})


def warned_endpoint(**said):
    return warned(Endpoints={"a": {"Url": "https://*", "Certificate": CERTIFICATE, **said}})


# -- where to listen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://*:80", "http://*:80/"),
        ("http://+", "http://+:80/"),
        ("HTTP://localhost:5000/", "http://localhost:5000/"),
        ("https://*", "https://*:443/"),
        ("http://0.0.0.0:8080", "http://0.0.0.0:8080/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("http://127.0.0.1:0", "http://127.0.0.1:0/"),
        ("http://unix:/run/shop.sock", "http+unix://%2Frun%2Fshop.sock/"),
        ("https://unix:/run/a b.sock", "https+unix://%2Frun%2Fa%20b.sock/"),
    ],
)
def test_urls(url, expected):
    found = configured(Endpoints={"a": {"Url": url, "Protocols": "Http1"}})
    assert found.urls == (expected,)
    assert list(found.endpoints) == [expected]


def test_no_endpoints_are_no_urls():
    assert configured(EndpointDefaults={"Protocols": "Http1"}).urls == ()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "http://localhost:5000/shop",
            'a.Url: "http://localhost:5000/shop" has a path, which Kestrel refuses too',
        ),
        ("localhost:5000", "is not a URL prefix: it has no ://"),
        ("ftp://localhost", "its scheme is 'ftp'"),
        ("http://pipe:/shop", 'a.Url: "http://pipe:/shop" is a named pipe of Windows'),
        ("http://unix:shop.sock", "does not name a socket by its absolute path"),
        ("http://unix:/run/shop.sock:/base", "has a path, which Kestrel refuses too"),
    ],
)
def test_urls_that_are_none(url, words):
    [message] = refused(Endpoints={"a": {"Url": url}})
    assert words in message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://*:80", "https://*:80"),
        ("http://localhost:80", "http://127.0.0.1:80"),
        ("http://0.0.0.0:80", "http://127.0.0.1:80"),
        ("http://[::]:80", "http://+:80"),
        ("http://unix:/a", "https://unix:/a"),
    ],
)
def test_two_endpoints_share_no_port(first, second):
    [message] = refused(Endpoints={"one": {"Url": first}, "two": {"Url": second}})
    assert re.match(r"Kestrel\.Endpoints\.two\.Url: (port 80|/a) is that of the endpoint one \(http", message)


def test_a_port_has_as_many_endpoints_as_addresses():
    urls = ["http://127.0.0.1:80", "http://127.0.0.2:80", "http://*:81", "http://*:0", "https://*:0"]
    urls += ["http://unix:/a", "http://unix:/b"]
    assert refused(Endpoints={url: {"Url": url} for url in urls}) == []


def test_names_of_endpoints_have_no_case():
    [message] = refused(Endpoints={"a": {"Url": "http://*:80"}, "A": {"Url": "http://*:81"}})
    assert message.startswith('Kestrel.Endpoints.A: duplicate id "A"')


def test_a_host_of_a_url_is_obeyed_where_kestrel_does_not():
    [message] = warned(Endpoints={"a": {"Url": "http://shop.example:80"}})
    assert message == (
        "warning: Kestrel.Endpoints.a.Url: takes requests for the host shop.example alone, where Kestrel takes those "
        "for any; write http://*:80 for any"
    )


# -- certificates -----------------------------------------------------------------------------------------------------


def test_an_endpoint_has_a_certificate_or_the_default():
    found = configured(
        Endpoints={"a": {"Url": "https://*:1", "Certificate": CERTIFICATE}, "b": {"Url": "https://*:2"}},
        Certificates={"default": OTHER},
    )
    assert found.tls == TlsOptions(certificate=B)
    assert found.endpoints == {
        "https://*:1/": Endpoint(tls=TlsOptions(certificate=A)),
        "https://*:2/": Endpoint(tls=TlsOptions(certificate=B)),
    }


def test_no_certificate_is_for_the_server_to_refuse():
    assert endpoint() == Endpoint()


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (
            {"Password": "open sesame"},
            "Certificate.Path: is missing and required; name a file in PEM, or a .pfx",
        ),
        (
            {"Subject": "localhost", "Store": "My"},
            "Certificate.Subject: is of a certificate in a Windows store",
        ),
        (
            {**CERTIFICATE, "Subject": "localhost"},
            "Certificate.Subject: is of a certificate in a Windows store",
        ),
    ],
)
def test_certificates_that_are_no_files(certificate, words):
    [message] = refused_endpoint(Certificate=certificate)
    assert words in message
    assert "sesame" not in message


def test_what_says_nothing_of_a_file():
    [message] = warned_endpoint(Certificate={**CERTIFICATE, "AllowInvalid": True})
    assert message.startswith(
        "warning: Kestrel.Endpoints.a.Certificate.AllowInvalid: is for certificates in a Windows"
    )


def test_certificates_that_no_endpoint_has():
    [development, other] = warned(Certificates={"Development": {"Password": "x"}, "mine": OTHER})
    assert "Kestrel.Certificates.Development: is for the certificate of dotnet dev-certs" in development
    assert "Kestrel.Certificates.mine: is not read: no endpoint can name it" in other


def test_what_is_https_is_not_for_http():
    said = {"Certificate": CERTIFICATE, "SslProtocols": ["Tls13"], "Sni": {"*": {"Certificate": OTHER}}}
    assert [message.partition(": ")[0] for message in refused_endpoint(Url="http://*", **said)] == [
        "Kestrel.Endpoints.a.Certificate",
        "Kestrel.Endpoints.a.SslProtocols",
        "Kestrel.Endpoints.a.Sni",
    ]


def test_the_mode_of_a_unix_socket():
    unix = "http://unix:/run/shop.sock"
    assert endpoint(Url=unix, SocketMode="0660") == Endpoint(socket_mode=0o660)
    [message] = refused(Endpoints={"a": {"Url": unix, "SocketMode": "rw"}})
    assert message == 'Kestrel.Endpoints.a.SocketMode: "rw" is not a file mode; write it as in "660"'
    [message] = warned_endpoint(SocketMode="660")
    assert message.startswith(
        "warning: Kestrel.Endpoints.a.SocketMode: is for a Unix socket, and the Url is none"
    )


# -- versions and clients' certificates -------------------------------------------------------------------------------


def test_defaults_hold_for_what_endpoints_do_not_say():
    found = configured(
        EndpointDefaults={
            "SslProtocols": ["Tls13"],
            "ClientCertificateMode": "allowcertificate",
            "ClientCertificateAuthority": "ca.pem",
        },
        Certificates={"Default": CERTIFICATE},
        Endpoints={
            "a": {"Url": "https://*:1"},
            "b": {"Url": "https://*:2", "SslProtocols": "Tls12", "ClientCertificateMode": "NoCertificate"},
        },
    )
    allowed = TlsOptions(
        certificate=A,
        protocols=("Tls13",),
        client_certificates=ClientCertificates.ALLOW,
        client_ca="ca.pem",
    )
    assert found.tls == found.endpoints["https://*:1/"].tls == allowed
    second = found.endpoints["https://*:2/"].tls
    assert second.protocols == ("Tls12",)
    assert second.client_certificates is ClientCertificates.NONE


def test_old_versions_are_not_spoken():
    said = {"SslProtocols": ["Tls11", "Tls12"]}
    assert endpoint(Certificate=CERTIFICATE, **said).tls.protocols == ("Tls12",)
    [message] = warned_endpoint(**said)
    assert message.startswith("warning: Kestrel.Endpoints.a.SslProtocols[0]: Tls11 is obsolete (RFC 8996)")
    assert refused_endpoint(SslProtocols="Tls, Tls11") == [
        "Kestrel.Endpoints.a.SslProtocols: Tls, Tls11 leaves nothing to speak; write Tls12, Tls13 or both"
    ]
    assert endpoint(Certificate=CERTIFICATE, SslProtocols=["None"]).tls.protocols == ("Tls12", "Tls13")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"SslProtocols": ["Tsl12"]}, 'SslProtocols[0]: unknown value "Tsl12"; did you mean Tls12?'),
        ({"Protocols": "Http11"}, 'Protocols: unknown value "Http11"; did you mean Http1?'),
        ({"Protocols": "Http2"}, "Protocols: not supported yet: Http2 alone; write Http1, or Http1AndHttp2"),
        ({"Protocols": "Http2, Http3"}, "Protocols: not supported yet: Http2, Http3 alone; write Http1, or Http1AndHttp2"),
        ({"Protocols": "None"}, "Protocols: None leaves nothing to speak; write Http1, or Http1AndHttp2"),
        (
            {"ClientCertificateMode": "Required"},
            'ClientCertificateMode: unknown value "Required"; use one of NoCertificate, AllowCertificate, RequireCertificate',
        ),
    ],
)  # fmt: skip
def test_values_that_are_none(said, message):
    assert refused_endpoint(**said) == [f"Kestrel.Endpoints.a.{message}"]


def test_a_certificate_is_not_asked_for_later():
    [message] = refused_endpoint(ClientCertificateMode="DelayCertificate")
    assert message.startswith("Kestrel.Endpoints.a.ClientCertificateMode: not supported: DelayCertificate")


def test_http2_runs_as_http1():
    [message] = warned_endpoint(Protocols="http1AndHttp2")
    assert message.startswith("warning: Kestrel.Endpoints.a.Protocols: http1AndHttp2 runs as HTTP/1.1")
    assert warned_endpoint(Protocols="Http1") == warned_endpoint() == []
    assert len(warned(EndpointDefaults={"Protocols": "Http1AndHttp2AndHttp3"})) == 1


# -- SNI --------------------------------------------------------------------------------------------------------------


def test_hosts_have_what_the_endpoint_has_unless_they_say_otherwise():
    found = endpoint(
        Certificate=CERTIFICATE,
        SslProtocols="Tls13",
        Sni={
            "Shop.example.org": {"Certificate": OTHER},
            "*.example.org": {"SslProtocols": ["Tls12"], "ClientCertificateMode": "RequireCertificate"},
        },
    )
    assert found.tls == TlsOptions(
        certificate=None,  # as for Kestrel, whose other clients are turned away
        protocols=("Tls13",),
        sni={
            "shop.example.org": TlsOptions(certificate=B, protocols=("Tls13",)),
            "*.example.org": TlsOptions(
                certificate=A, protocols=("Tls12",), client_certificates=ClientCertificates.REQUIRE
            ),
        },
    )


def test_a_star_is_for_all_other_clients():
    found = endpoint(Sni={"*": {"Certificate": CERTIFICATE}, "bücher.example": {"Certificate": OTHER}})
    assert found.tls == TlsOptions(certificate=A, sni={"xn--bcher-kva.example": TlsOptions(certificate=B)})


@pytest.mark.parametrize(
    "name", ["", "a.*.example", "*.*", "*example.org", "10.0.0.1", "[::1]", "a/b", "a:443", "*."]
)
def test_names_that_no_client_gives(name):
    [message] = refused_endpoint(Sni={name: {"Certificate": OTHER}})
    assert message.startswith(f'Kestrel.Endpoints.a.Sni.{name}: "{name}" is not a host name; write it as in ')


def test_hosts_without_a_certificate():
    [message] = refused(
        Endpoints={"a": {"Url": "https://*", "Sni": {"b.example": {"SslProtocols": "Tls13"}}}}
    )
    assert message.startswith("Kestrel.Endpoints.a.Sni.b.example: has no certificate; add one here, ")


def test_hosts_appear_once():
    [message] = refused_endpoint(Sni={"a.example": {}, "A.example": {}})
    assert message.startswith("Kestrel.Endpoints.a.Sni.A.example: appears more than once")


# -- as a whole -------------------------------------------------------------------------------------------------------


def test_what_the_command_line_says_is_a_default():
    section = section_of(
        {
            "Endpoints": {
                "a": {"Url": "https://*:1", "Certificate": CERTIFICATE},
                "b": {"Url": "https://*:2"},
            },
            "EndpointDefaults": {"SslProtocols": "Tls13", "ClientCertificateMode": "AllowCertificate"},
            "Certificates": {"DEFAULT": CERTIFICATE},
        }
    )
    above = section_of(
        {
            "Certificates": {"Default": OTHER},
            "EndpointDefaults": {"ClientCertificateMode": "RequireCertificate"},
        }
    )
    found = configured_endpoints(lay_over(section, above))
    assert found.tls == TlsOptions(
        certificate=B, protocols=("Tls13",), client_certificates=ClientCertificates.REQUIRE
    )
    assert found.endpoints["https://*:2/"].tls == found.tls
    assert found.endpoints["https://*:1/"].tls.certificate == A
    assert configured_endpoints(lay_over(None, above)).tls.certificate == B


def test_a_section_that_is_wrong_raises_every_error():
    with pytest.raises(ConfigError) as raised:
        configured(Endpoints={"a": {"Url": "x"}, "b": {"Url": "http://*:80/y", "Protocols": "Http2"}})
    assert [problem.path for problem in raised.value.problems] == [
        "Kestrel.Endpoints.a.Url",
        "Kestrel.Endpoints.b.Url",
        "Kestrel.Endpoints.b.Protocols",
    ]


def test_options_cross_to_a_worker_process():
    document = {
        "Kestrel": {
            "Endpoints": {
                "a": {"Url": "https://*", "Sni": {"*": {"Certificate": OTHER}}, "ProxyProtocol": True}
            }
        }
    }
    found = configured_endpoints(load(document).kestrel)
    options = ServerOptions(endpoints=found.endpoints)
    assert pickle.loads(pickle.dumps(options)) == options
    assert options.endpoints["https://*:443/"].proxy_protocol
    assert "sesame" not in repr(options)

"""The `Kestrel` section: how it is read, put together and written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostler.config.kestrel import (
    Kestrel,
    KestrelCertificate,
    KestrelEndpoint,
    KestrelEndpointDefaults,
    KestrelSni,
    beside,
)
from hostler.config.model import Config
from hostler.config.source import FileSource
from hostler.config.union import unite
from hostler.config.yarp import Parsed, build, dump, load
from hostler.steps import finish
from tests.config.yarp.documents import refused

DOCUMENT = {
    "kestrel": {
        "endpoints": {
            "Http": {"Url": "http://*:80"},
            "Https": {
                "Url": "https://*",
                "SslProtocols": "Tls12, Tls13",
                "Certificate": {"Path": "a.pem", "KeyPath": "a.key", "Password": "open sesame"},
                "Sni": {"*.example.org": {"Certificate": {"Path": "b.pfx"}, "SslProtocols": ["Tls13"]}},
                "ProxyProtocol": True,
            },
        },
        "EndpointDefaults": {"Protocols": "Http1", "ClientCertificateMode": "AllowCertificate"},
        "Certificates": {"Default": {"Path": "/etc/c.pem"}},
    }
}
SECTION = Kestrel(
    endpoints={
        "Http": KestrelEndpoint(url="http://*:80"),
        "Https": KestrelEndpoint(
            url="https://*",
            ssl_protocols=("Tls12", "Tls13"),
            certificate=KestrelCertificate(path="a.pem", key_path="a.key", password="open sesame"),
            sni={
                "*.example.org": KestrelSni(
                    certificate=KestrelCertificate(path="b.pfx"), ssl_protocols=("Tls13",)
                )
            },
            proxy_protocol=True,
        ),
    },
    endpoint_defaults=KestrelEndpointDefaults(protocols="Http1", client_certificate_mode="AllowCertificate"),
    certificates={"Default": KestrelCertificate(path="/etc/c.pem")},
)


def test_a_section_is_read_and_written():
    config = load(DOCUMENT)
    assert config == Config(kestrel=SECTION)
    assert load(dump(config)) == config


def test_no_section_is_none():
    for document in ({}, {"Kestrel": {}}, {"Kestrel": None}):
        assert load(document) == Config()


def test_a_password_is_shown_nowhere():
    assert "sesame" not in repr(load(DOCUMENT))
    [message] = refused({"Kestrel": {"Certificates": {"Default": {"Password": {"sesame": 1}}}}})
    assert "sesame" not in message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"Endpoint": {}}, 'Kestrel.Endpoint: unknown key "Endpoint"; did you mean Endpoints?'),
        ({"Endpoints": {"a": {}}}, "Kestrel.Endpoints.a.Url: is missing and required; add it"),
        (
            {"Endpoints": {"a": {"Url": "https://*", "Certificate": "mine"}}},
            'Kestrel.Endpoints.a.Certificate: "mine" is not an object; write {...}',
        ),
        (
            {"EndpointDefaults": {"SslProtocol": "Tls12"}},
            'Kestrel.EndpointDefaults.SslProtocol: unknown key "SslProtocol"; did you mean SslProtocols?',
        ),
    ],
)
def test_what_cannot_be_read(section, message):
    assert message in refused({"Kestrel": section})


def test_what_kestrel_does_not_read_either():
    config, problems = finish(
        build(Parsed({"Kestrel": {"Limits": {"MaxRequestBodySize": 1}, "AddServerHeader": False}}))
    )
    assert config == Config(kestrel=Kestrel())
    assert [str(problem).partition(", as it")[0] for problem in problems[1:]] == [
        "warning: Kestrel.Limits: is not read",
        "warning: Kestrel.AddServerHeader: is not read",
    ]


def test_files_are_found_beside_the_document(tmp_path):
    found = beside(SECTION, Path("/srv/proxy"))
    https = found.endpoints["Https"]
    assert (https.certificate.path, https.certificate.key_path) == ("/srv/proxy/a.pem", "/srv/proxy/a.key")
    assert https.certificate.password == "open sesame"
    assert https.sni["*.example.org"].certificate.path == "/srv/proxy/b.pfx"
    assert found.certificates["Default"].path == "/etc/c.pem"
    assert found.endpoints["Http"] == SECTION.endpoints["Http"]
    document = tmp_path / "proxy.json"
    document.write_text('{"Kestrel": {"Certificates": {"Default": {"Path": "certs/a.pem"}}}}')
    read = FileSource(document).read().config.kestrel
    assert read.certificates["Default"].path == str(tmp_path / "certs" / "a.pem")


def test_one_document_of_several_has_the_section(tmp_path):
    sources = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.json"
        path.write_text('{\n"Kestrel": {"EndpointDefaults": {"Protocols": "Http1"}}}')
        sources.append(FileSource(path))
    draft = finish(unite([(source.name, source.read()) for source in sources]))
    assert draft.config.kestrel is not None
    [problem] = [problem for problem in draft.problems if problem.path == "Kestrel"]
    assert str(problem).endswith(
        f"line 2: Kestrel: {sources[0].name} has this section too; keep one, for the server is one"
    )

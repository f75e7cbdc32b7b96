"""The TLS settings for https destinations."""

from __future__ import annotations

import ssl

import pytest

from hostler import HttpClient
from hostler.client.tls.contexts import tls_context


def test_certificates_are_verified_unless_the_document_says_otherwise():
    careful = tls_context(HttpClient())
    assert (careful.verify_mode, careful.check_hostname) == (ssl.CERT_REQUIRED, True)
    careless = tls_context(HttpClient(dangerous_accept_any_server_certificate=True))
    assert (careless.verify_mode, careless.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("protocols", "lowest", "highest"),
    [
        (["Tls12"], "TLSv1_2", "TLSv1_2"),
        (["tls13"], "TLSv1_3", "TLSv1_3"),
        (["Tls13", "Tls12"], "TLSv1_2", "TLSv1_3"),
        (["Tls11", "Tls12"], "TLSv1_1", "TLSv1_2"),
        (["Tls"], "TLSv1", "TLSv1"),
        (["None", "Tls12"], "TLSv1_2", "TLSv1_2"),
    ],
)
def test_the_versions_that_are_spoken(protocols, lowest, highest):
    made = tls_context(HttpClient(ssl_protocols=protocols))
    assert (made.minimum_version.name, made.maximum_version.name) == (lowest, highest)


@pytest.mark.parametrize("protocols", [[], ["None"]])
def test_without_any_the_system_decides(protocols):
    made, usual = tls_context(HttpClient(ssl_protocols=protocols)), ssl.create_default_context()
    assert (made.minimum_version, made.maximum_version) == (usual.minimum_version, usual.maximum_version)

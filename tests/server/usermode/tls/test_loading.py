"""From options to a context: which versions, which ciphers, whose certificates, and what is refused."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from hostler import Certificate, CertificateError, ClientCertificates, TlsOptions
from hostler.server.usermode.tls.loading import load
from tests.certificates import authority, certificate

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
PEM = serialization.Encoding.PEM


def self_signed(folder, *, key=None, usage=None, names=None):
    """Write a certificate of its own, which is for any purpose unless `usage` says for which."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1)).not_valid_after(NOW + dt.timedelta(days=1))
    )  # fmt: skip
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names is not None:
        builder = builder.add_extension(
            x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names), critical=False
        )
    data = builder.sign(key, hashes.SHA256()).public_bytes(PEM)
    data += key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "own.pem"
    path.write_bytes(data)
    return TlsOptions(certificate=Certificate(path=str(path)))


def refusal(options, now=NOW):
    with pytest.raises(CertificateError) as caught:
        load(options, now.timestamp())
    return str(caught.value)


def test_what_a_certificate_says_of_itself_is_seen(tmp_path):
    own = certificate(
        tmp_path, "A.test", "*.b.test", "127.0.0.1", not_after=dt.datetime(2026, 12, 31, tzinfo=dt.UTC)
    )  # fmt: skip
    examined = load(TlsOptions(certificate=own), NOW.timestamp()).examined
    assert examined.names == ("a.test", "*.b.test", "127.0.0.1")
    assert examined.not_after == dt.datetime(2026, 12, 31, tzinfo=dt.UTC).timestamp()
    assert examined.path == own.path
    covered = ("a.test", "A.TEST", "x.b.test", "*.b.test", "*", "127.0.0.1")
    assert all(map(examined.covers, covered))
    assert not any(map(examined.covers, ("b.test", "x.y.b.test", "*.test", "c.test")))


def test_without_a_certificate_there_is_a_context(tmp_path):
    assert load(TlsOptions()).examined is None


def test_one_that_has_ended_is_refused(tmp_path):
    own = certificate(tmp_path, "a.test", not_after=NOW)
    said = refusal(TlsOptions(certificate=own), NOW + dt.timedelta(seconds=1))
    assert said == f"{own.path}: it ended on 2026-06-01 00:00 UTC; renew it"


def test_one_that_is_not_valid_yet_is_refused(tmp_path):
    own = certificate(tmp_path, "a.test", not_before=NOW)
    said = refusal(TlsOptions(certificate=own), NOW - dt.timedelta(days=1))
    assert said.startswith(
        f"{own.path}: it is not valid before 2026-06-01 00:00 UTC, and today is 2026-05-31"
    )


def test_one_that_is_not_for_servers_is_refused(tmp_path):
    said = refusal(self_signed(tmp_path, usage=ExtendedKeyUsageOID.CLIENT_AUTH))
    assert "it is not for servers" in said
    assert load(self_signed(tmp_path, usage=ExtendedKeyUsageOID.SERVER_AUTH), NOW.timestamp())


def test_one_that_is_too_weak_is_refused(tmp_path):
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert "too weak for OpenSSL's security level" in refusal(self_signed(tmp_path, key=weak))


@pytest.mark.parametrize(
    ("protocols", "lowest", "highest"),
    [
        (("Tls12", "Tls13"), ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
        (("Tls13",), ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3),
        (["Tls12"], ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2),
    ],
)
def test_versions_are_those_asked_for(tmp_path, protocols, lowest, highest):
    context = load(TlsOptions(certificate=certificate(tmp_path), protocols=protocols)).context
    assert (context.minimum_version, context.maximum_version) == (lowest, highest)


@pytest.mark.parametrize("protocols", [("Tls11", "Tls12"), ("Ssl3",), (), "Tls12"])
def test_older_versions_are_no_options(protocols):
    with pytest.raises(ValueError, match="expected Tls12 or Tls13 or both"):
        TlsOptions(protocols=protocols)


def test_ciphers_are_mozillas(tmp_path):
    context = load(TlsOptions(certificate=certificate(tmp_path))).context
    names = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert names == [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ]  # fmt: skip
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


def test_clients_are_asked_for_certificates(tmp_path):
    own = certificate(tmp_path)
    ca = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(ca))
    for mode, verify in [("AllowCertificate", ssl.CERT_OPTIONAL), ("RequireCertificate", ssl.CERT_REQUIRED)]:
        options = TlsOptions(certificate=own, client_certificates=mode, client_ca=str(ca))
        context = load(options).context
        assert context.verify_mode is verify
        assert context.cert_store_stats()["x509_ca"] == 1
    assert load(TlsOptions(certificate=own)).context.verify_mode is ssl.CERT_NONE


def test_authorities_that_are_none_are_refused(tmp_path):
    own = certificate(tmp_path)
    mode = ClientCertificates.REQUIRE
    torn = tmp_path / "torn.pem"
    torn.write_text(Path(own.path).read_text()[:200])
    for path, reason in [
        (tmp_path / "missing.pem", "there is no such file"),
        (Path(own.key_path), "no certificate is in it"),
        (torn, "a certificate in it cannot be read"),
    ]:
        said = refusal(TlsOptions(certificate=own, client_certificates=mode, client_ca=str(path)))
        assert said.startswith(f"{path}: ")
        assert reason in said


def test_names_that_are_none_are_passed_over(tmp_path):
    """An address of five bytes, a mail address, an address of version 6."""
    names = b"\x87\x05\x01\x02\x03\x04\x05\x81\x03a@b\x87\x10" + bytes(15) + b"\x01"
    options = self_signed(tmp_path, names=b"\x30" + bytes([len(names)]) + names)
    assert load(options, NOW.timestamp()).examined.names == ("::1",)

"""A certificate with its key, loaded or refused: what the error says."""

import os
import ssl
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from hostler import Certificate, CertificateError
from hostler.tls import pkcs12 as ours
from hostler.tls.chain import load_chain
from tests.certificates import certificate

PEM = serialization.Encoding.PEM


def load(own):
    return load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), own)


@pytest.fixture
def own(tmp_path):
    return certificate(tmp_path, "a.test")


def parts(own):
    key = serialization.load_pem_private_key(Path(own.key_path).read_bytes(), None)
    return key, x509.load_pem_x509_certificates(Path(own.path).read_bytes())


def encrypted(own, password=b"secret", *, key=None):
    path = Path(own.key_path).with_name("encrypted.key")
    path.write_bytes(
        (key or parts(own)[0]).private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password)
        )
    )
    return str(path)


def pfx(own, password=b"secret", *, key=True, chain=True):
    """Write a PKCS #12 file of a certificate."""
    private, (first, *rest) = parts(own)
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    data = pkcs12.serialize_key_and_certificates(
        b"name", private if key else None, first if key else None, rest if chain else [first], encryption
    )
    path = Path(own.path).with_suffix(".pfx")
    path.write_bytes(data)
    return str(path)


def test_a_chain_with_its_key_beside_it_is_loaded(own):
    assert load(own).startswith("-----BEGIN CERTIFICATE-----")


def test_a_key_may_be_in_the_same_file(own, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(Path(own.key_path).read_bytes() + Path(own.path).read_bytes())
    assert load(Certificate(path=str(both)))


def test_an_encrypted_key_is_loaded_with_its_password(own):
    assert load(Certificate(path=own.path, key_path=encrypted(own), password="secret"))


@pytest.mark.parametrize("password", ["secret", None])
def test_pkcs12_is_loaded(own, password):
    path = pfx(own, password and password.encode())
    leaf = load(Certificate(path=path, password=password))
    assert leaf.strip() == Path(own.path).read_text().strip()[: len(leaf.strip())]


def test_the_key_of_pkcs12_is_never_readable_by_others(own, monkeypatch):
    seen = []
    load_cert_chain = ssl.SSLContext.load_cert_chain

    def look(context, path, *rest):
        seen.append((Path(path).read_bytes(), stat.S_IMODE(Path(path).parent.stat().st_mode), path))
        return load_cert_chain(context, path, *rest)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", look)
    monkeypatch.setattr(ours.sys, "platform", "darwin")
    load(Certificate(path=pfx(own), password="secret"))
    monkeypatch.undo()
    ((data, mode, path),) = seen
    assert b"ENCRYPTED PRIVATE KEY" in data
    assert b"BEGIN PRIVATE KEY" not in data
    assert mode == 0o700
    assert not Path(path).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="memfd_create")
def test_pkcs12_needs_no_disk_on_linux(own, monkeypatch):
    monkeypatch.setattr(ours.tempfile, "TemporaryDirectory", None)
    assert load(Certificate(path=pfx(own), password="secret"))


def test_pkcs12_without_the_extra_says_how_to_get_it(own, monkeypatch):
    path = pfx(own)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(CertificateError, match=r'pip install "hostler\[certificates\]"'):
        load(Certificate(path=path))


def test_what_is_wrong_is_said_with_file_and_remedy(own, tmp_path):
    other = certificate(tmp_path, "b.test")
    cert, key = Path(own.path).read_text(), Path(own.key_path).read_text()
    missing = str(tmp_path / "missing.pem")
    large = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    rsa_key = tmp_path / "rsa.key"
    rsa_key.write_bytes(
        large.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

    def file(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    der = file(
        "a.der", ssl.PEM_cert_to_DER_cert(cert[: cert.index("-----END")] + "-----END CERTIFICATE-----\n")
    )
    request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    table = [
        ({"path": missing}, missing, "no such file"),
        ({"path": own.path, "key_path": missing}, missing, "no such file"),
        ({"path": str(tmp_path)}, str(tmp_path), "a directory"),
        ({"path": file("empty.pem", "")}, "empty.pem", "no certificate in PEM"),
        ({"path": file("text.pem", "hello")}, "text.pem", "no certificate in PEM"),
        ({"path": file("csr.pem", request)}, "csr.pem", "but CERTIFICATE REQUEST"),
        ({"path": own.key_path}, "a.test.key", "but "),
        ({"path": file("torn.pem", cert[:200])}, "torn.pem", "no whole certificate"),
        ({"path": der, "key_path": own.key_path}, "a.der", "openssl x509 -inform der"),
        ({"path": own.path}, own.path, "name the file of the key"),
        ({"path": own.path, "key_path": own.path}, own.path, "no private key in PEM"),
        ({"path": own.path, "key_path": other.key_path}, "b.test.key", "does not fit the certificate in"),
        ({"path": own.path, "key_path": str(rsa_key)}, "rsa.key", "does not fit the certificate in"),
        ({"path": own.path, "key_path": encrypted(own)}, "encrypted.key", "no password was given"),
        ({"path": own.path, "key_path": encrypted(own), "password": "x"}, "encrypted.key", "does not decrypt"),
        ({"path": own.path, "key_path": encrypted(own), "password": ""}, "encrypted.key", "does not decrypt"),
        ({"path": file("bad.pem", cert.replace("MII", "!!!", 1)), "key_path": own.key_path}, "bad.pem", "OpenSSL cannot"),
        ({"path": own.path, "key_path": file("bad.key", key.replace("M", "!", 1))}, own.path, "OpenSSL cannot"),
        ({"path": file("no.pfx", "hello")}, "no.pfx", "no PKCS #12"),
        ({"path": pfx(own)}, "a.test.pfx", "no password was given"),
        ({"path": pfx(own), "password": "x"}, "a.test.pfx", "the password is wrong"),
        ({"path": pfx(own), "password": "secret", "key_path": own.key_path}, "a.test.pfx", "leave that out"),
    ]  # fmt: skip
    for details, file_name, reason in table:
        with pytest.raises(CertificateError) as caught:
            load(Certificate(**details))
        assert file_name in str(caught.value).partition(": ")[0], caught.value
        assert reason in str(caught.value)
        assert "secret" not in str(caught.value)
    with pytest.raises(CertificateError, match="no certificate with its key is in it"):
        load(Certificate(path=pfx(own, key=False, chain=False), password="secret"))


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_what_would_block_is_not_opened(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(CertificateError) as caught:
        load(Certificate(path=str(fifo)))
    assert str(caught.value) == f"{fifo}: it is no file that can be read twice; name a file"


def test_what_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.pem"
    with path.open("wb") as file:
        file.truncate(5 << 20)
    with pytest.raises(CertificateError, match="5242880 bytes"):
        load(Certificate(path=str(path)))


def test_what_never_ends_is_refused_at_once(tmp_path):
    path = tmp_path / "endless.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" * 140_000)
    with pytest.raises(CertificateError, match="no whole certificate"):
        load(Certificate(path=str(path)))

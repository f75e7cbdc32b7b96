"""The files of a development certificate, and what other programs say to it."""

import asyncio
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from hostler import Certificate, CertificateError, ServerOptions, TlsOptions
from hostler.dev_cert import authority as authorities
from hostler.dev_cert.store import Store, default_directory
from hostler.processes.serving import serving
from hostler.server.usermode.tls.loading import load
from tests.certificates import certificate

NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "config" / "dev-cert")


def verify(store, leaf, *more):
    """Have OpenSSL verify a certificate; returns its verdict."""
    command = ["openssl", "verify", "-CAfile", store.ca, "-purpose", "sslserver", "-x509_strict", *more, leaf]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def test_what_it_makes_can_be_served_and_verified(store):
    renewed = store.renew(["app.test", "*.app.test", ip_address("10.1.2.3")], NOW)
    assert renewed.is_new
    own = Certificate(path=str(store.certificate), key_path=str(store.key))
    examined = load(TlsOptions(certificate=own)).examined
    assert set(examined.names) == {
        "localhost",
        "127.0.0.1",
        "::1",
        "app.test",
        "*.app.test",
        "10.1.2.3",
    }
    assert timedelta(seconds=examined.not_after - examined.not_before) <= timedelta(days=397)
    for host in ("localhost", "app.test", "x.app.test"):
        verdict = verify(store, store.certificate, "-verify_hostname", host)
        assert verdict.returncode == 0, verdict.stderr
    assert verify(store, store.certificate, "-verify_ip", "10.1.2.3").returncode == 0
    assert verify(store, store.certificate, "-verify_hostname", "bank.example").returncode != 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_nobody_else_can_read_the_keys(store):
    store.renew([], NOW)
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.directory.iterdir()} == {0o600}
    assert sorted(path.name for path in store.directory.iterdir()) == [
        "ca.key", "ca.pem", "localhost.key", "localhost.pem",
    ]  # fmt: skip


def test_again_the_authority_is_kept_and_the_certificate_renewed(store):
    first = store.renew(["app.test"], NOW)
    ca, leaf = store.ca.read_bytes(), store.certificate.read_bytes()
    again = store.renew([], NOW + timedelta(days=300))
    assert not again.is_new
    assert store.ca.read_bytes() == ca
    assert store.certificate.read_bytes() != leaf
    assert again.certificate.until > first.certificate.until
    assert "app.test" in again.names


def test_names_that_the_authority_does_not_vouch_for_need_another(store):
    store.renew([], NOW)
    ca = store.ca.read_bytes()
    with pytest.raises(CertificateError, match=r"vouches for localhost, .*and not for app\.test; .*--new-ca"):
        store.renew(["app.test"], NOW)
    assert store.ca.read_bytes() == ca
    assert store.renew(["app.test"], NOW, new_ca=True).is_new
    assert store.ca.read_bytes() != ca
    assert verify(store, store.certificate).returncode == 0


def test_an_authority_that_has_ended_is_replaced(store):
    store.renew([], NOW)
    assert store.renew([], NOW + timedelta(days=3651)).is_new


def test_no_certificate_outlives_its_authority(store):
    first = store.renew([], NOW)
    late = store.renew([], NOW + timedelta(days=3600))
    assert late.certificate.until == first.authority.until


def test_what_others_made_is_not_overwritten(store, tmp_path):
    store.directory.mkdir(mode=0o700, parents=True)
    other = certificate(tmp_path, "a.test")
    for name in ("ca.pem", "ca.key", "localhost.pem", "localhost.key"):
        path = store.directory / name
        path.write_bytes(Path(other.key_path if name.endswith("key") else other.path).read_bytes())
        before = path.read_bytes()
        with pytest.raises(CertificateError, match=f"{name}: not made by hostler dev-cert"):
            store.renew([], NOW)
        assert path.read_bytes() == before
        path.unlink()
    store.renew([], NOW)
    store.certificate.write_bytes(Path(other.path).read_bytes())
    with pytest.raises(CertificateError, match="not made by hostler dev-cert"):
        store.renew([], NOW, new_ca=True)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_a_directory_that_others_see_is_refused(store):
    store.directory.mkdir(mode=0o755, parents=True)
    store.directory.chmod(0o755)
    with pytest.raises(CertificateError, match="chmod 700"):
        store.renew([], NOW)


def test_a_place_that_is_none_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateError, match="--directory"):
        Store(tmp_path / "file" / "dev-cert").renew([], NOW)


@pytest.mark.parametrize("name", ["bank.example", ip_address("8.8.8.8"), "notlocalhost"])
def test_what_is_beyond_its_constraints_is_not_accepted(store, tmp_path, monkeypatch, name):
    """Whoever has the key of the authority cannot make a certificate for others: clients see the constraint."""
    made = store.renew([], NOW)
    monkeypatch.setattr(authorities, "is_within", lambda *_: True)
    forged = made.authority.issue([name], NOW)
    path = tmp_path / "forged.pem"
    path.write_bytes(forged.pem)
    verdict = verify(store, path)
    assert verdict.returncode != 0
    assert "permitted subtree violation" in verdict.stderr


def test_it_signs_nothing_but_servers(store, tmp_path):
    """An authority below it is not accepted either."""
    made = store.renew([], NOW)
    below = authorities.Authority.make([], NOW)
    builder = x509.CertificateBuilder(
        issuer_name=made.authority.certificate.subject,
        subject_name=below.certificate.subject,
        public_key=below.key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=below.certificate.not_valid_before_utc,
        not_valid_after=below.certificate.not_valid_after_utc,
        extensions=list(below.certificate.extensions),
    )
    chain, leaf = tmp_path / "chain.pem", tmp_path / "leaf.pem"
    signed = builder.sign(made.authority.key, hashes.SHA256())
    chain.write_bytes(signed.public_bytes(authorities._PEM))
    leaf.write_bytes(below.issue([], NOW).pem)
    verdict = verify(store, leaf, "-untrusted", chain)
    assert verdict.returncode != 0


async def test_curl_gets_an_answer(store):
    store.renew([], NOW)

    async def answer(exchange):
        return await exchange.respond(200, "safe")

    own = Certificate(path=str(store.certificate), key_path=str(store.key))
    options = ServerOptions(tls=TlsOptions(certificate=own))
    async with serving(answer, ["https://localhost:0/"], options=options) as served:
        curl = await asyncio.create_subprocess_exec(
            "curl",
            "-sS",
            "--max-time",
            "10",
            "--cacert",
            store.ca,
            f"{served.url}/",
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await curl.communicate()
    assert out == b"safe"


def test_python_trusts_it_by_its_file(store):
    store.renew([], NOW)
    context = ssl.create_default_context(cafile=str(store.ca))
    assert len(context.get_ca_certs()) == 1


def test_it_is_kept_where_this_user_configures_things(monkeypatch, tmp_path):
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert default_directory() == tmp_path / "hostler" / "dev-cert"
        monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert default_directory() == tmp_path / ".config" / "hostler" / "dev-cert"
    else:
        assert default_directory().is_absolute()


def test_without_a_home_a_place_has_to_be_named(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(CertificateError, match="--directory"):
        default_directory()

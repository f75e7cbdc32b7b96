"""`hostler run` and `hostler serve` over https, as processes: certificates of the document and of the command line."""

from __future__ import annotations

import json
import ssl
import sys

import httpx
import pytest

from tests.certificates import authority, certificate, client_context
from tests.end_to_end.programs import hostler

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="HTTP.sys has certificates of its own")

LOCAL = "https://127.0.0.1:0/"


async def ask(url, context=None, **options):
    async with httpx.AsyncClient(trust_env=False, timeout=20, verify=context or client_context()) as http:
        return await http.get(url, **options)


@pytest.fixture
def write(tmp_path):
    """Write a document that answers 503 to everything, with a section Kestrel."""

    def write(**kestrel):
        document = {
            "ReverseProxy": {
                "Routes": {"a": {"ClusterId": "c", "Match": {"Path": "/{**any}"}}},
                "Clusters": {"c": {}},
            },
            "Kestrel": kestrel,
        }
        (tmp_path / "proxy.json").write_text(json.dumps(document))
        return tmp_path / "proxy.json"

    return write


async def test_endpoints_of_a_document(write, tmp_path):
    certificate(tmp_path)
    document = write(
        Endpoints={
            "Plain": {"Url": "http://127.0.0.1:0"},
            "Secure": {
                "Url": "https://127.0.0.1:0",
                "Sni": {
                    "*": {"Certificate": {"Path": "localhost.pem", "KeyPath": "localhost.key"}},
                },
            },
        }
    )
    async with hostler("run", document, "--server", "usermode") as proxy:
        plain = (await proxy.says(r"listening on (http://\S+)/$"))[1]
        secure = (await proxy.says(r"listening on (https://\S+)/$"))[1]
        assert (await ask(plain)).status_code == 503
        assert (await ask(secure)).status_code == 503


async def test_the_command_lines_certificate_is_the_default(write, tmp_path):
    own = certificate(tmp_path)
    document = write(EndpointDefaults={"SslProtocols": ["Tls13"]})
    args = ["--cert", own.path, "--key", own.key_path, "--server", "usermode"]
    async with hostler("run", document, "--url", LOCAL, *args) as proxy:
        url = (await proxy.says(r"listening on (https://\S+)/$"))[1]
        assert (await ask(url)).status_code == 503
        old = client_context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            await ask(url, old)


async def test_workers_serve_https(tmp_path):
    own = certificate(tmp_path)
    args = [
        "--url",
        LOCAL,
        "--cert",
        own.path,
        "--key",
        own.key_path,
        "--workers",
        "2",
        "--server",
        "usermode",
    ]
    async with hostler("serve", "worker_apps:app", *args) as supervisor:
        url = (await supervisor.says(r"listening on (https://\S+)/$"))[1]
        answered = {(await ask(url)).text.split()[0] for _ in range(8)}
        assert str(supervisor.pid) not in answered


async def test_a_key_with_a_password(tmp_path):
    own = certificate(tmp_path)
    with open(own.key_path, "rb") as file:  # noqa: ASYNC230, PTH123 - in a test
        key = _encrypted(file.read(), b"open sesame")
    (tmp_path / "secret.key").write_bytes(key)
    (tmp_path / "password").write_text("open sesame\n")
    args = [
        "--cert",
        own.path,
        "--key",
        tmp_path / "secret.key",
        "--key-password-file",
        tmp_path / "password",
    ]
    async with hostler("serve", "worker_apps:app", "--url", LOCAL, "--workers", "1", *args) as supervisor:
        url = (await supervisor.says(r"listening on (https://\S+)/$"))[1]
        assert (await ask(url)).status_code == 200
        titles = _command_lines(supervisor.pid)
        assert "sesame" not in titles + supervisor.output + supervisor.errors


def _encrypted(key, password):
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - here alone

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )


def _command_lines(leader):
    from pathlib import Path  # noqa: PLC0415

    from tests.end_to_end.programs import session  # noqa: PLC0415

    return " ".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in session(leader))


@pytest.mark.parametrize("workers", ["0", "2"])
async def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(tmp_path, workers):
    own = certificate(tmp_path)
    other = certificate(tmp_path, "other.example")
    args = ["--url", LOCAL, "--cert", own.path, "--key", other.key_path, "--workers", workers]
    async with hostler("serve", "worker_apps:app", *args, "--server", "usermode") as supervisor:
        assert await supervisor.ends() == 1
        assert "listening" not in supervisor.output
        assert len(supervisor.err) == 2, supervisor.errors
        assert own.path in supervisor.errors


async def test_clients_are_asked_for_a_certificate(tmp_path):
    own, theirs = certificate(tmp_path), certificate(tmp_path, "ann@example.org")
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    args = [
        "--url",
        LOCAL,
        "--cert",
        own.path,
        "--key",
        own.key_path,
        "--workers",
        "0",
        "--server",
        "usermode",
    ]
    args += ["--client-certificates", "require", "--client-ca", tmp_path / "ca.pem"]
    async with hostler("serve", "worker_apps:app", *args) as server:
        url = (await server.says(r"listening on (https://\S+)/$"))[1]
        assert (await ask(url, client_context(theirs))).status_code == 200
        with pytest.raises(
            (httpx.TransportError, ssl.SSLError)
        ):  # a client of TLS 1.3 hears of it when it reads
            await ask(url)


@pytest.mark.parametrize("workers", ["0", "2"])
async def test_clients_are_sent_to_https_and_told_to_stay(tmp_path, workers):
    own = certificate(tmp_path, "shop.example", "127.0.0.1")
    args = [
        "--url",
        LOCAL,
        "--cert",
        own.path,
        "--key",
        own.key_path,
        "--workers",
        workers,
        "--server",
        "usermode",
    ]
    args += ["--url", "http://127.0.0.1:0/", "--redirect-to-https", "--hsts", "60"]
    async with hostler("serve", "worker_apps:app", *args) as server:
        plain = (await server.says(r"listening on (http://\S+)/$"))[1]
        secure = (await server.says(r"listening on (https://\S+)/$"))[1]
        port = secure.rpartition(":")[2]
        sent = await ask(f"{plain}/a?b", headers={"Host": "shop.example"})
        assert (sent.status_code, sent.headers["location"]) == (307, f"https://shop.example:{port}/a?b")
        assert "strict-transport-security" not in sent.headers
        there = await ask(f"{secure}/a?b", headers={"Host": "shop.example"})
        assert (there.status_code, there.headers["strict-transport-security"]) == (200, "max-age=60")
        assert "strict-transport-security" not in (await ask(secure)).headers  # 127.0.0.1


async def test_a_redirection_to_nowhere_is_an_error(tmp_path):
    async with hostler("serve", "worker_apps:app", "--redirect-to-https", "--workers", "2") as server:
        assert await server.ends() == 1
        assert (
            "HttpsRedirection: says no port to send clients to, and there is no https prefix" in server.errors
        )

"""HAProxy as a destination over TLS that demands a client's certificate."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from hostler import Certificate, HttpClient
from tests.certificates import certificate
from tests.wire.peers import authority_file, haproxy, proxied

HAPROXY = """
defaults
    mode http
    timeout client 20s
frontend entry
    bind 127.0.0.1:{port} ssl crt OWN ca-file AUTHORITY verify required
    http-request return status 200 content-type text/plain lf-string "%[ssl_c_verify] %[ssl_fc_sni] %[req.hdr(host)]"
"""


def written(config, folder):
    """Fill in a certificate with its key in one file, and the authority that clients' certificates must lead to."""
    own = certificate(folder)
    path = folder / "with-key.pem"
    path.write_bytes(Path(own.key_path).read_bytes() + Path(own.path).read_bytes())
    return config.replace("OWN", str(path)).replace("AUTHORITY", str(authority_file(folder)))


def trusting(folder, own=None):
    return HttpClient(client_certificate=own, certificate_authority=str(authority_file(folder)))


def client_of(url):
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=20)


def shown(folder):
    own = certificate(folder, "hostler@example.org")
    return Certificate(path=own.path, key_path=own.key_path)


async def test_haproxy_sees_the_certificate_and_the_name(tmp_path):
    async with (
        haproxy(tmp_path, written(HAPROXY, tmp_path)) as port,
        proxied(f"https://localhost:{port}", http_client=trusting(tmp_path, shown(tmp_path))) as url,
        client_of(url) as asking,
    ):
        assert (await asking.get("/")).text == f"0 localhost localhost:{port}"


@pytest.mark.logs_errors("certificate", sometimes=True)
async def test_haproxy_turns_a_connection_without_a_certificate_away(tmp_path):
    async with (
        haproxy(tmp_path, written(HAPROXY, tmp_path)) as port,
        proxied(f"https://localhost:{port}", http_client=trusting(tmp_path)) as url,
        client_of(url) as asking,
    ):
        assert (await asking.get("/")).status_code == 502

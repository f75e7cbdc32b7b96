"""sslscan: that nothing is spoken which is weak or has a known hole."""

from __future__ import annotations

import re

import pytest
import trustme

from hostler import ServerOptions, TlsOptions, serving
from tests.certificates import certificate
from tests.wire.peers import program, run


@pytest.mark.parametrize("kind", trustme.KeyType)
async def test_sslscan_finds_nothing_weak(kind, tmp_path):
    own = certificate(tmp_path, key_type=kind)
    options = ServerOptions(tls=TlsOptions(certificate=own))

    async def answer(exchange):
        return await exchange.respond(200)

    async with serving(answer, ["https://127.0.0.1:0/"], options=options) as served:
        _, out, errors = await run(program("sslscan"), "--no-colour", served.url.removeprefix("https://"))
    said = out.decode()
    versions = dict(re.findall(r"^(SSLv\d|TLSv1\.\d) +(enabled|disabled)$", said, re.MULTILINE))
    assert {version for version, state in versions.items() if state == "enabled"} == {"TLSv1.2", "TLSv1.3"}, (
        said
    )
    suites = re.findall(r"^(?:Preferred|Accepted) +\S+ +\d+ bits +(\S+)", said, re.MULTILINE)
    assert len(suites) >= 6, said + errors
    assert [suite for suite in suites if not re.search(r"GCM|CHACHA20", suite)] == []
    assert all(suite.startswith(("TLS_", "ECDHE-")) for suite in suites), suites
    assert re.findall(r"(?<!not )vulnerable to heartbleed", said) == []
    assert "Session renegotiation not supported" in said
    assert "Server supports TLS Fallback SCSV" in said

"""Certificates of the command: wrong ones before anything starts, renewed ones while it runs."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from tests.certificates import certificate, client_context
from tests.end_to_end.programs import hostler

LOCAL = "https://127.0.0.1:0/"


@pytest.fixture
def own(tmp_path):
    return certificate(tmp_path, "localhost")


@pytest.fixture
def other(tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    return certificate(folder, "localhost", "other.test")


def replace(own, by):
    for target, source in [(own.path, by.path), (own.key_path, by.key_path)]:
        fresh = Path(target).with_suffix(".new")
        fresh.write_bytes(Path(source).read_bytes())
        fresh.replace(target)


def spoil(path):
    Path(path).write_text("nonsense")


async def names(url):
    """Return the names of the certificate that a server answers with."""
    host, _, port = url.partition("://")[2].partition(":")
    _, writer = await asyncio.open_connection(
        host, int(port), ssl=client_context(), server_hostname="localhost"
    )
    found = [name for _, name in writer.get_extra_info("peercert")["subjectAltName"]]
    writer.close()
    await writer.wait_closed()
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
@pytest.mark.parametrize("workers", ["0", "2"])
async def test_a_renewed_certificate_is_taken_on_hangup(own, other, workers):
    arguments = ("--workers", workers, "--url", LOCAL, "--cert", own.path, "--key", own.key_path, "--quiet")
    async with hostler("serve", "worker_apps:app", *arguments) as server:
        url = await server.url()
        if workers != "0":
            await server.says(f"with {workers} workers")
        assert await names(url) == ["localhost"]
        replace(own, other)
        server.kill(signal.SIGHUP)
        await server.says("it was read" if workers == "0" else "every worker was replaced", "err")
        assert await names(url) == ["localhost", "other.test"]
        spoil(own.key_path)
        server.kill(signal.SIGHUP)
        await server.says("no private key in PEM is in it", "err")
        assert await names(url) == ["localhost", "other.test"]
        server.kill(signal.SIGTERM)
        assert await server.ends() == 0


async def test_a_document_s_certificate_is_followed(own, other, tmp_path):
    endpoint = {"Url": "https://127.0.0.1:0", "Certificate": {"Path": own.path, "KeyPath": own.key_path}}
    document = tmp_path / "proxy.json"
    document.write_text(json.dumps({"Kestrel": {"Endpoints": {"a": endpoint}}, "ReverseProxy": {}}))
    async with hostler("run", document, "--quiet") as proxy:
        url = await proxy.url()
        assert await names(url) == ["localhost"]
        replace(own, other)
        await proxy.says(r"INFO hostler\.reload: .*localhost\.pem: it was read, and is valid until", "err")
        assert await names(url) == ["localhost", "other.test"]


@pytest.mark.parametrize("workers", ["0", "3"])
async def test_what_is_wrong_is_one_line_however_many_workers_there_are(own, workers):
    spoil(own.key_path)
    arguments = ("--workers", workers, "--url", LOCAL, "--cert", own.path, "--key", own.key_path)
    async with hostler("serve", "worker_apps:app", *arguments) as server:
        assert await server.ends() == 1
        assert server.errors == (
            f"hostler: {own.key_path}: no private key in PEM is in it; give a file that has it"
        )

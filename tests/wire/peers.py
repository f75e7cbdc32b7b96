"""Programs that others wrote, as peers of a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from contextlib import asynccontextmanager

import pytest

from hostler import Cluster, Proxy, Route, ServerOptions, TlsOptions, queue, serving
from tests.certificates import authority, certificate

PATIENCE = 20.0


def program(name):
    """Return where a program is; without it the test is skipped, or fails where it must not be missing (CI)."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        message = f"{name} is not installed; install it to run this test"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def run(*command, feed=None):
    """Run a program to its end; return its exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE if feed is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, errors = await process.communicate(feed)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out, errors.decode()


def https(folder, **tls):
    """Return how a server listens over TLS, with a certificate of the tests' authority."""
    options = TlsOptions(certificate=certificate(folder), **tls)
    return {"urls": ["https://127.0.0.1:0/"], "options": ServerOptions(tls=options)}


def authority_file(folder):
    """Write the certificate of the tests' authority into a file, for programs; returns its path."""
    path = folder / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


@asynccontextmanager
async def proxied(address, *, urls=("http://127.0.0.1:0/",), options=None, **cluster):
    """Serve a proxy that sends everything to one address."""
    proxy = Proxy([Route("/{**rest}", "c")], [Cluster("c", [address], **cluster)])
    async with serving(proxy, urls, options=options) as served:
        yield served.url


@asynccontextmanager
async def forwarded(handler, **listening):
    """Serve a handler behind a proxy that forwards to it."""
    async with serving(handler) as there, proxied(there.url, **listening) as url:
        yield url


@asynccontextmanager
async def delegated(handler, **listening):
    """Serve a handler from a queue that a proxy delegates to."""
    async with (
        serving(handler, [], queue="wire"),
        proxied(queue("wire", "http://*:80/"), **listening) as url,
    ):
        yield url


BOTH = pytest.mark.parametrize("behind", [forwarded, delegated])

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    types {{ text/plain txt; application/octet-stream bin; }}
    {config}
}}
"""


@asynccontextmanager
async def nginx(directory, config):
    """Run nginx with a configuration for its http block, in which {port} is a free port; gives that port."""
    binary = program("nginx")
    home = directory / "nginx"
    home.mkdir()
    home.chmod(0o755)
    port = free_port()
    file = home / "nginx.conf"
    file.write_text(NGINX.format(directory=home, config=config.replace("{port}", str(port))))
    async with listening(port, binary, "-p", home, "-c", file, "-e", home / "error.log"):
        yield port


@asynccontextmanager
async def haproxy(directory, config):
    """Run HAProxy with a configuration, in which {port} is a free port; gives that port."""
    binary = program("haproxy")
    port = free_port()
    file = directory / "haproxy.cfg"
    file.write_text(config.replace("{port}", str(port)))
    async with listening(port, binary, "-db", "-q", "-f", file):
        yield port


@asynccontextmanager
async def tinyproxy(directory, config=""):
    """Run tinyproxy, which a web proxy's address leads to; gives its port."""
    binary = program("tinyproxy")
    port = free_port()
    file = directory / "tinyproxy.conf"
    file.write_text(f"Listen 127.0.0.1\nPort {port}\nTimeout 20\nLogLevel Error\n{config}\n")
    async with listening(port, binary, "-d", "-c", file):
        yield port


@asynccontextmanager
async def redis(directory, port=None, unix=""):
    """Run Redis, which keeps nothing, on a socket in the file system too; gives its port."""
    binary = program("redis-server")
    port = free_port() if port is None else port
    options = [
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        directory,
        *(["--unixsocket", unix] if unix else []),
    ]
    async with listening(port, binary, "--port", port, *options):
        yield port


@asynccontextmanager
async def listening(port, *command):
    """Run a program that listens on a port, from when it does."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                if process.returncode is not None:
                    pytest.fail(f"{command[0]} ended: {(await process.stderr.read()).decode()}")
                await asyncio.sleep(0.01)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(PATIENCE):
            await process.communicate()

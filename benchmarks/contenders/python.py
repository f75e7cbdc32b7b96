"""What others wrote in Python: proxies and ASGI servers, on uvloop where they run on it, one process of each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.contenders.entry import Command, require

if TYPE_CHECKING:
    from benchmarks.contenders.entry import Setup

__all__ = [
    "aiohttp_proxy", "asyncio_server", "engine", "granian", "hypercorn", "importing", "proxy_py", "starlette_proxy", "uvicorn",
]  # fmt: skip

_APPLICATION = "benchmarks.programs.application:app"

_BARE_SERVER = """
import asyncio
async def main():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", {port})
    await server.serve_forever()
asyncio.run(main())
"""


def _module(name: str, *arguments: str, **environment: str) -> Command:
    return Command((sys.executable, "-m", name, *arguments), environment)


def _tls(setup: Setup, certificate: str, key: str) -> tuple[str, ...]:
    """Return the options for TLS, whose names are given."""
    return (certificate, setup.certificate, key, setup.certificate) if setup.certificate else ()


def aiohttp_proxy(setup: Setup) -> Command:
    """Forward by aiohttp at its best: its low-level server and one pooled session."""
    require("aiohttp", "uvloop")
    return _module("benchmarks.programs.aiohttp_proxy", str(setup.port), f"http://{setup.behind}")


def starlette_proxy(setup: Setup) -> Command:
    """Forward by an application of Starlette with httpx, on uvicorn."""
    require("starlette", "httpx")
    return _uvicorn(setup, "benchmarks.programs.starlette_proxy:app", DESTINATION=f"http://{setup.behind}")


def proxy_py(setup: Setup) -> Command:
    """Forward by proxy.py as a reverse proxy, in one process.

    With a thread for each connection: its event loop ends at the second request on one.
    """
    require("proxy")
    return _module(
        "proxy", "--hostname", "127.0.0.1", "--port", str(setup.port), "--num-workers", "1", "--num-acceptors", "1",
        "--threaded",
        "--enable-reverse-proxy", "--rewrite-host-header", "--plugins", "benchmarks.programs.proxy_py.ToDestination",
        "--log-level", "ERROR", DESTINATION=f"http://{setup.behind}",
    )  # fmt: skip


def uvicorn(setup: Setup) -> Command:
    """Serve the application by uvicorn, with httptools."""
    return _uvicorn(setup, _APPLICATION)


def _uvicorn(setup: Setup, application: str, **environment: str) -> Command:
    require("uvicorn", "uvloop", "httptools")
    return _module(
        "uvicorn", "--host", "127.0.0.1", "--port", str(setup.port), "--loop", "uvloop", "--http", "httptools",
        "--no-access-log", "--log-level", "error", "--backlog", "4096",
        *_tls(setup, "--ssl-certfile", "--ssl-keyfile"), application, **environment,
    )  # fmt: skip


def hypercorn(setup: Setup) -> Command:
    """Serve the application by hypercorn."""
    require("hypercorn", "uvloop")
    return _module(
        "hypercorn", "--bind", f"127.0.0.1:{setup.port}", "--worker-class", "uvloop", "--backlog", "4096",
        "--log-level", "error", *_tls(setup, "--certfile", "--keyfile"), _APPLICATION,
    )  # fmt: skip


def granian(setup: Setup) -> Command:
    """Serve the application by granian, whose HTTP is Rust's hyper."""
    require("granian", "uvloop")
    return _module(
        "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(setup.port), "--loop", "uvloop",
        "--http", "1", "--no-ws", "--no-log", "--backlog", "4096",
        *_tls(setup, "--ssl-certificate", "--ssl-keyfile"), _APPLICATION,
    )  # fmt: skip


def engine(setup: Setup, name: str) -> Command:
    """Answer over TLS by one of the engines, with nothing around it."""
    require("uvloop")
    return _module("benchmarks.programs.engines", name, str(setup.port), setup.certificate)


def asyncio_server(setup: Setup) -> Command:
    """Listen with nothing but asyncio."""
    return Command((setup.build.python, "-c", _BARE_SERVER.format(port=setup.port)))


def importing(setup: Setup, package: str) -> Command:
    """Import a package and end."""
    require(package)
    return Command((setup.build.python, "-c", f"import {package}"))

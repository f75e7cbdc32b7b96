"""hostler's processes: `python -m benchmarks.programs.ours ROLE PORT [ARGUMENTS]`. Public names only.

They listen over TLS where the environment has a CERTIFICATE.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import hostler

if TYPE_CHECKING:
    from collections.abc import Callable


def forward(port: str, destination: str, routes: str = "0") -> None:
    """Forward by the default pipeline."""
    _run(port, _proxy(destination, int(routes)))


def forward_on_asyncio(port: str, destination: str) -> None:
    """Forward by the default pipeline, as where there is no uvloop."""
    sys.modules["uvloop"] = None  # type: ignore[assignment] - what makes the import fail
    forward(port, destination)


def forward_logged(port: str, destination: str) -> None:
    """Forward, and write an access line per request."""
    _run(port, _proxy(destination), quiet=False)


def forward_staged(port: str, destination: str) -> None:
    """Forward, with a stage in front that looks at the request and at what became of it."""
    _run(port, _proxy(destination, stages=(by_tenant,)))


def delegate(port: str, queue: str) -> None:
    """Delegate to a queue."""
    _run(port, _proxy(hostler.queue(queue, "http://*:80/")))


def serve(port: str, queue: str = "") -> None:
    """Serve the application, from a queue too if one is named."""
    from benchmarks.programs.application import app  # noqa: PLC0415 - a proxy does without

    url, options = _listening(port)
    hostler.serve(app, queue or None, [url], options=options, quiet=True, grace=1)


_CLIENT: Final = hostler.HttpClient(dangerous_accept_any_server_certificate=True)
"""nginx and HAProxy verify no certificate here either; it is once a connection."""

_tenants: dict[str, int] = {}


async def by_tenant(exchange: hostler.Exchange, onward: hostler.Next) -> hostler.Outcome:
    """Count the answers of each tenant."""
    tenant = exchange.request.headers.get("x-tenant", "nobody")
    outcome = await onward(exchange)
    if outcome.failure is None:
        _tenants[tenant] = _tenants.get(tenant, 0) + 1
    return outcome


def _proxy(
    destination: str | hostler.Destination, routes: int = 0, stages: tuple[hostler.Stage, ...] = ()
) -> hostler.Proxy:
    paths = [f"/route-{number}/{{**rest}}" for number in range(routes)] or ["/{**rest}"]
    return hostler.Proxy(
        [hostler.Route(path, "all", max_request_body_size=-1) for path in paths],
        [hostler.Cluster("all", [destination], http_client=_CLIENT)],
        pipeline=[*stages, *hostler.DEFAULT_PIPELINE],
    )


def _run(port: str, proxy: hostler.Proxy, *, quiet: bool = True) -> None:
    url, options = _listening(port)
    hostler.run(proxy, [url], options=options, quiet=quiet, grace=1)


def _listening(port: str) -> tuple[str, hostler.ServerOptions | None]:
    """Return the URL prefix of a port, and what it takes to listen there."""
    certificate = os.environ.get("CERTIFICATE")
    if not certificate:
        return f"http://127.0.0.1:{port}/", None
    tls = hostler.TlsOptions(certificate=hostler.Certificate(path=certificate))
    return f"https://127.0.0.1:{port}/", hostler.ServerOptions(tls=tls)


ROLES: Final[dict[str, Callable[..., None]]] = {
    "forward": forward,
    "forward-on-asyncio": forward_on_asyncio,
    "forward-logged": forward_logged,
    "forward-staged": forward_staged,
    "delegate": delegate,
    "serve": serve,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])

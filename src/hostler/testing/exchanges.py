"""An exchange without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.exchange import Exchange
from hostler.fleet import LiveRoute
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Request
from hostler.http.target import parse_host, parse_target
from hostler.testing.stream import FakeStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.config.model import Route
    from hostler.contract import Address
    from hostler.fleet import LiveCluster, LiveDestination
    from hostler.http.target import Target

__all__ = ["exchange"]


def exchange(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    body: bytes | Iterable[bytes] | None = b"",
    host: str = "localhost",
    scheme: str = "http",
    client: Address = ("127.0.0.1", 50000),
    server: Address = ("127.0.0.1", 80),
    route: Route | None = None,
    cluster: LiveCluster | None = None,
    candidates: Iterable[LiveDestination] | None = None,
    stream: FakeStream | None = None,
) -> Exchange:
    """Make an exchange as a server would deliver it.

    `path` is the request target as it stands on the wire, query included; `host` may have a port. Host and the body's
    framing are added to `headers` where they are missing. `body` is as for `FakeStream`, and ignored when a `stream`
    is given. The candidates are those that `cluster` has available, unless given.
    """
    request, target = _request(method, path.encode("latin-1"), Headers.of(headers), host, body)
    name, port = parse_host(request.host or b"")
    made = Exchange(
        request,
        FakeStream(body) if stream is None else stream,
        target,
        client,
        server,
        name,
        port or (443 if scheme == "https" else 80),
        path=target.path,
        scheme=scheme,
    )
    if target.is_ambiguous:
        made.place_reading = lambda reading: ("", reading)
    made.route = None if route is None else LiveRoute(route.id, route, cluster)
    made.cluster = cluster
    if candidates is not None:
        made.candidates = tuple(candidates)
    elif cluster is not None:
        made.candidates = cluster.available
    return made


def _request(
    method: str, raw: bytes, headers: Headers, host: str, body: bytes | Iterable[bytes] | None
) -> tuple[Request, Target]:
    """Make a request's head, and its target, with what is missing among the headers."""
    if "host" not in headers:
        headers.add("Host", host)
    if not isinstance(body, bytes):
        framing = CHUNKED
        if "transfer-encoding" not in headers:
            headers.add("Transfer-Encoding", "chunked")
    elif (framing := len(body)) and "content-length" not in headers:
        headers.add("Content-Length", str(framing))
    target = parse_target(method, raw)
    if target.authority is not None:
        headers.set("Host", target.authority)
    headers.changed = False  # by no stage
    return Request(method, raw, headers, framing=framing, host=headers.get_raw(b"host") or b""), target

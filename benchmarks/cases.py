"""The cases: what is asked for, of whom, over which connections, and which figure is compared."""

from __future__ import annotations

from enum import Enum, auto
from functools import partial
from typing import Final

from attrs import field, frozen

from benchmarks.figures import (
    COST,
    FAILED,
    IN_FORCE,
    MEDIAN,
    MEMORY,
    P99,
    PROXY,
    RATE,
    SLOWEST,
    UNDISTURBED,
    USED,
    WALL,
    WORKER,
    Figure,
)

__all__ = [
    "ANSWERS",
    "CASES",
    "HEADERS",
    "MESSAGE",
    "SMALL_BODY",
    "Behind",
    "Builds",
    "Case",
    "Measure",
    "body_of",
]

SMALL_BODY: Final = b"The yard hand takes your engine at the gate.\n"
KIB: Final = 1 << 10
MIB: Final = 1 << 20

ANSWERS: Final = {
    "/small": len(SMALL_BODY), "/chunked": 3 * len(SMALL_BODY), "/upload": len(SMALL_BODY),
    "/1k": KIB, "/64k": 64 * KIB, "/1m": MIB, "/100m": 100 * MIB,
}  # fmt: skip
"""How many bytes each path is answered with."""

MESSAGE: Final = b"An engine of class 8 asks for the east road."
"""What a WebSocket message carries."""

HEADERS: Final = (
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.7,de;q=0.3"),
    ("cache-control", "no-cache"),
    ("cookie", "session=5f2c8e1a94d64d0b; theme=dark"),
    ("referer", "http://localhost/start"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("x-request-id", "0af7651916cd43dd8448eb211c80319c"),
    ("x-tenant", "north"),
)
"""Nine; Host, which the load generators write, is the tenth."""

FORTY: Final = (*HEADERS, *((f"x-header-{number}", f"value {number} of thirty") for number in range(30)))


def body_of(path: str) -> bytes:
    """Return the body that a path is answered with; not for what is longer than memory should hold."""
    size = ANSWERS[path]
    return SMALL_BODY * (size // len(SMALL_BODY)) if size % len(SMALL_BODY) == 0 else b"x" * size


class Behind(Enum):
    """What answers."""

    FILES = auto()
    """nginx, with files; a small server of our own where there is none."""
    ORIGIN = auto()
    """The small server of our own: it reads request bodies, answers in chunks, and echoes WebSocket messages."""
    WORKER = auto()
    """An ASGI application in a worker of hostler, which is metered too: on a queue, and on a port of its own."""
    NOTHING = auto()
    """The contender itself."""


class Measure(Enum):
    """How a case is measured: a module of `measures` each."""

    REQUESTS = auto()
    MESSAGES = auto()
    MEMORY = auto()
    RELOAD = auto()
    START = auto()


class Builds(Enum):
    """In which builds our own contenders take part."""

    ONE = auto()
    """As it is installed here."""
    PURE = auto()
    """And without the compiled part."""
    ALL = auto()
    """Both, on every Python that was asked for."""


def _size(size: int) -> str:
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit:,} {name}"
    return f"{size:,} bytes"


_PER_REQUEST: Final = (COST, RATE, MEDIAN, P99)
_WITH_WORKER: Final = (COST, PROXY, WORKER, RATE, MEDIAN, P99)


@frozen
class Case:
    """One kind of work."""

    name: str
    title: str
    contenders: tuple[str, ...]
    """Names of entries of the roster."""

    reference: str
    """The contender that the others are compared with."""

    path: str = "/small"
    connections: int = 32
    behind: Behind = Behind.FILES
    headers: tuple[tuple[str, str], ...] = HEADERS
    body: int = 0
    """Bytes of the request's body; with one it is a POST."""

    new_connections: bool = False
    """One for each request, instead of keeping them alive."""

    tls: bool = False
    """Connections to the contender are encrypted."""

    resumed: bool = False
    """Each new connection resumes the session of the one before it; one that does not is a failure."""

    tls_behind: bool = False
    """Connections to what is behind are encrypted."""

    count: int = 0
    """How many requests; 0 is as many as there is time for."""

    routes: int = 0
    """How many there are beside each other; 0 is a single one for every path."""

    measure: Measure = Measure.REQUESTS
    figures: tuple[Figure, ...] = field(default=_PER_REQUEST)
    """The columns of its table; the first is what is compared."""

    builds: Builds = Builds.ONE

    @property
    def description(self) -> str:
        """What is done, in a sentence."""
        if self.measure is Measure.START:
            return "A new process; each round counts the fastest of several."
        if self.measure is Measure.MEMORY:
            which = "TLS connections" if self.tls else "Connections"
            return f"{which} that were answered once, beyond what the process has with one."
        parts = [self._connections]
        if self.measure is Measure.MESSAGES:
            return f"Messages of {_size(len(MESSAGE))}, {parts[0]}."
        if self.body:
            parts.append(f"{_size(self.body)} in the request")
        parts += [f"{len(self.headers) + 1} request headers", f"{_size(ANSWERS[self.target])} in the answer"]
        text = f"{', '.join(parts)}."
        if self.behind is Behind.WORKER:
            text += " The proxies are in front of the same worker, whose processor time counts too."
        if self.tls_behind:
            text += " The destination's connections are encrypted too."
        return text

    @property
    def _connections(self) -> str:
        over = " over TLS" if self.tls else ""
        if not self.new_connections:
            return f"{self.connections:,} kept-alive connections{over}"
        handshake = (", each resuming a session" if self.resumed else ", each a full handshake") * self.tls
        return f"{self.connections} at a time, a new connection{over} for each request{handshake}"

    @property
    def target(self) -> str:
        """The path among `ANSWERS`, without the route in front of it."""
        return "/" + self.path.rpartition("/")[2]


_PROXIES: Final = (
    "direct",
    "nginx",
    "haproxy",
    "caddy",
    "varnish",
    "aiohttp",
    "starlette",
    "proxy.py",
    "hostler",
)
_SOME: Final = ("nginx", "haproxy", "aiohttp", "hostler")
_BOTH: Final = ("nginx", "hostler")
_DELEGATING: Final = ("worker", "nginx", "haproxy", "hostler-delegate")


def _download(name: str, connections: int, count: int = 0) -> Case:
    size = _size(ANSWERS[f"/{name}"])
    return Case(f"down-{name}", f"{size} answer", _SOME, "nginx", f"/{name}", connections, count=count)


def _upload(name: str, size: int, connections: int, count: int = 0) -> Case:
    title = f"{_size(size)} upload"
    return Case(
        f"up-{name}", title, _SOME, "nginx", "/upload", connections, Behind.ORIGIN, body=size, count=count
    )


def _connected(connections: int) -> Case:
    return Case(f"{connections}", f"{connections:,} connections", _BOTH, "nginx", connections=connections)


def _routed(routes: int) -> Case:
    path = f"/route-{routes // 2}/small"
    return Case(f"routes-{routes}", f"{routes:,} routes", _BOTH, "nginx", path, routes=routes)


_ENGINES: Final = (
    "engine-nginx",
    "engine-hostler",
    "engine-hostler-asyncio",
    "engine-uvloop",
    "engine-asyncio",
)
_TLS: Final = ("nginx", "haproxy", "caddy", "hostler", "hostler-asyncio")
_AT_REST: Final = ("nginx", "caddy", "hostler", "hostler-asyncio")
"""HAProxy does not start for 10,000 connections without room for as many again to what is behind."""


def _over_tls() -> tuple[Case, ...]:
    """Return the cases over TLS: proxies, a worker, servers of ASGI, and the engines with nothing around them."""
    proxied = partial(Case, contenders=_TLS, reference="nginx", tls=True)
    alone = partial(Case, contenders=_ENGINES, reference="engine-nginx", tls=True, behind=Behind.NOTHING)
    at_rest = {"connections": 10_000, "measure": Measure.MEMORY, "figures": (MEMORY,)}
    servers = ("uvicorn", "hypercorn", "granian", "hostler-serve")
    return (
        proxied("tls", "Small GET over TLS", builds=Builds.PURE),
        proxied("tls-behind", "Small GET over TLS, to a destination over TLS", tls_behind=True),
        proxied("tls-new", "A full handshake for each request", new_connections=True),
        proxied("tls-resumed", "A resumed session for each request", new_connections=True, resumed=True),
        proxied("tls-1m", "1 MiB answer over TLS", path="/1m", connections=16),
        proxied("tls-memory", "Memory of 10,000 TLS connections at rest", contenders=_AT_REST, **at_rest),
        Case("tls-delegated", "Small GET over TLS, delegated", ("nginx", "haproxy", "hostler-delegate"), "nginx",
             behind=Behind.WORKER, tls=True, figures=_WITH_WORKER),
        Case("tls-hello", "ASGI hello world over TLS", servers, "uvicorn", behind=Behind.NOTHING, tls=True),
        alone("engines", "TLS engines: small GET"),
        alone("engines-new", "TLS engines: full handshakes", new_connections=True),
        alone("engines-resumed", "TLS engines: resumed sessions", new_connections=True, resumed=True),
        alone("engines-1m", "TLS engines: 1 MiB answer", path="/1m", connections=16),
        alone("engines-memory", "TLS engines: memory of 10,000 connections at rest", **at_rest),
    )  # fmt: skip


CASES: Final = {
    case.name: case
    for case in (
        Case("small", "Small GET", _PROXIES, "nginx", builds=Builds.ALL),
        Case("stage", "A coroutine stage of one's own", ("nginx", "hostler", "hostler-stage"), "nginx",
             builds=Builds.ALL),
        Case("log", "Access log on", ("nginx-log", "hostler-log"), "nginx-log", builds=Builds.PURE),
        Case("headers", "Forty headers", _SOME, "nginx", headers=FORTY, builds=Builds.PURE),
        Case("post", "POST with a small body", _SOME, "nginx", "/upload", behind=Behind.ORIGIN, body=200,
             builds=Builds.PURE),
        Case("chunked", "Chunked answer", _SOME, "nginx", "/chunked", behind=Behind.ORIGIN, builds=Builds.PURE),
        Case("new", "A new connection for each request", _SOME, "nginx", new_connections=True, builds=Builds.PURE),
        _download("1k", 32),
        _download("64k", 32),
        _download("1m", 16),
        _download("100m", 4, 12),
        _upload("1m", MIB, 16),
        _upload("100m", 100 * MIB, 4, 12),
        _connected(1_000),
        _connected(5_000),
        Case("memory", "Memory of 10,000 connections at rest", _BOTH, "nginx", connections=10_000,
             measure=Measure.MEMORY, figures=(MEMORY,)),
        *(_routed(number) for number in (10, 100, 1_000, 10_000)),
        Case("reload", "A reload of 10,000 routes under load", ("nginx", "hostler-run"), "nginx",
             "/route-5000/small", routes=10_000, measure=Measure.RELOAD,
             figures=(SLOWEST, UNDISTURBED, IN_FORCE, FAILED)),
        Case("websocket", "WebSocket messages", ("direct", "nginx", "haproxy", "hostler"), "nginx", "/echo",
             behind=Behind.ORIGIN, measure=Measure.MESSAGES),
        Case("delegated", "Small GET, delegated", _DELEGATING, "nginx", behind=Behind.WORKER, figures=_WITH_WORKER,
             builds=Builds.ALL),
        Case("delegated-1m", "1 MiB answer, delegated", _DELEGATING, "nginx", "/1m", 16, Behind.WORKER,
             figures=(RATE, COST, PROXY, WORKER, MEDIAN, P99)),
        Case("delegated-new", "A new connection for each request, delegated", _DELEGATING, "nginx",
             behind=Behind.WORKER, new_connections=True, figures=_WITH_WORKER, builds=Builds.PURE),
        Case("hello", "ASGI hello world, served directly", ("uvicorn", "hypercorn", "granian", "hostler-serve"),
             "uvicorn", behind=Behind.NOTHING, builds=Builds.ALL),
        Case("import", "Start-up: import", ("import-asyncio", "import-hostler", "import-proxy", "import-uvicorn", "import-aiohttp"),
             "import-asyncio", measure=Measure.START, behind=Behind.NOTHING, figures=(WALL, USED), builds=Builds.ALL),
        Case("run", "Start-up: until it listens", ("run-asyncio", "hostler-run", "uvicorn", "nginx"), "run-asyncio",
             measure=Measure.START, behind=Behind.FILES, figures=(WALL, USED), builds=Builds.ALL),
        *_over_tls(),
    )
}  # fmt: skip

"""Helpers for testing stages, handlers and policies: an exchange without a server, a clock that stands still.

::

    stream = FakeStream()
    outcome = await handler(exchange("POST", "/orders", body=b"1", stream=stream))
    assert (stream.response.status, stream.response.body) == (201, b"made")
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO

from attrs import define, field

from hostler.contract import Address, Delegated
from hostler.errors import Failure, Reason
from hostler.exchange import Exchange, Outcome
from hostler.fleet import LiveCluster, LiveDestination, LiveRoute
from hostler.fleet.available import AVAILABLE_DESTINATIONS
from hostler.fleet.equipment import Equipment
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import CHUNKED, Request, Response
from hostler.http.target import parse_host, parse_target
from hostler.stages.affinity import AFFINITY, AFFINITY_FAILURE, redistribute
from hostler.stages.balance import BALANCE, first_alphabetical
from hostler.stages.forward import SENDER
from hostler.stages.health import PASSIVE_HEALTH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hostler.config.model import Cluster, Route
    from hostler.contract import Pump
    from hostler.server.base import DelegationRule
    from hostler.stages.affinity import AffinityPolicy
    from hostler.stages.balance import BalancePolicy
    from hostler.stages.forward import Sender
    from hostler.stages.health import PassiveHealthPolicy

__all__ = ["FakeClock", "FakeResponse", "FakeRule", "FakeSender", "FakeStream", "exchange", "live"]


# -- time -------------------------------------------------------------------------------------------------------------


class FakeClock:
    """A clock that moves only when it is told to; call it for the time in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> FakeTimer:
        """Call `callback(*args)` when the clock has advanced by `delay` seconds, as an event loop would."""
        timer = FakeTimer(self.now + delay, callback, args)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on; what falls due on the way is called, in order, at its own time."""
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            self.now, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                timer.callback(*timer.args)
        self.now = until


@define(eq=False)
class FakeTimer:
    """What `FakeClock.call_later` returns."""

    when: float
    callback: Callable[..., object]
    args: tuple[Any, ...]
    cancelled: bool = False

    def cancel(self) -> None:
        """Keep it from being called."""
        self.cancelled = True


# -- an exchange without a server -------------------------------------------------------------------------------------


@define(eq=False)
class FakeResponse:
    """What a client got."""

    status: int = 0
    """0 when it got nothing."""

    headers: Headers = field(factory=Headers)
    framing: int = 0
    """The body's length as it was announced, or CHUNKED."""

    body: bytes = b""
    trailers: Headers = field(factory=Headers)
    informational: list[tuple[int, Headers]] = field(factory=list)
    """Interim responses: 100 Continue and others, in order."""

    complete: bool = False
    aborted: bool = False


@define(eq=False)
class FakeRule:
    """A delegation rule that is open on nothing."""

    queue: str = "queue"
    prefix: str = "http://*:80/"

    def reset(self) -> None:
        """Do nothing."""


Delegation = Delegated | Failure
"""How the delegation of a `FakeStream` ends."""


class FakeStream:
    """One request and its response, with a client that does as it is told.

    `body` is what the client sends: whole, or in pieces; None leaves it to `client_sends` and `client_ends`.
    `delegation` is how a delegation ends: a result, or a coroutine function `(rule, headers) -> result`; without it
    the stream cannot be delegated. What came of it is in `response`, `delegated` and the attributes of `Stream`.
    """

    def __init__(
        self,
        body: bytes | Iterable[bytes] | None = b"",
        *,
        trailers: Iterable[tuple[str | bytes, str | bytes]] = (),
        delegation: Delegation | Callable[[DelegationRule, RawHeaders], Awaitable[Delegation]] | None = None,
        expect_continue: bool = False,
    ) -> None:
        self.started = False
        self.closed = False
        self.status = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.paused = False
        """The flow of the request's body is stopped."""
        self.response = FakeResponse()
        self.delegated: tuple[DelegationRule, RawHeaders] | None = None
        """The rule that the request left by, and the headers that it took along for the answer."""
        self._pieces = deque([body] if isinstance(body, bytes) and body else body or ())
        self._ended = body is not None
        self._trailers = Headers.of(trailers).raw
        self._pump: Pump | None = None
        self._departed: Callable[[], object] | None = None
        self._told = False
        self._delegation = delegation
        self._waits = expect_continue

    # -- the client ---------------------------------------------------------------------------------------------------

    def client_sends(self, data: bytes) -> None:
        """Let a piece of the request's body arrive."""
        self._pieces.append(data)
        self._flow()

    def client_ends(self, trailers: Iterable[tuple[str | bytes, str | bytes]] = ()) -> None:
        """Let the request's body be complete."""
        self._ended, self._trailers = True, Headers.of(trailers).raw
        self._flow()

    def client_stalls(self) -> None:
        """Let the client read no more of the response for now."""
        if self._pump is not None:
            self._pump.pause()

    def client_reads(self) -> None:
        """Let the client read on."""
        if self._pump is not None:
            self._pump.resume()

    def client_leaves(self, failure: Failure | None = None) -> None:
        """Let the client go away, or break the protocol if `failure` says so."""
        if self.closed:
            return
        self.closed = True
        reason = Reason.RESPONSE_BODY_CLIENT if self.started else Reason.REQUEST_CANCELED
        if self._pump is not None:
            self._pump.lost(Failure(reason) if failure is None else failure)
        if self._departed is not None:
            self._departed()

    def _flow(self) -> None:
        pump = self._pump
        if pump is None:
            return
        while self._pieces and not self.paused and not self.closed:
            piece = self._pieces.popleft()
            self.bytes_received += len(piece)
            pump.feed(piece)
        if self._ended and not (self._pieces or self.paused or self.closed or self._told):
            self._told = True
            pump.feed_end(self._trailers)

    # -- Stream -------------------------------------------------------------------------------------------------------

    @property
    def can_delegate(self) -> bool:
        """Whether a delegation was scripted, and nothing was read or sent yet."""
        return self._delegation is not None and not (self.closed or self.started or self._pump is not None)

    def when_departed(self, callback: Callable[[], object] | None) -> None:
        """Call back once when the client goes away; None: call nobody any more."""
        self._departed = callback

    def attach(self, pump: Pump) -> None:
        """Send the body to `pump`, what waits first."""
        self._pump = pump
        self._flow()

    def detach(self) -> None:
        """Keep the body for the next pump."""
        self._pump = None

    def proceed(self) -> None:
        """Send 100 Continue if the client waits for it."""
        if self._waits and not self.bytes_received:
            self._waits = False
            self.inform(100, [])

    def pause(self) -> None:
        """Stop the flow of the request's body."""
        self.paused = True

    def resume(self) -> None:
        """Let the request's body flow again."""
        self.paused = False
        self._flow()

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Record an interim response."""
        if not self.closed:
            self.response.informational.append((status, Headers(list(headers))))

    def start(self, response: Response, data: bytes = b"") -> None:
        """Record the response's head; a second one is a RuntimeError."""
        if self.started:
            raise RuntimeError(f"the response has a head already (status {self.status})")
        if self.closed:
            return
        self.started = True
        self.status = self.response.status = response.status
        self.response.headers = response.headers
        self.response.framing = response.framing
        self.write(data)

    def write(self, data: bytes) -> None:
        """Record a piece of the response's body; a RuntimeError before the head."""
        if self.closed:
            return
        if not self.started:
            raise RuntimeError("a body needs a head before it")
        self.bytes_sent += len(data)
        self.response.body += data

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Leave files to whoever reads them."""
        return False

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the response; a RuntimeError before the head."""
        if self.closed:
            return
        if not self.started:
            raise RuntimeError("a response needs a head before its end")
        self.response.trailers = Headers(list(trailers or ()))
        self.response.complete = self.closed = True
        self._pump = None

    def abort(self) -> None:
        """Record that the response was torn down."""
        if not self.closed:
            self.response.aborted = self.closed = True
            self._pump = None

    async def delegate(
        self, rule: DelegationRule, exchange: Exchange, headers: RawHeaders
    ) -> Delegated | Failure:
        """Record the delegation and end it as scripted."""
        self.delegated = (rule, headers)
        script = self._delegation
        result = await script(rule, headers) if callable(script) else script
        assert result is not None, "give FakeStream a `delegation`"
        if isinstance(result, Delegated):
            self.closed = True
            self.status = result.status
            self.bytes_received, self.bytes_sent = result.bytes_received, result.bytes_sent
        return result


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
    raw = Headers.of(headers)
    if "host" not in raw:
        raw.add("Host", host)
    if not isinstance(body, bytes):
        framing = CHUNKED
        if "transfer-encoding" not in raw:
            raw.add("Transfer-Encoding", "chunked")
    elif (framing := len(body)) and "content-length" not in raw:
        raw.add("Content-Length", str(framing))
    target = parse_target(method, path.encode("latin-1"))
    if target.authority is not None:
        raw.set("Host", target.authority)
    authority = raw.get_raw(b"host") or b""
    request = Request(method, path.encode("latin-1"), raw, framing=framing, host=authority)
    name, port = parse_host(authority)
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
    made.route = None if route is None else LiveRoute(route.id, route, cluster)
    made.cluster = cluster
    if candidates is not None:
        made.candidates = tuple(candidates)
    elif cluster is not None:
        made.candidates = cluster.available
    return made


# -- a cluster without connections ------------------------------------------------------------------------------------


class FakeSender:
    """Forwards to nowhere: answers 200, or ends each exchange with `failure`; `sent` has what was forwarded where."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.sent: list[tuple[Exchange, LiveDestination | str]] = []
        self.closed = False

    async def send(self, exchange: Exchange, destination: LiveDestination | str) -> Outcome:
        """Answer at once."""
        self.sent.append((exchange, destination))
        if self.failure is not None:
            return await exchange.fail(self.failure)
        return await exchange.respond(200, "forwarded")

    def close(self) -> None:
        """Record that it was closed."""
        self.closed = True


def live(
    config: Cluster,
    *,
    sender: Sender | None = None,
    balance: BalancePolicy = first_alphabetical,
    affinity: AffinityPolicy | None = None,
    passive: PassiveHealthPolicy | None = None,
) -> LiveCluster:
    """Bring a cluster to life, with the given policies and a `FakeSender`."""
    destinations = tuple(LiveDestination(item.id, item) for item in config.destinations)
    cluster = LiveCluster(
        config.id, config, _equipment(config, sender, balance, affinity, passive), destinations
    )
    cluster.refresh()
    return cluster


def _equipment(
    config: Cluster,
    sender: Sender | None,
    balance: BalancePolicy,
    affinity: AffinityPolicy | None,
    passive: PassiveHealthPolicy | None,
) -> Equipment:
    available = {name.lower(): make for name, make in AVAILABLE_DESTINATIONS.builtin.items()}
    equipment = Equipment()
    equipment[AVAILABLE_DESTINATIONS] = available[config.health_check.available_destinations_policy.lower()](
        config.health_check
    )
    equipment[SENDER] = FakeSender() if sender is None else sender
    equipment[BALANCE] = balance
    if affinity is not None:
        equipment[AFFINITY], equipment[AFFINITY_FAILURE] = affinity, redistribute
    if passive is not None:
        equipment[PASSIVE_HEALTH] = passive
    return equipment

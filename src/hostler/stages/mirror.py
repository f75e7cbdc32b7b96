"""Sending a copy of requests to another cluster, whose answers are thrown away.

The original is never held up. A copy begins when its request is complete, in a task of its own. It is left out where
the body is too large to be kept, where as many copies are under way as the route allows, and where another process
answers the original and its body with it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from hostler.errors import DelegationError
from hostler.exchange import Exchange
from hostler.http.headers import Headers
from hostler.http.message import Request
from hostler.native import NOTHING_NATIVE
from hostler.pipeline import fold
from hostler.stages.balance import balance
from hostler.stages.forward import forward
from hostler.stages.health import passive_health
from hostler.stages.limit_concurrency import limit_in_flight
from hostler.stages.recording import Recording
from hostler.stages.wrapped import WrappedStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from hostler.config.model import Mirror, Route
    from hostler.contract import Delegated, Pump, RequestSource
    from hostler.errors import Failure
    from hostler.fleet import LiveCluster
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Response
    from hostler.outcome import Outcome
    from hostler.pipeline import Next
    from hostler.server.base import DelegationRule
    from hostler.stages.balance import Randomness

__all__ = ["MirrorStage", "mirror"]

_log: Final = logging.getLogger("hostler.stages.mirror")

_IN_FLIGHT: Final = "mirrored"
"""The key in a route's state of how many copies are under way."""

_way: Final = fold((balance, limit_in_flight, passive_health, forward))
"""The way of a copy."""


class MirrorStage:
    """The stage that sends copies (nginx: mirror; Envoy: request_mirror_policies).

    A copy has the client's request as the stages in front left it, with the route's transforms of requests, and goes to a
    destination of the cluster that the route's `Mirror` names. It has the client's address and credentials too.
    """

    def __init__(self, randomness: Randomness = random) -> None:
        self._random = randomness.random
        self._copies: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Give up the copies that are under way when the proxy stops."""
        try:
            yield
        finally:
            loop = asyncio.get_running_loop()
            copies = [task for task in self._copies if task.get_loop() is loop]
            for task in copies:
                task.cancel()
            await asyncio.gather(*copies, return_exceptions=True)

    def concerns_route(self, route: Route) -> bool:
        """Whether a route has a mirror (`hostler.pipeline.for_routes`)."""
        return route.mirror is not None

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Go onward at once; the copy begins when the request is complete."""
        cluster = self._cluster(exchange)
        if cluster is None:
            return onward(exchange)
        copy = _copy(exchange, cluster)
        if copy.request.framing:
            return self._recorded(exchange, copy, onward)
        self._begin(copy)
        return onward(exchange)

    def _cluster(self, exchange: Exchange) -> LiveCluster | None:
        """Return the cluster that gets a copy of this exchange, None where there is to be none."""
        route, cluster = exchange.route, exchange.cluster
        mirror = None if route is None else route.config.mirror
        if route is None or cluster is None or mirror is None or self._random() * 100 >= mirror.percent:
            return None
        if exchange.request.upgrade is not None or exchange.request.framing > mirror.max_body_size:
            return None
        return cluster.find_other(mirror.cluster_id)

    async def _recorded(self, exchange: Exchange, copy: Exchange, onward: Next) -> Outcome:
        """Go onward, and keep what passes of the request's body meanwhile."""

        def complete() -> None:
            if not recording.is_too_large:
                copy.stream = _StreamOfCopy(bytes(recording.kept), recording.trailers)
                recording.forget()
                self._begin(copy)

        stream = exchange.stream
        recording = Recording(_mirror_of(copy).max_body_size, complete)
        exchange.stream = wrapped = WrappedStream(stream, recording)
        try:
            return await onward(exchange)
        finally:
            exchange.stream = stream
            wrapped.release(exchange)

    def _begin(self, copy: Exchange) -> None:
        route, mirror = copy.route, _mirror_of(copy)
        assert route is not None
        state = route.state
        if state.get(_IN_FLIGHT, 0) >= mirror.max_concurrent:
            _log.debug("route %s: a copy is left out, %d are under way", route.id, mirror.max_concurrent)
            return
        state[_IN_FLIGHT] = state.get(_IN_FLIGHT, 0) + 1
        task = asyncio.get_running_loop().create_task(_send(copy, mirror))
        self._copies.add(task)

        def over(_: object) -> None:
            self._copies.discard(task)
            state[_IN_FLIGHT] -= 1

        task.add_done_callback(over)


def _mirror_of(exchange: Exchange) -> Mirror:
    assert exchange.route is not None
    assert exchange.route.config.mirror is not None
    return exchange.route.config.mirror


def _copy(exchange: Exchange, cluster: LiveCluster) -> Exchange:
    """Copy what came from the client, as it is now: what the original becomes later does not concern the copy."""
    came = exchange.request
    request = Request(
        came.method, came.target, Headers(list(came.headers.pairs())), came.version, came.framing, came.host
    )
    copy = Exchange(
        request,
        _StreamOfCopy(b"", []),
        exchange.target,
        exchange.client,
        exchange.server,
        exchange.host,
        exchange.port,
        exchange.path_base,
        exchange.path,
        exchange.scheme,
    )
    copy.route, copy.route_match, copy.routed_path = (
        exchange.route,
        exchange.route_match,
        exchange.routed_path,
    )
    copy.cluster, copy.candidates = cluster, cluster.available
    copy.peer = exchange.peer
    copy.tls, copy.authenticated, copy.granted = exchange.tls, exchange.authenticated, exchange.granted
    if exchange._items is not None:
        copy.items.update(exchange._items)
    if exchange.transforms is not None:
        copy.transforms = exchange.transforms.of_requests
    return copy


async def _send(copy: Exchange, mirror: Mirror) -> None:
    """Send a copy; nobody waits for what becomes of it."""
    try:
        async with asyncio.timeout(mirror.timeout):
            outcome = await _way(copy)
    except TimeoutError:
        _log.info(
            "%s %s: the copy for %s took longer than %g s",
            copy.method,
            copy.path,
            mirror.cluster_id,
            mirror.timeout,
        )
    except Exception:  # noqa: BLE001 - whatever a transform raises
        _log.exception("%s %s: the copy for %s failed", copy.method, copy.path, mirror.cluster_id)
    else:
        _log.debug("%s %s: the copy for %s: %d", copy.method, copy.path, mirror.cluster_id, outcome.status)


class _StreamOfCopy:
    """The `Stream` of a copy: a body that is there, and an answer that nobody reads."""

    takes_plain = False
    can_delegate = False
    native = NOTHING_NATIVE

    def __init__(self, body: bytes, trailers: RawHeaders) -> None:
        self._body = body
        self._trailers = trailers
        self.started = False
        self.closed = False
        self.status = 0
        self.bytes_received = len(body)
        self.bytes_sent = 0

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body, which is kept in memory as it is."""
        body, self._body = self._body, b""
        if body:
            pump.feed(body)
        if body or not knows_end:
            pump.feed_end(self._trailers)

    def detach(self) -> None:
        """Do nothing: who was attached has the body."""

    def limit_body(self, size: int) -> Failure | None:
        """Do nothing: the body that was copied was within the limit."""
        return None

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call nobody: this client stays."""

    def proceed(self) -> None:
        """Do nothing: the body is there."""

    def pause(self) -> None:
        """Do nothing: the body has been sent."""

    def resume(self) -> None:
        """Do nothing: the body has been sent."""

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Throw an interim response away."""

    def start(self, response: Response, data: bytes = b"") -> None:
        """Note the status."""
        self.started, self.status = True, response.status

    def write(self, data: bytes) -> None:
        """Throw a piece of the answer away."""
        self.bytes_sent += len(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Throw it away."""
        return True

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Note the end of the answer."""
        self.closed = True

    def abort(self) -> None:
        """Note the end of the answer."""
        self.closed = True

    def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Awaitable[Delegated | Failure]:
        """Refuse: a copy has no client whose connection could be handed over."""
        raise DelegationError(
            "the copy of a request cannot be delegated; mirror to destinations with addresses"
        )


mirror: Final = MirrorStage()
"""The stage, on chance."""

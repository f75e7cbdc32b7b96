"""One request and its response without a server: a client that does as it is told, and what it got."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from attrs import define, field

from hostler.contract import Delegated
from hostler.errors import Failure, Reason
from hostler.http.body import too_large
from hostler.http.headers import Headers, RawHeaders
from hostler.native import NOTHING_NATIVE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hostler.contract import Pump, RequestSource
    from hostler.http.message import Response
    from hostler.server.base import DelegationRule

__all__ = ["FakeResponse", "FakeRule", "FakeStream"]


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


def _too_large(limit: int) -> Failure:
    error = too_large(limit)
    return Failure(Reason.REQUEST_BODY_CLIENT, str(error), error, error.status)


class FakeStream:
    """One request and its response, with a client that does as it is told.

    `body` is what the client sends: whole, or in pieces; None leaves it to `client_sends` and `client_ends`.
    `delegation` is how a delegation ends: a result, or a coroutine function `(rule, headers) -> result`; without it
    the stream cannot be delegated. What came of it is in `response`, `delegated` and the attributes of `Stream`.
    """

    takes_plain = False
    native = NOTHING_NATIVE

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
        self._length = len(body) if isinstance(body, bytes) else None
        self._max_body: int | None = None
        self._pieces = deque([body] if isinstance(body, bytes) and body else body or ())
        self._ended = body is not None
        self._trailers = Headers.of(trailers).raw
        self._pump: Pump | None = None
        self._departed: Callable[[Failure], object] | None = None
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
        if failure is None:
            failure = Failure(reason)
        if self._pump is not None:
            self._pump.lost(failure)
        if self._departed is not None:
            self._departed(failure)

    def _flow(self) -> None:
        pump = self._pump
        if pump is None:
            return
        while self._pieces and not self.paused and not self.closed:
            piece = self._pieces.popleft()
            self.bytes_received += len(piece)
            if self._max_body is not None and self.bytes_received > self._max_body:
                self._told = True
                pump.lost(_too_large(self._max_body))
                return
            pump.feed(piece)
        if self._ended and not (self._pieces or self.paused or self.closed or self._told):
            self._told = True
            pump.feed_end(self._trailers)

    # -- Stream -------------------------------------------------------------------------------------------------------

    @property
    def can_delegate(self) -> bool:
        """Whether a delegation was scripted, and nothing was read or sent yet."""
        return self._delegation is not None and not (self.closed or self.started or self._pump is not None)

    def limit_body(self, size: int) -> Failure | None:
        """Refuse a body of known length that is larger; one that comes larger is lost."""
        self._max_body = size
        return _too_large(size) if self._length is not None and self._length > size else None

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client goes away; None: call nobody any more."""
        self._departed = callback

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
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
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
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

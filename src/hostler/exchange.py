"""One request on its way, with its answer: what the author of a stage or a handler sees.

Servers and clients work on the same exchange through `hostler.contract` and `hostler.answering`.
"""

from __future__ import annotations

import asyncio
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from attrs import evolve

from hostler.answering import TEXT, answer_failure, begin_response, finish_response, limit_body
from hostler.channel import Channel
from hostler.delegating import hand_over
from hostler.http.fields import IDENTITY
from hostler.http.headers import Headers, RawHeaders
from hostler.http.message import CHUNKED, Request, Response
from hostler.outcome import Kind, Outcome
from hostler.request_ids import request_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from hostler.authorization import Granted
    from hostler.contract import Address, Stream
    from hostler.errors import Failure
    from hostler.fleet import LiveCluster, LiveDestination, LiveRoute
    from hostler.http.plain_request import PlainRequest
    from hostler.http.security import Authenticated, Tls
    from hostler.http.target import Target
    from hostler.native import Connection
    from hostler.server.base import DelegationRule
    from hostler.transforms.compiled import Transforms

__all__ = ["Exchange"]


class RouteMatch(Protocol):
    """How a route was found; `hostler.routing.table.Match`."""

    def values(self, path: str) -> Mapping[str, str]:
        """Return what the route's template takes out of a path."""
        ...


_NO_VALUES: Final[Mapping[str, str]] = MappingProxyType({})

_FILE_PIECE: Final = 1 << 18
"""Bytes of a file that are read at a time."""


class Exchange:
    """One request on its way.

    A stage reads `request`, `path`, `route`, `cluster`, narrows `candidates`, and either answers (`respond`, `start`,
    `fail`), delegates, or hands the exchange onward.
    """

    tls: Tls | None = None
    """How the request was encrypted, where it was, and by the server itself."""

    authenticated: Authenticated | None = None
    """What became of the client's credentials, where the server looks at them: HTTP.sys, when it is told to."""

    granted: Granted | None = None
    """Who may go on: what the route's authorization policy returned; None where there is none."""

    _peer: Address | None = None
    _max_request_body_size: int | None = -1  # as its route says
    _items: dict[str, Any] | None = None
    _id: str | None = None

    _route_values: Mapping[str, str] | None = None
    _transforms: Transforms | None = None

    transformed: Request | None = None
    """The request that transforms have made for a process that it is delegated to."""

    is_rewritten = False
    """Whether the server has changed the head since it came, so that its bytes say something else."""

    intercept_failure: Callable[[Failure], bool] | None = None
    """Asked before a failure is answered, while no response has begun; True keeps it from the client.

    For a stage that goes onward again then, as `retry` does.
    """

    def __init__(
        self,
        head: Request | PlainRequest,
        stream: Stream,
        target: Target | None,
        client: Address,
        server: Address,
        host: str,
        port: int,
        path_base: str = "",
        path: str = "/",
        scheme: str = "http",
    ) -> None:
        """Make the exchange of a request's head with its target, or of a plain head, whose target is in it."""
        self._request: Request | None = None
        self._target: Target | None = None
        self._channel: Channel | None = None
        self._response_callbacks: list[Callable[[RawHeaders], None]] | None = None
        self._plain: PlainRequest | None = None
        """The head that it came with, where that is a plain one."""
        self.place_reading: Callable[[str], tuple[str, str] | None] | None = None
        """Where the server puts another reading of the path, as (path base, path), or None for under no URL prefix.

        Set where the target is ambiguous.
        """
        self.route: LiveRoute | None = None
        self.route_match: RouteMatch | None = None
        """How the route was found."""
        self.routed_path = ""
        """The path that it was found by."""
        self.cluster: LiveCluster | None = None
        self.candidates: tuple[LiveDestination, ...] = ()
        """Where the request may still go; stages narrow it."""
        self.destination: LiveDestination | None = None
        """Where it went; set by whoever sends it there."""
        if target is None:
            self._plain = head  # type: ignore[assignment]
        else:
            self._request, self._target = head, target  # type: ignore[assignment]
        self.stream = stream
        self.client = client
        """Whom the request is from: another one than `peer` behind a proxy that is trusted."""
        self.server = server
        """Where it arrived."""
        self.host = host
        """The host that was asked for, lower case, without its port; "" when HTTP/1.0 named none."""
        self.port = port
        self.path_base = path_base
        """The part of the path that the URL prefix took, as the client wrote it."""
        self.path = path
        """The rest of the path, decoded (%2F stays); what routes match."""
        self.scheme = scheme

    @property
    def peer(self) -> Address:
        """Who is at the other end of the connection; set it before `client`, where that is to be another one."""
        return self._peer or self.client

    @peer.setter
    def peer(self, peer: Address) -> None:
        self._peer = peer

    @property
    def request(self) -> Request:
        """The request's head; of a plain one it is made when it is first asked for."""
        request = self._request
        if request is None:
            assert self._plain is not None
            request = self._request = self._plain.request()
        return request

    @request.setter
    def request(self, request: Request) -> None:
        self._request = request

    @property
    def target(self) -> Target:
        """The request's target, taken apart; of a plain head it is made when it is first asked for."""
        target = self._target
        if target is None:
            assert self._plain is not None
            target = self._target = self._plain.parsed_target()
        return target

    @target.setter
    def target(self, target: Target) -> None:
        self._target = target

    @property
    def route_values(self) -> Mapping[str, str]:
        """What the route's path template took out of the path."""
        match = self.route_match
        if self._route_values is None:
            self._route_values = _NO_VALUES if match is None else match.values(self.routed_path)
        return self._route_values

    @route_values.setter
    def route_values(self, values: Mapping[str, str]) -> None:
        self._route_values = values

    @property
    def method(self) -> str:
        """The request's method."""
        return (
            self._plain.method if self._plain is not None and self._request is None else self.request.method
        )

    @property
    def raw_target(self) -> bytes:
        """The request's target as it stands on the wire."""
        return (
            self._plain.raw_target
            if self._plain is not None and self._request is None
            else self.request.target
        )

    @property
    def plain(self) -> PlainRequest | None:
        """The plain head that the request came with, while nobody has changed anything of it; else None."""
        plain = self._plain
        if plain is None or (self._request is None and self._target is None):
            return plain
        return plain if plain.stands_for(self._request, self._target) else None

    def header_values(self, name: bytes) -> list[bytes]:
        """Return every value of a request header, given in lower case, one per line, in order.

        That costs less than `request.headers`, which makes the values of a plain head.
        """
        plain = self._plain if self._request is None else None
        return (plain or self.request.headers).get_all_raw(name)

    def take_identity(self) -> RawHeaders:
        """Take the fields off the request that say who the client is (`IDENTITY`); return them, with lower-case names.

        As far as anybody is concerned it came without them.
        """
        plain = self.plain
        if plain is not None:
            self._plain, taken = plain.without_identity()
            if taken:
                self._request, self.is_rewritten = None, True
        else:
            request = self.request
            taken = request.headers.only(IDENTITY)
            if taken:
                headers = request.headers.without(IDENTITY)
                headers.changed = request.headers.changed
                self.request, self.is_rewritten = evolve(request, headers=headers), True
        return [(name.lower(), value) for name, value in taken]

    @property
    def transforms(self) -> Transforms | None:
        """What is changed of it when it is forwarded or delegated, and of its response; None for nothing."""
        return self._transforms

    @transforms.setter
    def transforms(self, transforms: Transforms | None) -> None:
        self._transforms = transforms
        if transforms is not None:
            self._request, self._target, self._plain = self.request, self.target, None

    @property
    def id(self) -> str:
        """The request's id: the client's `X-Request-ID`, where that is one to repeat in a log, else one of its own."""
        if self._id is None:
            plain = self._plain if self._request is None else None
            self._id = request_id((plain or self.request.headers).get_raw(b"x-request-id"))
        return self._id

    @property
    def items(self) -> dict[str, Any]:
        """A place for stages to leave things for one another."""
        if self._items is None:
            self._items = {}
        return self._items

    @property
    def connection(self) -> Connection:
        """What the server can be asked about the client's connection; other servers than HTTP.sys know of TLS alone."""
        return self.stream.native

    def narrow(self, keep: Callable[[LiveDestination], bool]) -> None:
        """Drop the candidates that `keep` is false for."""
        self.candidates = tuple(candidate for candidate in self.candidates if keep(candidate))

    # -- answering ------------------------------------------------------------------------------------------------

    def on_response(self, callback: Callable[[RawHeaders], None]) -> None:
        """Call `callback(headers)` before a final response's headers are sent, to see and to change them.

        It is called once, for whatever answer this process is about to send: a destination's, one of a stage, that
        to a failure; the head of an upgraded connection too, interim responses never. For a delegated exchange it is
        called before the request leaves. Then it may add headers, which travel along and stand in the answer;
        `AddedHeaders`, which it gets, raises DelegationError for anything else. Where a stage such as `retry` goes
        onward again behind it, that is so for each try that is delegated, and once for the answer that is sent.
        """
        if self._response_callbacks is None:
            self._response_callbacks = [callback]
        else:
            self._response_callbacks.append(callback)

    async def respond(
        self,
        status: int,
        body: str | bytes = b"",
        *,
        headers: Iterable[tuple[str | bytes, str | bytes]] | Mapping[str, str] = (),
    ) -> Outcome:
        """Answer with a complete response; text is sent as UTF-8 with a text/plain content type.

        Raises RuntimeError when a response has begun, ValueError when `status` is not a final status, TypeError for
        what is no status, body or header; then nothing was sent.
        """
        if not isinstance(status, int):
            raise TypeError(f"{status!r} is not a status: give a number from 200 to 999")
        raw = Headers.of(headers).raw
        if isinstance(body, str):
            body = body.encode()
            if not any(name.lower() == b"content-type" for name, _ in raw):
                raw.append(TEXT)
        elif not isinstance(body, bytes):
            raise TypeError(
                f"a body is str or bytes, not {type(body).__name__}; json.dumps() makes text of a value"
            )
        bare = status in {204, 304}
        if bare:
            body = b""
        else:
            raw.append((b"content-length", b"%d" % len(body)))
        begin_response(self, Response(status, Headers(raw), len(body)), body)
        finish_response(self)
        return self.outcome(Kind.RESPONDED)

    async def start(
        self,
        status: int,
        headers: Iterable[tuple[str | bytes, str | bytes]] | Mapping[str, str] = (),
        *,
        length: int | None = None,
    ) -> None:
        """Begin a response whose body follows with `write` and `end`; `length` in bytes where it is known."""
        raw = Headers.of(headers).raw
        if length is not None:
            raw.append((b"content-length", b"%d" % length))
        self.channel()
        begin_response(self, Response(status, Headers(raw), CHUNKED if length is None else length))

    async def write(self, data: bytes) -> None:
        """Send a piece of the response's body; waits while the client does not keep up."""
        self.stream.write(data)
        if self._channel is not None and self._channel.wrote(len(data)):
            await self._channel.drained()

    async def write_file(self, file: BinaryIO, offset: int = 0, length: int | None = None) -> None:
        """Send a part of a file, to its end unless `length` is given, as a piece of the response's body.

        HTTP.sys sends it without a byte passing through this process (HttpDataChunkFromFileHandle). `file` is a real
        file that nobody else reads meanwhile. Raises ValueError when it has fewer bytes than `length` asks for.
        """
        size = os.fstat(file.fileno()).st_size
        if length is None:
            length = max(0, size - offset)
        if offset < 0 or length < 0 or offset + length > size:
            raise ValueError(f"bytes {offset} to {offset + length} of a file that has {size}")
        if self.stream.write_file(file, offset, length):
            if self._channel is not None and self._channel.wrote(length):
                await self._channel.drained()
            return
        while length:
            piece = await asyncio.to_thread(_read_at, file, offset, min(length, _FILE_PIECE))
            if not piece:
                raise ValueError(f"the file ended {length} bytes early")
            await self.write(piece)
            offset, length = offset + len(piece), length - len(piece)

    async def end(self, trailers: Iterable[tuple[str | bytes, str | bytes]] = ()) -> Outcome:
        """Finish the response."""
        finish_response(self, Headers.of(trailers).raw)
        return self.outcome(Kind.RESPONDED)

    async def fail(self, failure: Failure) -> Outcome:
        """End the exchange with a failure: its status if no response has begun, else an aborted response."""
        answer_failure(self, failure)
        return self.outcome(Kind.FAILED, failure)

    async def reset(self, code: int | None = None) -> Outcome:
        """Break the exchange off, so that the client cannot take an answer for complete.

        On HTTP/2 and 3 its stream is reset with that error code, such as 11 for ENHANCE_YOUR_CALM (RFC 9113 7, RFC 9114
        8.1), INTERNAL_ERROR unless it is given; on HTTP/1.1 the connection, without a code. (IHttpResetFeature.)
        """
        if code is not None:
            self.stream.native.set_reset_code(code)
        self.stream.abort()
        if self._channel is not None:
            self._channel.over()
        return self.outcome(Kind.FAILED)

    @property
    def can_cache_response(self) -> bool:
        """Whether this server can answer other requests with this one's response: HTTP.sys, for GET."""
        return self.stream.native.can_cache

    def cache_response(self, seconds: float | None = None) -> None:
        """Have the server answer other requests for the same URL with this one's response, which it keeps in the kernel.

        A success is kept for so many seconds, or with math.inf until `Proxy.flush_cache`; without them any response is
        kept as its headers say: by `Cache-Control: public` with a lifetime. What has Set-Cookie or Vary is never kept.
        No stage sees the requests that are answered so, and no access line is written. On the user-mode server, which
        keeps nothing yet, it does nothing. Raises RuntimeError when the response has begun, and where the route has
        something that must see each request, such as an AuthorizationPolicy; ValueError for less than a second.
        """
        from hostler.caching import cache_response  # noqa: PLC0415 - for who caches

        cache_response(self, seconds)

    def outcome(self, kind: Kind, failure: Failure | None = None, destination: str | None = None) -> Outcome:
        """Sum up the exchange as it stands."""
        stream = self.stream
        if destination is None and self.destination is not None:
            destination = self.destination.name
        return Outcome(kind, stream.status, destination, stream.bytes_received, stream.bytes_sent, failure)

    # -- the request's body ---------------------------------------------------------------------------------------

    @property
    def max_request_body_size(self) -> int | None:
        """Bytes that the request's body may have: what its route says, unless a stage sets another; None for any number.

        A larger body is a failure with 413 for whoever takes it. Raises ValueError when it is set to less than 0.
        """
        if self._max_request_body_size == -1:
            return None if self.route is None else self.route.max_request_body_size
        return self._max_request_body_size

    @max_request_body_size.setter
    def max_request_body_size(self, size: int | None) -> None:
        if size is not None and size < 0:
            raise ValueError(f"{size} is no number of bytes; give 0 or more, or None for any number")
        self._max_request_body_size = size

    def channel(self) -> Channel:
        """Return the awaitable ends of this exchange, attached to the stream."""
        if self._channel is None:
            limit_body(self)
            self._channel = Channel(self.stream)
            self.stream.attach(self._channel)
        return self._channel

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the pieces of the request's body as they arrive.

        Raises ConnectionError when the client goes away or breaks the protocol.
        """
        channel = self.channel()
        self.stream.proceed()
        while piece := await channel.receive():
            yield piece

    async def read(self, limit: int = 1 << 20) -> bytes:
        """Return the whole body; raises ValueError when it is larger than `limit` bytes."""
        pieces, size = [], 0
        async for piece in self.chunks():
            size += len(piece)
            if size > limit:
                raise ValueError(f"the body is larger than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    @property
    def body_taken(self) -> bool:
        """Whether a stage has begun to read the request's body, so that nobody else can have it."""
        return self._channel is not None and self.request.framing != 0

    # -- delegating -----------------------------------------------------------------------------------------------

    def delegate(self, rule: DelegationRule) -> Awaitable[Outcome]:
        """Hand the request, head read and body untouched, to the queue of `rule`; that process answers the client.

        The process sees the request as stages left it, with the header policy of forwarding; on HTTP.sys as it came.
        Raises DelegationError when the body was read, the response has begun, or the server cannot delegate; on
        HTTP.sys also when a stage changed the request. (HttpDelegateRequestEx; IHttpSysRequestDelegationFeature.)
        """
        return hand_over(self, rule)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)

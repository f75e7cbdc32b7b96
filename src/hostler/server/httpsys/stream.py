"""One request and its response on HTTP.sys: `hostler.contract.Stream` by request id.

HTTP.sys keeps the connection: it parses, it drains what is left of a body, it decides whether the connection lasts, it
sends Date and Server, and 100 Continue when the body is first asked for. None of that is done here a second time. What
is left to the application is how a body of unknown length is framed: chunks in HTTP/1.1, the connection's end in
HTTP/1.0, nothing in HTTP/2 and 3.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, BinaryIO, Final

from hostler.client.outgoing import changed_parts
from hostler.contract import Delegated
from hostler.errors import Failure, Reason
from hostler.http.body import too_large
from hostler.http.encode import rejection_body
from hostler.http.framing import check_response_framing
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Response
from hostler.server.httpsys.cached import cache_policy
from hostler.server.httpsys.constants import H3_INTERNAL_ERROR, INTERNAL_ERROR, SendFlag
from hostler.server.httpsys.errors import undelegable
from hostler.server.httpsys.framing import Framing
from hostler.server.httpsys.marshal.response import NativeResponse
from hostler.server.httpsys.native import HttpSysRequest
from hostler.server.httpsys.request_body import RequestBody
from hostler.server.httpsys.response_body import ResponseBody
from hostler.server.httpsys.rule import Rule
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Pump, RequestSource
    from hostler.http.headers import RawHeaders
    from hostler.native import Caching
    from hostler.server.base import DelegationRule
    from hostler.server.httpsys.context import ServerContext
    from hostler.server.httpsys.marshal.request import Arrival
    from hostler.server.placing import Placing

__all__ = ["HttpSysStream"]

_log: Final = logging.getLogger("hostler.server.httpsys")


class HttpSysStream:
    """A request's body on its way in, its response on its way out."""

    __slots__ = (
        "_answer", "_arrival", "_body", "_came", "_context", "_departed", "_forgotten", "_handled", "_pump", "_tunnel",
        "caching", "closed", "failure", "placing", "reset_code", "started", "status",
    )  # fmt: skip

    takes_plain = False

    def __init__(self, context: ServerContext, arrival: Arrival, placing: Placing) -> None:
        self._context, self._arrival = context, arrival
        self.placing = placing
        """Says where the request is placed, should it be for another host than HTTP.sys has matched."""
        self._came = (arrival.request.method, arrival.request.target)
        self._pump: Pump | None = None
        self._body: RequestBody | None = None
        """What the client sends; None when there is nothing."""
        if arrival.has_body:
            request = arrival.request
            self._body = RequestBody(context, arrival.id, self, request.framing, held=request.expect_continue)
        self._answer: ResponseBody | None = None
        self._tunnel = self._handled = self._forgotten = False
        self._departed: Callable[[Failure], object] | None = None
        self.failure: Failure | None = None
        """Why the client is gone, or its body no use, once that is so."""
        self.started = self.closed = False
        self.status = 0
        self.caching: Caching | None = None
        """Whether the response is to be kept."""
        self.reset_code = H3_INTERNAL_ERROR if arrival.http3 else INTERNAL_ERROR
        context.streams.add(self)

    @property
    def native(self) -> HttpSysRequest:
        """What HTTP.sys knows of the request, and can do for it."""
        return HttpSysRequest(self._context, self._arrival, self)

    # -- the request's body ---------------------------------------------------------------------------------------

    @property
    def bytes_received(self) -> int:
        """Payload bytes of the request's body that were taken so far."""
        return self._body.received if self._body is not None else 0

    @property
    def body_read(self) -> bool:
        """Whether nothing of the body is to come."""
        return self._body is None or self._body.complete

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send the body to `pump`, and tell it about the client from now on."""
        body = self._body
        if self.closed or self.failure is not None:
            if self.body_read:
                pump.feed_end([])
            pump.lost(self.failure or Failure(Reason.REQUEST_CANCELED))
            return
        self._pump = pump
        self._context.connections.watch(self._arrival.connection, self)
        if self._answer is not None and self._answer.slow:
            pump.pause()
        if body is None or (body.complete and not self._tunnel):
            pump.feed_end([])
            return
        if not self._tunnel:
            body.await_continue()
        body.attach()

    def detach(self) -> None:
        """Keep the body for the next pump."""
        self._pump = None
        if self._body is not None:
            self._body.detach()

    def limit_body(self, size: int) -> Failure | None:
        """Have a body fail that is larger, at once if its head says so."""
        if self._body is not None and not self._body.complete and self.failure is None:
            self._body.limit(size)
        return self.failure

    def body_too_large(self, limit: int) -> None:
        """Take no more of a body that is too large; the client can be answered."""
        pump, self._pump = self._pump, None
        error = too_large(limit)
        self.failure = failure = Failure(Reason.REQUEST_BODY_CLIENT, str(error), error, error.status)
        if pump is not None:
            pump.lost(failure)

    def took(self, data: bytes) -> None:
        """Hand on a piece of the body."""
        assert self._pump is not None
        self._pump.feed(data)

    def body_broken(self, detail: str) -> None:
        """Give up on a body that is not as long as it says: HTTP/2 and 3 can have one, and nobody may pass it on."""
        self._context.cancel_request(self._arrival.id)
        self._lose(Failure(Reason.REQUEST_BODY_CLIENT, detail))

    def body_complete(self) -> None:
        """Say that nothing follows."""
        if self._pump is not None:
            self._pump.feed_end([])

    def when_departed(self, callback: Callable[[Failure], object] | None) -> None:
        """Call back once when the client disconnects; None: call nobody any more."""
        self._departed = callback
        if callback is not None and not self.closed:
            self._context.connections.watch(self._arrival.connection, self)

    def proceed(self) -> None:
        """Ask for the body of a client that waits for 100 Continue: HTTP.sys sends it then."""
        if self._body is not None and not self._tunnel:
            self._body.proceed()

    def pause(self) -> None:
        """Stop the flow of the request's body."""
        if self._body is not None:
            self._body.pause()

    def resume(self) -> None:
        """Let the request's body flow again."""
        if self._body is not None:
            self._body.resume()

    # -- the response ---------------------------------------------------------------------------------------------

    def inform(self, status: int, headers: RawHeaders) -> None:
        """Take 100 as leave to read the body; HTTP.sys sends no other interim response."""
        if status == 100:
            self.proceed()

    def start(self, response: Response, data: bytes = b"") -> None:
        """Send the response's head, and the body's first bytes with it."""
        status = response.status
        check_response_framing(response, self._arrival.request.method)
        flags = 0
        if status == 101:
            if self._pump is None and not self.closed:
                raise RuntimeError("a 101 needs a pump that takes what the client sends from then on")
            # buffered, so that reading can begin before the client has acknowledged it
            flags = SendFlag.OPAQUE | SendFlag.BUFFER_DATA
        framing = Framing() if status == 101 else Framing.of(response, self._arrival)
        fields = framing.head(response.headers)
        if self._context.withdrawn and status != 101:
            framing.close(fields, self._arrival)
        head = NativeResponse(status, response.reason, fields)
        if self.closed:
            return
        self.started, self.status = True, status
        self._answer = ResponseBody(self._context, self._arrival.id, self, framing)
        policy = None if flags else cache_policy(self.caching, response, framing, self._arrival)
        self.caching = None
        if framing.closing and self._arrival.http2 and self._context.goaway:
            flags |= SendFlag.GOAWAY
        self._answer.begin(head, flags, policy, self._context.no_goaway)
        if status == 101:
            self._begin_tunnel()
        elif data:
            self.write(data)

    @property
    def bytes_sent(self) -> int:
        """Payload bytes of the response's body so far."""
        return self._answer.sent if self._answer is not None else 0

    def _begin_tunnel(self) -> None:
        """Read what the client sends from when the 101 is out; HTTP.sys takes it for the request's body until then."""
        self._tunnel = True
        if self._body is not None:
            self._body.stop()
        received = self.bytes_received
        self._body = RequestBody(self._context, self._arrival.id, self, CHUNKED, held=True)
        self._body.received = received
        if self._pump is not None:
            self._body.attach()

    def upgraded(self) -> None:
        """Read what the client sends, now that the 101 is out."""
        if self._body is not None:
            self._body.proceed()

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data and not self.closed:
            assert self._answer is not None, "the response has not begun"
            self._answer.write(data)

    def write_file(self, file: BinaryIO, offset: int, length: int) -> bool:
        """Have HTTP.sys send a part of a file (HttpDataChunkFromFileHandle)."""
        if length and not self.closed:
            assert self._answer is not None, "the response has not begun"
            self._answer.write_file(file, offset, length)
        return True

    def slowed(self) -> None:
        """Pause the response's source."""
        if self._pump is not None:
            self._pump.pause()

    def eased(self) -> None:
        """Let the response's source go on."""
        if self._pump is not None:
            self._pump.resume()

    @property
    def is_tunnel(self) -> bool:
        """Whether the connection was upgraded and is still open."""
        return self._tunnel and not self.closed

    def hang_up(self) -> None:
        """End an upgraded connection that its handler is done with."""
        self.end()

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish the body, with trailers where the client can take them.

        An upgraded connection ends with it: HTTP.sys has no half-closed ones.
        """
        if self.closed:
            return
        answer = self._answer
        assert answer is not None, "the response has not begun"
        native = answer.finish(trailers or [], self._arrival.http2 and self._context.features.trailers)
        log = self._context.log_fields(self._arrival, self.status)
        self._close()
        answer.end(SendFlag.DISCONNECT if self._tunnel else 0, native, log)

    def reject(self, status: int) -> None:
        """Answer what is no request, and have the connection closed; no handler sees it."""
        self.handled()
        body = rejection_body(status)
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        self.start(Response(status, Headers(head), len(body)), body)
        self._close()
        assert self._answer is not None
        self._answer.end(SendFlag.DISCONNECT, log=self._context.log_fields(self._arrival, status))

    def abort(self) -> None:
        """Tear the response down so that the client cannot take it for complete."""
        if not self.closed:
            self._close()
            self._forget()
            if self._answer is not None:
                self._answer.stop()
            self._context.cancel_request(self._arrival.id, self.reset_code if self._arrival.http2 else None)

    def _close(self) -> None:
        self.closed = True
        self._pump = None
        if self._body is not None:
            self._body.stop()

    def _forget(self) -> None:
        self._context.streams.discard(self)
        # a connection id of HTTP/2 or 3 is this request's own
        self._context.connections.unwatch(self._arrival.connection, self, alone=self._arrival.http2)
        self._forgotten = True
        self._close_token()

    def handled(self) -> None:
        """Called when the handler has returned, or raised."""
        self._handled = True
        self._close_token()

    def _close_token(self) -> None:
        """Close the client's access token when nobody can use it any more."""
        login = self._arrival.authenticated
        if self._handled and self._forgotten and login is not None and login.token:
            self._arrival.authenticated = None
            self._context.close_token(login.token)

    def response_over(self, code: int) -> None:
        """Called when the response has been sent, or cannot be."""
        if code:
            if self.closed:
                self._give_up(code)
            self.client_gone(code)
        self._forget()

    # -- the client -----------------------------------------------------------------------------------------------

    def going_away(self) -> None:
        """Tell whoever answers that the server stops."""
        if self._pump is not None:
            self._pump.going_away()

    def _give_up(self, code: int) -> None:
        """Have HTTP.sys forget a request whose call failed, unless it has: the client must not wait for ever."""
        if code != ErrorCode.ERROR_CONNECTION_INVALID and not self._context.io.closed:
            request = self._arrival.request
            _log.warning("%s %r is given up: %s", request.method, request.target, Win32Error.text(code))
            self._context.cancel_request(self._arrival.id)

    def client_gone(self, code: int) -> None:
        """Called when the client has disconnected, or is taken to be gone; `code` is what a call said."""
        if self.closed:
            return
        self._give_up(code)
        if self._tunnel:
            reason = Reason.UPGRADE_REQUEST_CLIENT
        elif self.started:
            reason = Reason.RESPONSE_BODY_CLIENT
        else:
            reason = Reason.REQUEST_CANCELED if self.body_read else Reason.REQUEST_BODY_CANCELED
        self._lose(
            Failure(reason, "" if code == ErrorCode.ERROR_CONNECTION_INVALID else Win32Error.text(code))
        )

    def _lose(self, failure: Failure) -> None:
        """End the exchange for everybody: the client is gone, or no use."""
        pump = self._pump
        self._close()
        self._forget()
        if self._answer is not None:
            self._answer.stop()
        self.failure = failure
        if pump is not None:
            pump.lost(failure)
        if self._departed is not None:
            self._departed(failure)

    # -- delegating -----------------------------------------------------------------------------------------------

    @property
    def can_delegate(self) -> bool:
        """Whether the body is unread, the response has not begun, and this Windows delegates."""
        return (
            self._pump is None
            and not (self._body is not None and self._body.begun)
            and not self.started
            and not self.closed
            and self._context.features.delegation
        )

    async def delegate(
        self, rule: DelegationRule, source: RequestSource, headers: RawHeaders
    ) -> Delegated | Failure:
        """Hand the request to the rule's queue (HttpDelegateRequestEx); who answers it reports to nobody.

        HTTP.sys hands over its own copy of the request: a changed one is a DelegationError. Nor can `headers` travel
        with it: the process that answers is on its own.
        """
        assert isinstance(rule, Rule)
        if changed := changed_parts(source, *self._came):
            raise undelegable(f"{source.request.method} {source.target.path}", rule.queue, changed)
        failure = rule.hand_over(self._arrival.id)
        if failure is not None:
            return failure
        rule.leave_behind(headers)
        self.started = True
        self._close()
        self._forget()
        return Delegated(0)

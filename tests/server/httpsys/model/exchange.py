"""A request inside the kernel: from its head until the last byte of its answer has been handed over."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.log import write_line
from tests.server.httpsys.model.queue import BASIC, FULL
from tests.server.httpsys.model.reply import Head, Reply
from tests.server.httpsys.model.waits import Pace

if TYPE_CHECKING:
    from tests.server.httpsys.model.chunks import Chunk
    from tests.server.httpsys.model.connection import Channel
    from tests.server.httpsys.model.logins import Login
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.port import Operation
    from tests.server.httpsys.model.queue import Queue, QueueHandle
    from tests.server.httpsys.model.routing import UrlGroup
    from tests.server.httpsys.model.url import CookedUrl


@define(eq=False)
class BodyRead:
    """A HttpReceiveRequestEntityBody that is not over."""

    operation: Operation
    address: int
    size: int
    fill: bool


@define(eq=False)
class Send:
    """A HttpSendHttpResponse or HttpSendResponseEntityBody that is not over."""

    operation: Operation
    flags: int
    head: Head | None
    chunks: list[Chunk]
    log: dict[str, Any] | None
    policy: tuple[int, int] = (0, 0)
    """HTTP_CACHE_POLICY: its type, and seconds."""


@define(eq=False)
class Request:
    """A request; what is read is still to come, and what is sent goes to its channel."""

    machine: Machine
    channel: Channel
    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    version: tuple[int, int]
    url: CookedUrl
    id: int = field(init=False)
    group: UrlGroup | None = None
    context: int = 0
    queue: Queue | None = None
    owner: QueueHandle | None = None
    received: bool = False
    """All of the head was given to the owner, not only the id."""
    body: bytearray = field(factory=bytearray)
    body_size: int = 0
    """Bytes that have arrived, read or not."""
    bodiless: bool = False
    """The head has said that there is no body."""
    body_over: bool = False
    body_begun: bool = False
    """Somebody has asked for it."""
    end_told: bool = False
    """Somebody has asked for more than there is of it."""
    trailers: list[tuple[bytes, bytes]] = field(factory=list)
    reads: deque[BodyRead] = field(factory=deque)
    reply: Reply | None = None
    sending: Send | None = None
    login: Login | None = None
    """What became of its credentials, where the URL group asks for some."""
    gone: bool = False

    def __attrs_post_init__(self) -> None:
        self.id = self.machine.new_id()

    @property
    def more_body(self) -> bool:
        """HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS."""
        return bool(self.body) or not self.body_over

    @property
    def ending(self) -> bool:
        """Whether the call is under way that the answer ends with."""
        return self.sending is not None and not self.sending.flags & c.MORE

    # -- the request's body ---------------------------------------------------------------------------------------

    def body_arrived(self, data: bytes) -> None:
        """Take a piece of the body from the client."""
        self.body_size += len(data)
        if not (self.reply is not None and self.reply.over):
            self.body += data
        self._serve_reads()

    def body_ended(self, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        """Note that the client has sent all of the body."""
        self.body_over = True
        self.trailers = trailers or []
        self._serve_reads()

    def read_body(self, operation: Operation, address: int, size: int, *, fill: bool) -> int:
        """Read a piece of the body (HttpReceiveRequestEntityBody)."""
        # guess: no buffer is ERROR_INVALID_PARAMETER; ASP.NET's RequestStream asks with none to hear of data, hostler does not
        if not size or not address:
            raise Win32(c.INVALID_PARAMETER)
        self.body_begun = True
        read = BodyRead(operation, address, size, fill)
        # source: ASP.NET's Response: 100 Continue is sent when the body is first read
        if not operation.asynchronous:
            self.channel.proceed()
        if self.reads or not self._ready(read):
            self.reads.append(read)
            code = operation.pend(lambda: self._forget_read(read))
            self.channel.proceed()
            return code
        if self.machine.pace is Pace.AT_ONCE or not operation.asynchronous:
            return operation.over(*self._fill(read))
        code = operation.pend(lambda: self._forget_read(read))
        self._hold(read)
        return code

    def _forget_read(self, read: BodyRead) -> None:
        """Forget a read that is cancelled: it waits for data, or is held back though there are some."""
        if read in self.reads:
            self.reads.remove(read)
        self.machine.held.forget(read.operation)

    def copy_body(self, size: int) -> bytes:
        """Take what has arrived, to be given with the head (HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY)."""
        piece = bytes(self.body[:size])
        if piece:
            self.body_begun = True
            del self.body[: len(piece)]
            self.channel.consumed()
        return piece

    def _ready(self, read: BodyRead) -> bool:
        return self.body_over or len(self.body) >= (read.size if read.fill else 1)

    def _fill(self, read: BodyRead) -> tuple[int, int]:
        piece = bytes(self.body[: read.size])
        if not piece:
            return self._at_end(), 0
        if read.operation.memory_gone or not memory.mapped(read.address, len(piece)):
            self.machine.defect(f"the buffer of {read.operation.function} is gone")
            return c.NOACCESS, 0
        del self.body[: len(piece)]
        memory.write(read.address, piece)
        self.channel.consumed()
        return c.OK, len(piece)

    def _at_end(self) -> int:
        # source: HttpReceiveRequestEntityBody: ERROR_HANDLE_EOF for a body that was retrieved completely
        # source: ASP.NET's RequestStream: success with no bytes says the same
        # guess: which of the two comes when is not said; Machine.empty_ends has it begin with the second
        if not self.body_over:
            return c.CONNECTION_INVALID
        told, self.end_told = self.end_told, True
        if not self.machine.empty_ends:
            return c.HANDLE_EOF
        if told:
            self.machine.defect("a body is read on that has ended with success and no bytes")
        return c.HANDLE_EOF if told else c.OK

    def _serve_reads(self) -> None:
        while self.reads and self._ready(self.reads[0]):
            read = self.reads.popleft()
            if read.operation.asynchronous:
                self._hold(read)
            else:
                read.operation.complete(*self._fill(read))

    def _hold(self, read: BodyRead) -> None:
        """Finish a read that can be, when the machine's pace lets it."""
        self.machine.held.add(read.operation, lambda: read.operation.complete(*self._fill(read)))

    # -- the response ---------------------------------------------------------------------------------------------

    def send(
        self,
        operation: Operation,
        flags: int,
        head: Head | None,
        chunks: list[Chunk],
        log: dict[str, Any] | None,
        policy: tuple[int, int] = (0, 0),
    ) -> int:
        """Send the head of the response or more of its body."""
        # source: HttpSendResponseEntityBody: ERROR_BAD_COMMAND while a send of the request is pending
        # guess: HttpSendHttpResponse says the same
        if self.sending is not None:
            raise Win32(c.BAD_COMMAND)
        # guess: a second head, or a body without one, is ERROR_INVALID_PARAMETER
        if (head is None) != (self.reply is not None):
            raise Win32(c.INVALID_PARAMETER)
        # source: HttpSendHttpResponse: DISCONNECT with MORE_DATA gives undefined results
        # guess: ERROR_INVALID_PARAMETER stands for that
        if flags & c.DISCONNECT and flags & c.MORE:
            raise Win32(c.INVALID_PARAMETER)
        if head is not None:
            Reply.check(self, head, flags)
        # guess: trailers on HTTP/1.1 take AUTOMATIC_CHUNKING; HTTP.sys cannot put them between chunks of the application's
        if any(chunk.trailers is not None for chunk in chunks) and not (
            self.version >= (2, 0) or flags & c.AUTOMATIC_CHUNKING
        ):
            raise Win32(c.INVALID_PARAMETER)
        send = Send(operation, flags, head, chunks, log, policy)
        # guess: what is buffered waits too while a client is far behind: HTTP.sys does not keep all of a large response
        clogged, buffered = self.channel.clogged, bool(flags & c.BUFFER_DATA)
        if not operation.asynchronous or (self.machine.pace is Pace.AT_ONCE and buffered and not clogged):
            size = self._transmit(send)
            return operation.over(c.OK, size)
        self.sending = send
        code = operation.pend(lambda: self._cancelled(send))
        if clogged:
            self.channel.when_clear(lambda: self._ready_to_send(send))
        else:
            self._ready_to_send(send)
        return code

    def _ready_to_send(self, send: Send) -> None:
        if self.sending is send:
            self.machine.held.add(send.operation, lambda: self._send_now(send))

    def _send_now(self, send: Send) -> None:
        if self.sending is not send:
            return
        size = self._transmit(send)

        def finish() -> None:
            if self.sending is send:
                self.sending = None
                send.operation.complete(c.OK, size)

        # source: HttpSysServer#418, cpprestsdk#1684, aspnetcore#48799, "Buffering in HTTP.SYS": without BUFFER_DATA a send
        # is over when the client has acknowledged it
        if send.flags & c.BUFFER_DATA:
            finish()
        else:
            self.machine.acknowledgements.add(finish)

    def _cancelled(self, send: Send) -> None:
        """Break the connection: who knows what of it was sent."""
        # guess: nobody knows what of a cancelled send has left, so that the connection breaks
        self.machine.held.forget(send.operation)
        self.sending = None
        self.drop(c.OPERATION_ABORTED)
        self.channel.reset()

    def _transmit(self, send: Send) -> int:
        machine = self.machine
        pieces = [chunk.read(machine) for chunk in send.chunks]
        last = not send.flags & c.MORE
        size = 0
        if send.head is not None:
            machine.cache.offer(self, send.policy, send.flags, send.head, b"".join(pieces), send.log)
            whole = sum(len(piece) for piece in pieces) if last else None
            self.reply = Reply(self, send.head, send.flags, whole)
            size += self.reply.begin()
            # source: ASP.NET's Response: HTTP_SEND_RESPONSE_FLAG_GOAWAY goes with the head, HTTP/2 and 3 only
            if send.flags & c.GOAWAY:
                self.channel.go_away()
        assert self.reply is not None
        for piece in pieces:
            size += self.reply.write(piece)
        if last:
            trailers = [pair for chunk in send.chunks for pair in chunk.trailers or []]
            self._release()
            self.reply.end(send.flags, trailers)
            write_line(self, send.log)
        return size

    # -- the end --------------------------------------------------------------------------------------------------

    def _release(self) -> None:
        """Be unknown to everybody from now on."""
        self.gone = True
        # source: HttpSendResponseEntityBody: the call without MORE_DATA is the last one
        # guess: from then on the id is ERROR_CONNECTION_INVALID, to what is pending too
        if self.owner is not None:
            self.owner.requests.pop(self.id, None)
            self.owner = None
        if self.queue is not None:
            self.queue.forget(self)
        self.body.clear()
        for read in list(self.reads):
            self.reads.remove(read)
            read.operation.complete(c.CONNECTION_INVALID)

    def drop(self, code: int) -> None:
        """End without an answer; what is pending completes with `code`."""
        reads, self.reads = list(self.reads), deque()
        send, self.sending = self.sending, None
        waiting: list[Operation] = [read.operation for read in reads]
        waiting += [send.operation] if send is not None else []
        waiting += self.machine.held.of(self)
        self._release()
        for operation in waiting:
            self.machine.held.forget(operation)
            if operation.pending and not operation.done:
                operation.complete(code)

    def cancel(self) -> None:
        """Reset the client's connection (HttpCancelHttpRequest)."""
        # source: HttpCancelHttpRequest: the transport connection is closed
        # guess: what is pending for the request completes with ERROR_OPERATION_ABORTED; of HTTP/2 it is the stream alone
        self.drop(c.OPERATION_ABORTED)
        self.channel.reset()

    def abandon(self) -> None:
        """Drop a request whose process closed its queue or died."""
        # source: "Error logging in HTTP Server API": Connection_Abandoned_By_AppPool
        self.machine.httperr.append((0, "Connection_Abandoned_By_AppPool"))
        self.cancel()

    def unavailable(self, queue: Queue | None, reason: str) -> None:
        """Answer with 503, as openly as the queue's verbosity allows (HttpServer503VerbosityProperty)."""
        self.machine.httperr.append((503, reason))
        self._release()
        # source: HTTP_503_RESPONSE_VERBOSITY: a reset, a 503, a 503 with its reason
        # guess: of a group without a queue it is the second
        if queue is not None and queue.verbosity == BASIC:
            self.channel.reset()
            return
        full = queue is not None and queue.verbosity == FULL
        self.refuse(503, reason.encode() if full else None)

    def refuse(self, status: int, phrase: bytes | None = None) -> None:
        """Answer in the process' stead, and close the connection."""
        self.gone = True
        phrase = phrase or c.REASONS[status]
        # guess: a small page of HTML, and the connection closed behind it; what it says is nowhere written down
        body = b"<h2>%s</h2>\r\n" % phrase
        headers = [(b"Content-Type", b"text/html; charset=us-ascii")]
        self.reply = Reply(self, Head(status, phrase, headers), c.DISCONNECT, len(body))
        self.reply.begin()
        self.reply.write(body)
        self.reply.end(c.DISCONNECT, [])

    def delegate(self, target: Queue, context: int) -> None:
        """Move to another queue, the body untouched (HttpDelegateRequestEx)."""
        assert self.owner is not None
        del self.owner.requests[self.id]
        self.owner, self.queue, self.received = None, None, False
        self.context = context
        # guess: the request has another id in the target queue: it is that queue's to give
        self.id = self.machine.new_id()
        target.arrive(self)

    def pending(self) -> list[Any]:
        """Give the operations that are under way for this request."""
        send = [self.sending.operation] if self.sending is not None else []
        return [*(read.operation for read in self.reads), *send]

"""A response on its way out: one call at a time, each with all that has gathered by then.

HTTP.sys allows one send per request at a time. What is written meanwhile gathers, and leaves with the next call. The
first call waits until the event loop's next turn, so that a response which is complete by then is one call in all.
"""

from __future__ import annotations

import logging
import os
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import SendFlag
from hostler.server.httpsys.marshal.response import Chunks
from hostler.windows.constants import ErrorCode
from hostler.windows.port import PENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.http.headers import RawHeaders
    from hostler.server.httpsys.api import HttpApi
    from hostler.server.httpsys.marshal.response import NativeResponse
    from hostler.windows.libraries import CData, Handle
    from hostler.windows.port import CompletionPort, IoHandle

__all__ = ["LARGEST", "FilePart", "Sending"]

_log: Final = logging.getLogger("hostler.server.httpsys")
_MAX_CHUNKS: Final = 1000
"""Pieces in one call; HTTP.sys takes 9999."""

_MAX_CHUNKS_WITH_HEAD: Final = 99
"""Pieces that leave with the head, where HTTP.sys takes 100; one may be the trailers (HTTP_RESPONSE)."""


LARGEST: Final = 1 << 18
"""Bytes of a response that HTTP.sys keeps, unless UriMaxUriBytes says otherwise."""

if sys.platform == "win32":
    import msvcrt

    def _os_handle(descriptor: int) -> Handle:
        return ffi.cast("HANDLE", msvcrt.get_osfhandle(descriptor))
else:

    def _os_handle(descriptor: int) -> Handle:
        return ffi.cast("HANDLE", descriptor)


class FilePart:
    """A part of a file (HttpDataChunkFromFileHandle), open until it is sent, or the event loop is gone."""

    __slots__ = ("_descriptor", "_port", "handle", "length", "offset")

    def __init__(self, port: CompletionPort, descriptor: int, offset: int, length: int) -> None:
        """Take over `descriptor`, for calls that complete on `port`."""
        self._port = port
        port.given.add(self)
        self._descriptor = descriptor
        self.handle: Handle = _os_handle(descriptor)
        self.offset = offset
        self.length = length

    def close(self) -> None:
        """Let go of the file."""
        self._port.given.discard(self)
        os.close(self._descriptor)


class Sending:
    """Sends one response (HttpSendHttpResponse, HttpSendResponseEntityBody).

    `moved(waiting)` is called when a call is over, with the bytes that wait for the next; `over(code)` once, at the
    end: 0, or why the response cannot be sent.
    """

    __slots__ = (
        "_again", "_files", "_final", "_flags", "_head", "_head_flags", "_http", "_io", "_last", "_log", "_moved",
        "_no_goaway", "_operation", "_over", "_parts", "_policy", "_request", "_scheduled", "_sent_head", "_trailers",
        "finished", "in_flight", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        http: HttpApi,
        io: IoHandle,
        request: int,
        flags: int,
        moved: Callable[[int], None],
        over: Callable[[int], None],
    ) -> None:
        """Prepare to answer `request`; `flags` go with every call."""
        self._http = http
        self._io = io
        self._request = request
        self._flags = flags
        self._moved = moved
        self._over = over
        self._operation = io.operation(self._completed)
        self._head: NativeResponse | None = None
        self._head_flags = 0
        self._policy: CData | None = None
        self._sent_head = False
        self._parts: list[bytes | FilePart] = []
        self._files: list[FilePart] = []
        """Those of the call under way."""
        self._trailers: RawHeaders = []
        self._log: CData = ffi.NULL
        self._last: int | None = None
        self._again: Callable[[], int] | None = None
        """Makes the call with the head once more, without what this Windows may not know."""
        self._no_goaway: Callable[[], object] | None = None
        self._final = False
        self._scheduled = False
        self.waiting = 0
        """Bytes that no call has taken yet."""
        self.in_flight = 0
        """Bytes that a call under way has taken."""
        self.finished = False
        """Nothing more is sent."""

    def begin(
        self,
        head: NativeResponse,
        flags: int = 0,
        policy: CData | None = None,
        no_goaway: Callable[[], object] | None = None,
    ) -> None:
        """Send the head with the loop's next turn; `flags` go with this call only.

        With a `policy` (HTTP_CACHE_POLICY) it waits until the response is complete: HTTP.sys keeps what is one call.
        A Windows that refuses HTTP_SEND_RESPONSE_FLAG_GOAWAY gets the call without; `no_goaway` is called then.
        """
        self._head = head
        self._policy = policy
        self._head_flags = flags
        self._no_goaway = no_goaway
        self._schedule()

    @property
    def gathers(self) -> bool:
        """Whether a response waits until it is complete, so that HTTP.sys may keep it."""
        return (
            self._policy is not None
            and self._last is None
            and not self._sent_head
            and self.waiting <= LARGEST
            and len(self._parts) <= _MAX_CHUNKS_WITH_HEAD
        )

    def write(self, part: bytes | FilePart) -> None:
        """Send a piece of the body."""
        if self.finished:
            if isinstance(part, FilePart):
                part.close()
            return
        if self.gathers and len(self._parts) == _MAX_CHUNKS_WITH_HEAD:
            self._parts = _joined(self._parts)
        self._parts.append(part)
        self.waiting += part.length if isinstance(part, FilePart) else len(part)
        self._schedule()

    def end(self, flags: int = 0, trailers: RawHeaders | None = None, log: CData = ffi.NULL) -> None:
        """Finish the response; `flags` go with the last call, and `log` is what HTTP.sys' log says of it."""
        self._last = flags
        self._trailers = trailers or []
        self._log = log
        if not self._operation.pending:
            self._advance()

    def _schedule(self) -> None:
        if not self._scheduled and not self._operation.pending:
            self._scheduled = True
            self._io.port.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if not self._operation.pending:
            self._advance()

    def stop(self) -> None:
        """Send nothing more; a call that is under way is cancelled."""
        self.finished = True
        self._drop()
        self._operation.cancel()

    def _drop(self) -> None:
        for part in self._parts:
            if isinstance(part, FilePart):
                part.close()
        self._parts.clear()
        self.waiting = self.in_flight = 0

    # -- calls ----------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Make calls as long as they are over at once and there is something to send."""
        while self._has_work():
            try:
                call, keep = self._send()
            except Exception:  # noqa: BLE001 - whatever it is, the client must not wait for ever
                _log.exception("a response cannot be sent on")
                self._call_over(ErrorCode.ERROR_NOT_ENOUGH_MEMORY)
                return
            code = self._operation.start(call, keep)
            if code == PENDING or not self._call_over(code):
                return

    def _has_work(self) -> bool:
        """Whether there is something to send, and no call under way: whoever was told of its end may have made one."""
        if self.finished or self._operation.pending or self.gathers:
            return False
        return bool(self._parts) or self._last is not None or (self._head is not None and not self._sent_head)

    def _send(self) -> tuple[Callable[[CData], int], object]:
        """Return the next call, and what it needs to live."""
        chunks = self._take()
        final = self._last is not None and not self._parts
        flags = self._flags
        if final:
            assert self._last is not None
            self._final = True
            flags |= self._last
            if self._trailers:
                chunks.trailers(self._trailers)
        else:
            flags |= SendFlag.MORE_DATA
        log = self._log if final else ffi.NULL
        if not self._sent_head:
            return self._send_head(chunks, flags, log, final=final)
        http, handle, operation = self._http, self._io.handle, self._operation
        count, array = len(chunks), chunks.array()

        def send(overlapped: CData) -> int:
            return http.HttpSendResponseEntityBody(
                handle, self._request, flags, count, array, operation.size, ffi.NULL, 0, overlapped, log
            )  # fmt: skip

        return send, (chunks, log)

    def _take(self) -> Chunks:
        """Take what the next call sends, as much as fits into one."""
        limit = _MAX_CHUNKS if self._sent_head else _MAX_CHUNKS_WITH_HEAD
        parts, self._parts = self._parts[:limit], self._parts[limit:]
        chunks = Chunks()
        size = 0
        for part in parts:
            if isinstance(part, FilePart):
                chunks.file(part.handle, part.offset, part.length)
                self._files.append(part)
                size += part.length
            else:
                chunks.memory(part)
                size += len(part)
        self.waiting -= size
        self.in_flight = size
        return chunks

    def _send_head(
        self, chunks: Chunks, flags: int, log: CData, *, final: bool
    ) -> tuple[Callable[[CData], int], object]:
        """Return the first call, which has the head; what says GOAWAY can be called again without."""
        self._sent_head = True
        http, handle, operation = self._http, self._io.handle, self._operation
        head = self._head
        assert head is not None
        head.put(chunks)
        flags |= self._head_flags
        pointer = head.pointer
        whole = final and not flags & SendFlag.DISCONNECT and not self._trailers
        policy = self._policy if whole else None
        if policy is not None:
            head.leave_length_out()  # HTTP.sys adds it; from its cache, parts would have both
        given = head, policy, log

        def respond(overlapped: CData, flags: int = flags) -> int:
            return http.HttpSendHttpResponse(
                handle, self._request, flags, pointer, policy or ffi.NULL, operation.size, ffi.NULL, 0,
                overlapped, log,
            )  # fmt: skip

        if flags & SendFlag.GOAWAY:
            without = flags & ~SendFlag.GOAWAY
            self._again = lambda: operation.start(lambda overlapped: respond(overlapped, without), given)
        return respond, given

    def _completed(self, code: int, size: int) -> None:
        if self._call_over(code):
            self._advance()

    def _call_over(self, code: int) -> bool:
        """Note the end of a call; returns whether to go on."""
        if self._again is not None:
            again, self._again = self._again, None
            if code == ErrorCode.ERROR_INVALID_PARAMETER and not self.finished:
                code = again()
                if code != ErrorCode.ERROR_INVALID_PARAMETER and self._no_goaway is not None:
                    self._no_goaway()
                if code == PENDING:
                    return False
        self.in_flight = 0
        while self._files:
            self._files.pop().close()
        if self.finished:
            return False
        if code or self._final:
            self.finished = True
            self._drop()
            self._over(code)
            return False
        self._moved(self.waiting)
        return True


def _joined(parts: list[bytes | FilePart]) -> list[bytes | FilePart]:
    """Make one piece of bytes that follow each other."""
    joined: list[bytes | FilePart] = []
    for of_files, pieces in groupby(parts, lambda part: isinstance(part, FilePart)):
        same = list(pieces)
        joined += same if of_files else [b"".join(same)]  # type: ignore[arg-type]
    return joined

"""A request's body on its way in (HttpReceiveRequestEntityBody), and what an upgraded client sends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.marshal.memory import uninitialised
from hostler.windows.constants import ErrorCode
from hostler.windows.port import PENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.server.httpsys.api import HttpApi
    from hostler.windows.libraries import CData
    from hostler.windows.port import IoHandle

__all__ = ["Incoming"]

_SIZE: Final = 1 << 16
_MAX_BATCH: Final = 8
"""Pieces that are read in a row before others have their turn."""


class Incoming:
    """Reads piece after piece while it flows, and hands each to `took(data)`; the end to `over(code)`.

    The code is ERROR_HANDLE_EOF when the body is complete, also where HTTP.sys says so by no bytes. What arrives while
    it does not flow waits, at most a piece.
    """

    __slots__ = (
        "_buffer",
        "_delivering",
        "_http",
        "_io",
        "_operation",
        "_over",
        "_request",
        "_took",
        "_waiting",
        "ended",
        "flowing",
    )

    def __init__(
        self,
        http: HttpApi,
        io: IoHandle,
        request: int,
        took: Callable[[bytes], None],
        over: Callable[[int], None],
    ) -> None:
        self._http = http
        self._io = io
        self._request = request
        self._took = took
        self._over = over
        self._operation = io.operation(self._completed)
        self._buffer: CData = None
        self._waiting: deque[bytes | int] = deque()
        self._delivering = False
        self.flowing = False
        self.ended = False
        """`over` was called, or nobody wants it any more."""

    @property
    def begun(self) -> bool:
        """Whether HTTP.sys was asked for some of it."""
        return self._buffer is not None

    def flow(self) -> None:
        """Let it flow."""
        self.flowing = True
        self._advance()

    def pause(self) -> None:
        """Take no more for now."""
        self.flowing = False

    def stop(self) -> None:
        """Read nothing more; a read under way is cancelled."""
        self.ended = True
        self.flowing = False
        self._waiting.clear()
        self._operation.cancel()

    def _advance(self) -> None:
        if self._delivering:
            return
        self._delivering = True
        try:
            for _ in range(_MAX_BATCH):
                while self._waiting and self.flowing:
                    self._hand_on(self._waiting.popleft())
                if not self.flowing or self.ended or self._operation.pending:
                    return
                code = self._operation.start(self._call, self._held())
                if code == PENDING:
                    return
                self._note(code, self._operation.size[0])
        finally:
            self._delivering = False
        self._io.port.loop.call_soon(self._advance)

    def _held(self) -> CData:
        """Return the buffer, made when it is first needed."""
        if self._buffer is None:
            self._buffer = uninitialised("char[]", _SIZE)
        return self._buffer

    def _call(self, overlapped: CData) -> int:
        return self._http.HttpReceiveRequestEntityBody(
            self._io.handle, self._request, 0, self._buffer, _SIZE, self._operation.size, overlapped
        )

    def _completed(self, code: int, size: int) -> None:
        if not self.ended:
            self._note(code, size)
            self._advance()

    def _note(self, code: int, size: int) -> None:
        if not code and not size:
            code = ErrorCode.ERROR_HANDLE_EOF  # success without bytes is the end as well
        self._waiting.append(code or bytes(ffi.buffer(self._buffer, size)))

    def _hand_on(self, item: bytes | int) -> None:
        if isinstance(item, int):
            self.ended, self.flowing = True, False
            self._over(item)
        else:
            self._took(item)

"""The completion port that asyncio's Proactor loop waits on anyway, used for our calls too: no thread, no hop.

It leans on private parts of `asyncio.ProactorEventLoop`, the same from Python 3.11 to 3.14: `_proactor`, its `_iocp`
(the port) and `_cache` (what waits for which OVERLAPPED). `find_iocp` looks whether they are as expected, and `probe`
whether a packet that is posted to the port comes back the way that those of our calls will. Where either fails, a port
with a thread does the same work. What asyncio expects of an entry in the cache:

- (future, overlapped, object, callback); when the packet comes the entry is taken out, and, unless the future is
  done, `callback(transferred, key, overlapped)` is called. The error is in the OVERLAPPED only.
- The key is 0: of a packet that it does not know, asyncio closes the key as a handle.
- When the loop closes it cancels every future in the cache, and waits for packets until the cache is empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final

from hostler.errors import UnsupportedError
from hostler.windows._bindings import ffi
from hostler.windows.errors import Win32Error
from hostler.windows.port import PENDING, CompletionPort, IoHandle, ThreadPort

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.windows.libraries import CData, Handle, Win32
    from hostler.windows.port import Operation

__all__ = ["ProactorPort", "find_iocp", "make_port", "open_io", "probe"]

_PATIENCE: Final = 1.0
"""Seconds that the packet of a probe may take; it takes one turn of the event loop."""

_ENTRY_SIZE: Final = 4
_unanswered: Final[list[Operation]] = []
"""Probes whose packet has not come: it still may, so that their OVERLAPPED must stay nobody else's."""


def find_iocp(loop: asyncio.AbstractEventLoop) -> int:
    """Return the completion port of a Proactor loop whose private parts look as expected.

    Raises UnsupportedError with what does not, as half a sentence.
    """
    proactor = getattr(loop, "_proactor", None)
    if proactor is None:
        raise UnsupportedError(f"the event loop, a {type(loop).__qualname__}, has no Proactor")
    iocp, cache = getattr(proactor, "_iocp", None), getattr(proactor, "_cache", None)
    if not isinstance(iocp, int):
        raise UnsupportedError(f"asyncio's Proactor has no completion port in _iocp, but {iocp!r}")
    if not isinstance(cache, MutableMapping):
        raise UnsupportedError(f"asyncio's Proactor has no mapping in _cache, but {cache!r}")
    # a loop that runs waits at least for its own wake-up: asyncio's entries show how ours must look
    for entry in cache.values():
        if not (isinstance(entry, tuple) and len(entry) == _ENTRY_SIZE and callable(entry[3])):
            raise UnsupportedError(f"asyncio's Proactor keeps another kind of entry in _cache: {entry!r}")
    return iocp


async def probe(windows: Win32, loop: asyncio.AbstractEventLoop, patience: float = _PATIENCE) -> None:
    """Post a packet to the port of the running Proactor loop, and wait until it comes back (`patience` seconds).

    Raises UnsupportedError with why our calls cannot use that port, as half a sentence.
    """
    find_iocp(loop)
    await asyncio.sleep(0)  # a loop waits for its own wake-up from the end of its first turn
    port = ProactorPort(windows, loop, find_iocp(loop))
    came: asyncio.Future[tuple[int, int]] = loop.create_future()

    def done(code: int, size: int) -> None:
        if not came.done():
            came.set_result((code, size))

    operation = IoHandle(port, ffi.NULL, skips=True, close=lambda: None).operation(done)
    code = operation.start(port.post)
    if code != PENDING:
        raise UnsupportedError(
            f"no packet can be posted to asyncio's completion port ({Win32Error(code, 'PostQueuedCompletionStatus')})"
        )
    try:
        await asyncio.wait_for(came, patience)
    except TimeoutError:
        raise UnsupportedError(
            f"a packet that was posted to asyncio's completion port did not come within {patience:g} s"
        ) from None
    finally:
        if operation.address in port.operations:
            del port.operations[operation.address]
            _unanswered.append(operation)


class _Entry:
    """What the Proactor takes for the future of an operation: never done, so that every packet is handed on."""

    __slots__ = ("_operation", "_port")

    def __init__(self, port: ProactorPort, operation: Operation) -> None:
        self._port = port
        self._operation = operation

    def come(self, transferred: int, key: int, overlapped: object) -> None:
        """Called when the packet has come."""
        self._port.packet(self._operation.address)

    def done(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def cancel(self) -> bool:
        """Called when the loop is closing; closing the handles cancels everything."""
        self._port.abandoned()
        return True

    def set_result(self, result: object) -> None:
        """Take what `come` returned: nothing."""

    def set_exception(self, error: BaseException) -> None:
        raise error


class _Pending(dict[int, "Operation"]):
    """The operations that are pending, each with its entry in the Proactor's cache."""

    def __init__(self, port: ProactorPort, cache: MutableMapping[int, Any]) -> None:
        super().__init__()
        self._port = port
        self._cache = cache

    def __setitem__(self, address: int, operation: Operation) -> None:
        super().__setitem__(address, operation)
        entry = _Entry(self._port, operation)
        self._cache[address] = (entry, None, operation, entry.come)

    def __delitem__(self, address: int) -> None:
        super().__delitem__(address)
        self._cache.pop(address, None)


class ProactorPort(CompletionPort):
    """The Proactor's own port."""

    def __init__(self, windows: Win32, loop: asyncio.AbstractEventLoop, iocp: int) -> None:
        super().__init__(windows, loop)
        self._iocp = ffi.cast("HANDLE", iocp)
        self._closing = False
        self.operations = _Pending(self, loop._proactor._cache)  # type: ignore[attr-defined]

    def _handle(self) -> Handle:
        return self._iocp

    def post(self, overlapped: CData) -> int:
        """Post a packet, as a call that is over; returns ERROR_IO_PENDING, or why it could not be posted."""
        kernel = self.windows.kernel
        return (
            PENDING
            if kernel.PostQueuedCompletionStatus(self._iocp, 0, 0, overlapped)
            else kernel.GetLastError()
        )

    def packet(self, address: int) -> None:
        """Take a packet that the Proactor took."""
        self._packets.append(address)
        if self._closing:
            self._discard()
        elif not self._awake:
            self._awake = True
            self.loop.call_soon(self._deliver)

    def abandoned(self) -> None:
        """Called when the loop closes with operations pending."""
        if not self._closing:
            self._closing = True
            self._abandon()

    def close(self) -> None:
        """Let go of the port, which is the loop's."""


def make_port(windows: Win32, loop: asyncio.AbstractEventLoop, *, use_proactor: bool) -> CompletionPort:
    """Make a completion port: that of the loop's Proactor, or one with a thread; raises UnsupportedError, Win32Error."""
    return ProactorPort(windows, loop, find_iocp(loop)) if use_proactor else ThreadPort(windows, loop)


def open_io(
    windows: Win32,
    loop: asyncio.AbstractEventLoop,
    handle: Handle,
    close: Callable[[], object],
    *,
    use_proactor: bool,
) -> IoHandle:
    """Make a completion port for one handle, which `close` closes; raises Win32Error, and leaves nothing open then."""
    port = make_port(windows, loop, use_proactor=use_proactor)
    try:
        return port.associate(handle, close)
    except BaseException:
        port.close()
        raise

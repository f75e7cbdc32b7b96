"""The completion port that asyncio's Proactor loop waits on anyway, used for our calls too: no thread, no hop.

It leans on private parts of `asyncio.ProactorEventLoop`: `_proactor`, its `_iocp` (the port) and `_cache` (what waits
for which OVERLAPPED). `find_iocp` looks whether they are as expected; where they are not, the port with a thread does
the same work. What asyncio expects of an entry in the cache:

- (future, overlapped, object, callback); when the packet comes the entry is taken out, and, unless the future is
  done, `callback(transferred, key, overlapped)` is called. The error is in the OVERLAPPED only.
- When the loop closes it cancels every future in the cache, and waits for packets until the cache is empty.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from hostler.windows._bindings import ffi
from hostler.windows.port import CompletionPort, ThreadPort

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hostler.windows.libraries import Handle, Win32
    from hostler.windows.port import IoHandle, Operation

__all__ = ["ProactorPort", "find_iocp", "make_port", "open_io"]


def find_iocp(loop: asyncio.AbstractEventLoop) -> int | None:
    """Return the completion port of a Proactor loop whose private parts look as expected, or None."""
    proactor = getattr(loop, "_proactor", None)
    iocp = getattr(proactor, "_iocp", None)
    usable = isinstance(iocp, int) and isinstance(getattr(proactor, "_cache", None), MutableMapping)
    return iocp if usable else None


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
    """Make a completion port, that of the loop's Proactor if it may be used and can be; else one with a thread."""
    iocp = find_iocp(loop) if use_proactor else None
    return ThreadPort(windows, loop) if iocp is None else ProactorPort(windows, loop, iocp)


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

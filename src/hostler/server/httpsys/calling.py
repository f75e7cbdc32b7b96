"""Making one overlapped call, for coroutines that wait until it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.windows.port import PENDING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hostler.windows.libraries import CData
    from hostler.windows.port import IoHandle

__all__ = ["call"]


async def call(io: IoHandle, function: Callable[[CData, CData], int], keep: object = None) -> tuple[int, int]:
    """Call `function(size_out, overlapped)` and wait until it is over; returns a Win32 code and a number of bytes.

    `keep` is what it reads or writes, which lives until then, also when whoever waits is cancelled: then the call is too.
    """
    over: asyncio.Future[tuple[int, int]] = io.port.loop.create_future()

    def done(code: int, size: int) -> None:
        if not over.done():
            over.set_result((code, size))

    operation = io.operation(done)
    code = operation.start(lambda overlapped: function(operation.size, overlapped), keep)
    if code != PENDING:
        return code, operation.size[0]
    try:
        return await over
    finally:
        operation.cancel()

"""The memory of a process, seen from the kernel: addresses that may be wrong, and what is read and written there."""

from __future__ import annotations

import os
from typing import Any

from hostler.server.httpsys._bindings import ffi

POISON = 0xCD
"""What memory holds that the kernel was given and did not write."""


def number(pointer: Any) -> int:
    """Give a pointer, or a handle, as a number."""
    return int(ffi.cast("uintptr_t", pointer))


def handle(value: int) -> Any:
    """Give a number as a handle."""
    return ffi.cast("void *", value)


def text(pointer: Any) -> str | None:
    """Read a string of UTF-16 up to its NUL; None for NULL."""
    return None if pointer == ffi.NULL else ffi.string(pointer)


class _Pages:
    """Memory that can be asked for without a crash when it is not there."""

    def __init__(self) -> None:
        try:
            self._file: int | None = os.open("/proc/self/mem", os.O_RDONLY)
        except OSError:
            self._file = None

    def read(self, address: int, size: int) -> bytes | None:
        """Read memory; None when it is not (or no longer) mapped."""
        if not size:
            return b""
        if self._file is None:
            return bytes(ffi.buffer(ffi.cast("char *", address), size))
        try:
            pieces = []
            while size:
                piece = os.pread(self._file, size, address)
                if not piece:
                    return None
                pieces.append(piece)
                address += len(piece)
                size -= len(piece)
        except (OSError, OverflowError):
            return None
        return b"".join(pieces)


_pages = _Pages()


def read(address: int, size: int) -> bytes | None:
    """Read memory; None when it is not mapped."""
    return _pages.read(address, size)


def mapped(address: int, size: int) -> bool:
    """Whether the first and the last byte are there."""
    return size == 0 or (
        _pages.read(address, 1) is not None and _pages.read(address + size - 1, 1) is not None
    )


def write(address: int, data: bytes) -> None:
    """Write memory that is known to be there."""
    if data:
        ffi.memmove(ffi.cast("char *", address), data, len(data))


def poison(address: int, size: int) -> None:
    """Leave nothing in a buffer that its owner could take for written."""
    write(address, bytes([POISON]) * size)

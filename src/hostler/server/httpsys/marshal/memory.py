"""Memory by address: structures are read and written whole, with `struct`, and their pointers are numbers in them.

A structure of HTTP.sys has a hundred members, and each one that cffi is asked for costs a call. Unpacked at once they
come for the price of two; so do texts, cut out of memory by the addresses that were among them. The layouts given to
`struct` are those of 64-bit Windows; tests hold them against the bindings.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from hostler.server.httpsys._bindings import ffi

if TYPE_CHECKING:
    from hostler.windows.libraries import CData

__all__ = ["MEMORY", "location", "uninitialised", "wide"]

MEMORY: Final[CData] = ffi.buffer(ffi.cast("char *", 0), sys.maxsize)
"""All memory of this process: `MEMORY[address : address + size]` copies bytes out of it, as a pointer in C would."""

uninitialised: Final = ffi.new_allocator(should_clear_after_alloc=False)
"""Makes arrays that somebody else fills: `uninitialised("char[]", size)`."""


def location(data: CData) -> int:
    """Return the address that a pointer or an array has, 0 for NULL."""
    return int(ffi.cast("uintptr_t", data))


def wide(text: str | None) -> tuple[CData, int]:
    """Return text in UTF-16, ended by a NUL, and its bytes without that; NULL and 0 for none."""
    if not text:
        return ffi.NULL, 0
    array = ffi.new("char16_t[]", text)
    return array, int(ffi.sizeof(array)) - 2

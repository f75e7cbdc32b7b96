"""Users and groups: from a name to the security identifier that SDDL has for it, and back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hostler.windows._bindings import ffi
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.windows.libraries import CData, Win32

__all__ = ["name_of", "sid_of"]

_MAX_SID: Final = 68
"""SECURITY_MAX_SID_SIZE, in bytes."""

_MAX_NAME: Final = 257
"""UNLEN or DNLEN, whichever is longer, and a NUL, in characters."""


def sid_of(windows: Win32, account: str) -> str:
    """Return a user's or group's security identifier as text (LookupAccountName); raises Win32Error."""
    sid, domain, use = ffi.new("char[]", _MAX_SID), ffi.new("char16_t[]", _MAX_NAME), ffi.new("int32_t *")
    sizes = ffi.new("uint32_t[2]", [_MAX_SID, _MAX_NAME])
    if not windows.security.LookupAccountNameW(ffi.NULL, account, sid, sizes, domain, sizes + 1, use):
        raise Win32Error(windows.kernel.GetLastError(), "LookupAccountName", account)
    text = ffi.new("char16_t **")
    if not windows.security.ConvertSidToStringSidW(sid, text):
        raise Win32Error(windows.kernel.GetLastError(), "ConvertSidToStringSid", account)
    with _freeing(windows, text[0]):
        return str(ffi.string(text[0]))


def name_of(windows: Win32, sid: str) -> str:
    """Return the name of a security identifier, or of its short form in SDDL (LookupAccountSid).

    Where Windows knows no name for it, as for a user who was deleted, it is the text itself.
    """
    binary = ffi.new("void **")
    if not windows.security.ConvertStringSidToSidW(sid, binary):
        return sid
    name, domain, use = (
        ffi.new("char16_t[]", _MAX_NAME),
        ffi.new("char16_t[]", _MAX_NAME),
        ffi.new("int32_t *"),
    )
    sizes = ffi.new("uint32_t[2]", [_MAX_NAME, _MAX_NAME])
    with _freeing(windows, binary[0]):
        if not windows.security.LookupAccountSidW(ffi.NULL, binary[0], name, sizes, domain, sizes + 1, use):
            return sid
    return "\\".join(filter(None, (ffi.string(domain), ffi.string(name))))


@contextmanager
def _freeing(windows: Win32, memory: CData) -> Iterator[None]:
    try:
        yield
    finally:
        windows.kernel.LocalFree(memory)

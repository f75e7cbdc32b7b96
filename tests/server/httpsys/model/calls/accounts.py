"""advapi32.dll: users and groups, by name and by security identifier."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from tests.server.httpsys.model.process import Process

MACHINE = "MACHINE"
"""The domain of the machine's own users."""

# source: "Well-known SIDs", "SID Strings": their names in SDDL
_WELL_KNOWN = {
    "S-1-1-0": ("", "Everyone", "WD"),
    "S-1-5-11": ("NT AUTHORITY", "Authenticated Users", "AU"),
    "S-1-5-20": ("NT AUTHORITY", "NETWORK SERVICE", "NS"),
    "S-1-5-32-545": ("BUILTIN", "Users", "BU"),
}
_USER, _WELL_KNOWN_GROUP = 1, 5


class AccountCalls:
    """LookupAccountName and its like."""

    _process: Process

    def LookupAccountNameW(
        self, system: Any, account: Any, sid: Any, sid_size: Any, domain: Any, domain_size: Any, use: Any
    ) -> int:
        # source: LookupAccountNameW: ERROR_NONE_MAPPED for a name that is nobody's; needed sizes are returned
        wanted = (memory.text(account) or "").lower()
        for text, (where, name) in self._accounts().items():
            if wanted in {name.lower(), f"{where}\\{name}".lower()}:
                binary = _to_binary(text)
                fits = sid_size[0] >= len(binary)
                sid_size[0] = len(binary)
                _fill(where, domain, domain_size, fits=fits)
                memory.write(memory.number(sid), binary)
                use[0] = _USER if where == MACHINE else _WELL_KNOWN_GROUP
                return 1
        raise Win32(c.NONE_MAPPED)

    def LookupAccountSidW(
        self, system: Any, sid: Any, name: Any, name_size: Any, domain: Any, domain_size: Any, use: Any
    ) -> int:
        # source: LookupAccountSidW: ERROR_NONE_MAPPED for an identifier that is nobody's
        found = self._accounts().get(_to_text(memory.number(sid)))
        if found is None:
            raise Win32(c.NONE_MAPPED)
        _fill(found[1], name, name_size)
        _fill(found[0], domain, domain_size)
        use[0] = _USER if found[0] == MACHINE else _WELL_KNOWN_GROUP
        return 1

    def ConvertSidToStringSidW(self, sid: Any, text: Any) -> int:
        # source: ConvertSidToStringSidW: in S-R-I-S form, to be freed with LocalFree
        text[0] = ffi.cast(
            "char16_t *", self._allocate(_to_text(memory.number(sid)).encode("utf-16-le") + b"\0\0")
        )
        return 1

    def ConvertStringSidToSidW(self, text: Any, sid: Any) -> int:
        # source: ConvertStringSidToSidW: S-R-I-S form or a constant of SDDL; ERROR_INVALID_SID
        given = memory.text(text) or ""
        aliases = {alias: known for known, (_, _, alias) in _WELL_KNOWN.items()}
        given = aliases.get(given, given)
        if not given.startswith("S-1-"):
            raise Win32(c.INVALID_SID)
        sid[0] = ffi.cast("void *", self._allocate(_to_binary(given)))
        return 1

    def _accounts(self) -> dict[str, tuple[str, str]]:
        """Give everybody: security identifier -> domain, name."""
        machine = self._process.machine
        users = {machine.sid(user): (MACHINE, user) for user in machine.users}
        return {sid: (domain, name) for sid, (domain, name, _) in _WELL_KNOWN.items()} | users

    def _allocate(self, data: bytes) -> int:
        allocated = ffi.new("char[]", data)
        address = memory.number(allocated)
        self._process.allocated[address] = allocated
        return address


def _fill(text: str, buffer: Any, size: Any, *, fits: bool = True) -> None:
    """Write text into a caller's buffer of `size` characters; raises Win32."""
    if not fits or size[0] <= len(text):
        size[0] = len(text) + 1
        raise Win32(c.INSUFFICIENT_BUFFER)
    memory.write(memory.number(buffer), text.encode("utf-16-le") + b"\0\0")
    size[0] = len(text)


def _to_binary(sid: str) -> bytes:
    """Write a SID (winnt.h)."""
    revision, authority, *parts = map(int, sid.split("-")[1:])
    return (
        struct.pack("<BB", revision, len(parts))
        + authority.to_bytes(6)
        + struct.pack(f"<{len(parts)}I", *parts)
    )


def _to_text(address: int) -> str:
    """Read a SID (winnt.h)."""
    head = memory.read(address, 8)
    assert head is not None
    parts = struct.unpack(f"<{head[1]}I", memory.read(address + 8, 4 * head[1]) or b"")
    return "-".join(map(str, ["S", head[0], int.from_bytes(head[2:8]), *parts]))

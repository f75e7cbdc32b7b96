"""Who may register which URLs: reservations (HttpServiceConfigUrlAclInfo)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import ServiceConfigId
from hostler.windows.accounts import name_of, sid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.configuration.store import ConfigurationStore
    from hostler.windows.libraries import CData

__all__ = ["Reservation", "find", "remove", "reservations", "reserve", "sddl_for", "trustees"]

_KIND: Final = ServiceConfigId.URL_ACL_INFO
_ENTRY: Final = re.compile(r"\(A;[^;)]*;(\w*);[^;)]*;[^;)]*;([^;)]+)\)")
_RIGHTS: Final = {"GX": "register", "GW": "delegate", "GA": "register and delegate"}


@frozen
class Reservation:
    """A URL prefix and who may register it and what is below it."""

    url: str

    sddl: str
    """A security descriptor in SDDL: GX is the right to register, GW that to reserve parts of it for others."""


def sddl_for(windows: Windows, account: str) -> str:
    """Return the security descriptor that lets a user or a group register a URL, as netsh has it; raises Win32Error."""
    return f"D:(A;;GX;;;{sid_of(windows, account)})"


def trustees(windows: Windows, reservation: Reservation) -> Iterator[tuple[str, str]]:
    """Yield whom a reservation is for, by name, and what each may do."""
    for rights, sid in _ENTRY.findall(reservation.sddl):
        yield name_of(windows, sid), _RIGHTS.get(rights, rights)


def reserve(store: ConfigurationStore, reservation: Reservation) -> None:
    """Add a reservation; raises Win32Error."""
    record, _texts = _record(reservation)
    store.add(_KIND, record)


def remove(store: ConfigurationStore, url: str) -> None:
    """Remove the reservation of a URL; raises Win32Error."""
    record, _texts = _record(Reservation(url, ""))
    store.remove(_KIND, record)


def find(store: ConfigurationStore, url: str) -> Reservation | None:
    """Return the reservation of exactly this URL; raises Win32Error."""
    text = ffi.new("char16_t[]", url)
    query = ffi.new("HTTP_SERVICE_CONFIG_URLACL_QUERY *", {"KeyDesc": {"pUrlPrefix": text}})
    memory = store.find(_KIND, query)
    return None if memory is None else _read(memory)


def reservations(store: ConfigurationStore) -> Iterator[Reservation]:
    """Yield every reservation of the machine; raises Win32Error."""
    for memory in store.each(_KIND, ffi.new("HTTP_SERVICE_CONFIG_URLACL_QUERY *")):
        yield _read(memory)


def _record(reservation: Reservation) -> tuple[CData, tuple[CData, CData]]:
    """Make the structure of a reservation; returns it with the texts that it points to, to be kept."""
    texts = ffi.new("char16_t[]", reservation.url), ffi.new("char16_t[]", reservation.sddl)
    return ffi.new("HTTP_SERVICE_CONFIG_URLACL_SET *", ((texts[0],), (texts[1],))), texts


def _read(memory: CData) -> Reservation:
    record = ffi.cast("HTTP_SERVICE_CONFIG_URLACL_SET *", memory)
    url, sddl = record.KeyDesc.pUrlPrefix, record.ParamDesc.pStringSecurityDescriptor
    return Reservation(ffi.string(url), ffi.string(sddl) if sddl else "")

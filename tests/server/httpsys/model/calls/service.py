"""httpapi.dll: the machine's configuration, of which the fake has URL reservations and bound certificates."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory, records
from tests.server.httpsys.model.calls.win32 import EVERYBODY, SDDL
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.records import CERTIFICATE, NAMED_CERTIFICATE, URL_ACL, Answer
from tests.server.httpsys.model.routing import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.process import Process

_SETS = {
    CERTIFICATE: "HTTP_SERVICE_CONFIG_SSL_SET",
    URL_ACL: "HTTP_SERVICE_CONFIG_URLACL_SET",
    NAMED_CERTIFICATE: "HTTP_SERVICE_CONFIG_SSL_SNI_SET",
}
_QUERIES = {kind: name.removesuffix("SET") + "QUERY" for kind, name in _SETS.items()}
_EXACT, _NEXT = 0, 1
_CONFIG = 2
_ACE = re.compile(r"\(A;[^;)]*;\w*;[^;)]*;[^;)]*;([^;)]+)\)")


class ServiceCalls:
    """HttpSetServiceConfiguration and its like."""

    _process: Process
    _machine: Machine

    def _structure(
        self, names: dict[int, str], service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> Any:
        """Find what a caller gave; raises Win32."""
        # source: HttpInitialize: these functions are for whoever initialised with HTTP_INITIALIZE_CONFIG; which code
        # others get is not said, and is the one that HttpCreateRequestQueue has
        if not any(flags & _CONFIG for flags in self._process.initialized):
            raise Win32(c.DLL_INIT_FAILED)
        # source: HttpSetServiceConfiguration: ERROR_INVALID_HANDLE for a ServiceHandle, which is reserved
        if service != ffi.NULL:
            raise Win32(c.INVALID_HANDLE)
        # guess: a kind that this Windows does not know is a wrong parameter; no page says so
        if overlapped != ffi.NULL or info == ffi.NULL or kind not in names:
            raise Win32(c.INVALID_PARAMETER)
        # source: HttpSetServiceConfiguration: ERROR_INSUFFICIENT_BUFFER for a ConfigInformationLength that is too small
        if size < ffi.sizeof(names[kind]):
            raise Win32(c.INSUFFICIENT_BUFFER)
        return ffi.cast(f"{names[kind]} *", info)

    def _may_change(self) -> None:
        # source: "Namespace Reservations, Registrations, and Routing": reservations are made by an administrator;
        # 5 is what a user who is not elevated gets
        if not self._process.administrator:
            raise Win32(c.ACCESS_DENIED)

    # -- changes

    def HttpSetServiceConfiguration(
        self, service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> int:
        record = self._structure(_SETS, service, kind, info, size, overlapped)
        self._may_change()
        # source: HttpSetServiceConfiguration: ERROR_ALREADY_EXISTS for a record that is there
        if kind == URL_ACL:
            self._reserve(record)
            return c.OK
        endpoint = records.read_endpoint(kind, record.KeyDesc)
        if endpoint in self._machine.bindings:
            raise Win32(c.ALREADY_EXISTS)
        self._bind(kind, record)
        return c.OK

    def HttpUpdateServiceConfiguration(
        self, service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> int:
        record = self._structure(_SETS, service, kind, info, size, overlapped)
        # source: HttpUpdateServiceConfiguration: certificates only; it is atomic
        if kind == URL_ACL:
            raise Win32(c.INVALID_PARAMETER)
        self._may_change()
        # guess: a record that is not there cannot be updated; ERROR_FILE_NOT_FOUND, as for deleting it
        if records.read_endpoint(kind, record.KeyDesc) not in self._machine.bindings:
            raise Win32(c.FILE_NOT_FOUND)
        self._bind(kind, record)
        return c.OK

    def HttpDeleteServiceConfiguration(
        self, service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> int:
        record = self._structure(_SETS, service, kind, info, size, overlapped)
        self._may_change()
        # source: HttpDeleteServiceConfiguration: ERROR_FILE_NOT_FOUND for a record that is not there
        if kind == URL_ACL:
            url = _canonical(records.read_url(record.KeyDesc))
            reservations = dict(self._machine.reservations or {})
            if reservations.pop(url, None) is None:
                raise Win32(c.FILE_NOT_FOUND)
            self._machine.descriptors.pop(url, None)
            self._machine.reserve(reservations)
        elif self._machine.bindings.pop(records.read_endpoint(kind, record.KeyDesc), None) is None:
            raise Win32(c.FILE_NOT_FOUND)
        return c.OK

    def _reserve(self, record: Any) -> None:
        machine = self._machine
        url = _canonical(records.read_url(record.KeyDesc))
        sddl = memory.text(record.ParamDesc.pStringSecurityDescriptor)
        reservations = machine.reservations or {}
        if url in reservations:
            raise Win32(c.ALREADY_EXISTS)
        # guess: which code text that is no SDDL gets is not said; it is a wrong parameter
        if not sddl or not SDDL.fullmatch(sddl):
            raise Win32(c.INVALID_PARAMETER)
        trustees = set(_ACE.findall(sddl))
        machine.descriptors[url] = sddl
        machine.reserve(
            {
                **reservations,
                url: {
                    user for user in machine.users if machine.sid(user) in trustees or trustees & EVERYBODY
                },
            }
        )

    def _bind(self, kind: int, record: Any) -> None:
        found = records.read_certificate(record.ParamDesc)
        if not records.is_whole(found):
            raise Win32(c.INVALID_PARAMETER)
        # source: HttpSetServiceConfiguration: ERROR_NO_SUCH_LOGON_SESSION for a certificate that is invalid
        if found.thumbprint not in self._machine.certificates.get(found.store.upper(), ()):
            raise Win32(c.NO_SUCH_LOGON_SESSION)
        self._machine.bindings[records.read_endpoint(kind, record.KeyDesc)] = found

    # -- questions

    def HttpQueryServiceConfiguration(
        self,
        service: Any,
        kind: int,
        info: Any,
        size: int,
        output: Any,
        output_size: int,
        size_out: Any,
        overlapped: Any,
    ) -> int:
        query = self._structure(_QUERIES, service, kind, info, size, overlapped)
        # guess: everybody may ask, as everybody may call netsh http show urlacl
        found = self._urls(query) if kind == URL_ACL else self._certificates(kind, query)
        answer, fill = found
        if size_out != ffi.NULL:
            size_out[0] = answer.size
        # source: HttpQueryServiceConfiguration: ERROR_INSUFFICIENT_BUFFER, and the size in pReturnLength
        if output_size < answer.size:
            raise Win32(c.INSUFFICIENT_BUFFER)
        fill(*answer.write(memory.number(output)))
        return c.OK

    def _urls(self, query: Any) -> tuple[Answer, Callable[[Any, list[int]], None]]:
        machine = self._machine
        reserved = {_canonical(url): users for url, users in (machine.reservations or {}).items()}
        url = _pick(list(reserved), query, lambda: _canonical(records.read_url(query.KeyDesc)))
        users = "".join(f"(A;;GX;;;{machine.sid(user)})" for user in sorted(reserved[url]))
        sddl = machine.descriptors.get(url, f"D:{users}")

        def fill(record: Any, places: list[int]) -> None:
            record.KeyDesc.pUrlPrefix = ffi.cast("char16_t *", places[0])
            record.ParamDesc.pStringSecurityDescriptor = ffi.cast("char16_t *", places[1])

        return Answer(_SETS[URL_ACL], [records.wide(url), records.wide(sddl)]), fill

    def _certificates(self, kind: int, query: Any) -> tuple[Answer, Callable[[Any, list[int]], None]]:
        named = kind == NAMED_CERTIFICATE
        known = [endpoint for endpoint in self._machine.bindings if records.is_name(endpoint) == named]
        endpoint = _pick(known, query, lambda: records.read_endpoint(kind, query.KeyDesc))
        found = self._machine.bindings[endpoint]
        address = records.socket_address(endpoint)

        def fill(record: Any, places: list[int]) -> None:
            if named:
                memory.write(memory.number(ffi.addressof(record.KeyDesc.IpPort)), address)
                record.KeyDesc.Host = ffi.cast("char16_t *", places[0])
            else:
                record.KeyDesc.pIpPort = ffi.cast("SOCKADDR *", places[0])
            param = record.ParamDesc
            param.SslHashLength, param.pSslHash = len(found.thumbprint), ffi.cast("void *", places[2])
            memory.write(memory.number(ffi.addressof(param.AppId)), found.app)
            param.pSslCertStoreName = ffi.cast("char16_t *", places[1])
            param.DefaultCertCheckMode, param.DefaultFlags = found.mode, found.flags

        first = records.wide(endpoint[0]) if named else address
        return Answer(_SETS[kind], [first, records.wide(found.store), found.thumbprint]), fill


def _pick(known: list[Any], query: Any, key: Callable[[], Any]) -> Any:
    """Find the record that a query is about; raises Win32."""
    if query.QueryDesc == _NEXT:
        # source: HTTP_SERVICE_CONFIG_URLACL_QUERY: dwToken 0, 1, 2 and so forth, then ERROR_NO_MORE_ITEMS
        if query.dwToken >= len(known):
            raise Win32(c.NO_MORE_ITEMS)
        return known[query.dwToken]
    if query.QueryDesc != _EXACT:
        raise Win32(c.INVALID_PARAMETER)
    wanted = key()
    # source: "SslCertBinding.Net": ERROR_FILE_NOT_FOUND for a record that is not there
    if wanted not in known:
        raise Win32(c.FILE_NOT_FOUND)
    return wanted


def _canonical(url: str) -> str:
    """Give a URL prefix as it is stored; raises Win32."""
    parse(url)
    return url.lower()

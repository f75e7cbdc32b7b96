"""httpapi.dll: the machine's configuration, of which the fake has URL reservations."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.routing import parse

if TYPE_CHECKING:
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.process import Process

_URL_ACL = 2


class ServiceCalls:
    """HttpSetServiceConfiguration and its like, for HttpServiceConfigUrlAclInfo."""

    _process: Process
    _machine: Machine

    def _url_acl(
        self, service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> tuple[str, str | None]:
        """Read HTTP_SERVICE_CONFIG_URLACL_SET; raises Win32."""
        if service != ffi.NULL or overlapped != ffi.NULL or info == ffi.NULL:
            raise Win32(c.INVALID_PARAMETER)
        if kind != _URL_ACL:
            raise Win32(c.NOT_SUPPORTED)
        if size < ffi.sizeof("HTTP_SERVICE_CONFIG_URLACL_SET"):
            raise Win32(c.INVALID_PARAMETER)
        if not self._process.administrator:
            raise Win32(c.ACCESS_DENIED)
        acl = ffi.cast("HTTP_SERVICE_CONFIG_URLACL_SET *", info)
        url = memory.text(acl.KeyDesc.pUrlPrefix)
        if url is None:
            raise Win32(c.INVALID_PARAMETER)
        parse(url)
        return url.lower(), memory.text(acl.ParamDesc.pStringSecurityDescriptor)

    def HttpSetServiceConfiguration(
        self, service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> int:
        # source: HttpSetServiceConfiguration: ERROR_ALREADY_EXISTS for a record that is there
        url, sddl = self._url_acl(service, kind, info, size, overlapped)
        reservations = self._machine.reservations or {}
        if url in reservations:
            raise Win32(c.ALREADY_EXISTS)
        if not sddl:
            raise Win32(c.INVALID_PARAMETER)
        users = {user for user in self._machine.users if self._machine.sid(user) in sddl or ";;;WD)" in sddl}
        self._machine.reserve({**reservations, url: users})
        return c.OK

    def HttpDeleteServiceConfiguration(
        self, service: Any, kind: int, info: Any, size: int, overlapped: Any
    ) -> int:
        # source: HttpDeleteServiceConfiguration: ERROR_FILE_NOT_FOUND for a record that is not there
        url, _ = self._url_acl(service, kind, info, size, overlapped)
        reservations = dict(self._machine.reservations or {})
        if reservations.pop(url, None) is None:
            raise Win32(c.FILE_NOT_FOUND)
        self._machine.reserve(reservations)
        return c.OK

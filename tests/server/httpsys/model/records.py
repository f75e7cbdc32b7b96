"""Records of the machine's configuration, in memory: read from a caller's structures, and written into its buffers."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from attrs import frozen

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from collections.abc import Sequence

CERTIFICATE, URL_ACL, NAMED_CERTIFICATE = 1, 2, 5
"""HTTP_SERVICE_CONFIG_ID."""

_AF_INET, _AF_INET6 = 2, 23
_THUMBPRINT = 20
_LONGEST_STORE_NAME = 260

Endpoint = tuple[str, int]
"""What a certificate is bound to: an address or a name, and a port."""


@frozen
class CertificateRecord:
    """HTTP_SERVICE_CONFIG_SSL_PARAM."""

    thumbprint: bytes
    app: bytes
    store: str
    mode: int
    flags: int


def read_url(key: Any) -> str:
    """Read HTTP_SERVICE_CONFIG_URLACL_KEY."""
    url = memory.text(key.pUrlPrefix)
    if url is None:
        raise Win32(c.INVALID_PARAMETER)
    return url


def read_endpoint(kind: int, key: Any) -> Endpoint:
    """Read HTTP_SERVICE_CONFIG_SSL_KEY, or HTTP_SERVICE_CONFIG_SSL_SNI_KEY."""
    if kind == NAMED_CERTIFICATE:
        address, port = _read_address(memory.number(ffi.addressof(key.IpPort)))
        name = memory.text(key.Host)
        # source: HTTP_SERVICE_CONFIG_SSL_SNI_KEY: IpPort must be the IPv4 wildcard; the code is that of netsh for it
        if address != "0.0.0.0" or not name:
            raise Win32(c.INVALID_PARAMETER)
        return name.lower(), port
    if key.pIpPort == ffi.NULL:
        raise Win32(c.INVALID_PARAMETER)
    return _read_address(memory.number(key.pIpPort))


def _read_address(place: int) -> Endpoint:
    raw = memory.read(place, 28) or memory.read(place, 16) or b""
    if len(raw) < 16:
        raise Win32(c.NOACCESS)
    (family,) = struct.unpack_from("<H", raw)
    (port,) = struct.unpack_from("!H", raw, 2)
    if not port or family not in {_AF_INET, _AF_INET6}:
        raise Win32(c.INVALID_PARAMETER)
    if family == _AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), port
    return f"[{socket.inet_ntop(socket.AF_INET6, raw[8:24])}]", port


def read_certificate(param: Any) -> CertificateRecord:
    """Read HTTP_SERVICE_CONFIG_SSL_PARAM."""
    thumbprint = memory.read(memory.number(param.pSslHash), param.SslHashLength) if param.pSslHash else b""
    return CertificateRecord(
        thumbprint=thumbprint or b"",
        app=bytes(ffi.buffer(ffi.addressof(param.AppId))),
        # source: HTTP_SERVICE_CONFIG_SSL_PARAM: NULL is "MY"
        store=memory.text(param.pSslCertStoreName) or "MY",
        mode=param.DefaultCertCheckMode,
        flags=param.DefaultFlags,
    )


def is_whole(record: CertificateRecord) -> bool:
    """Whether a record can be stored."""
    return len(record.thumbprint) == _THUMBPRINT and len(record.store) <= _LONGEST_STORE_NAME


class Answer:
    """A structure for a caller's buffer, with what it points to behind it."""

    def __init__(self, name: str, pieces: Sequence[bytes]) -> None:
        self.name = name
        self.pieces = pieces
        self.size = ffi.sizeof(name) + sum(map(len, pieces))

    def write(self, address: int) -> tuple[Any, list[int]]:
        """Write it; gives the structure, and where its pieces are."""
        memory.write(address, bytes(self.size))
        places = []
        place = address + ffi.sizeof(self.name)
        for piece in self.pieces:
            memory.write(place, piece)
            places.append(place)
            place += len(piece)
        return ffi.cast(f"{self.name} *", address), places


def wide(text: str) -> bytes:
    """Give text as a caller gets it."""
    return text.encode("utf-16-le") + b"\0\0"


def socket_address(endpoint: Endpoint) -> bytes:
    """Give the SOCKADDR of an endpoint; that of a name is every IPv4 address."""
    host, port = endpoint
    if host.startswith("["):
        packed = socket.inet_pton(socket.AF_INET6, host[1:-1])
        return struct.pack("<H", _AF_INET6) + struct.pack("!HI", port, 0) + packed + bytes(8)
    try:
        packed = socket.inet_pton(socket.AF_INET, host)
    except OSError:
        packed = bytes(4)
    return struct.pack("<H", _AF_INET) + struct.pack("!H", port) + packed + bytes(8)


def is_name(endpoint: Endpoint) -> bool:
    """Whether an endpoint is a name, and not an address."""
    host, _ = endpoint
    return not host.startswith("[") and not host.replace(".", "").isdigit()

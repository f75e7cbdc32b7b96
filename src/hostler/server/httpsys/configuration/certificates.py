"""Which certificate a client gets: bindings (HttpServiceConfigSSLCertInfo, HttpServiceConfigSslSniCertInfo)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final
from uuid import UUID

from attrs import field, frozen

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.configuration.endpoint import TlsEndpoint
from hostler.server.httpsys.constants import ServiceConfigId, SslFlag
from hostler.server.httpsys.marshal.address import address_at, read_address
from hostler.server.httpsys.marshal.memory import location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.server.httpsys.configuration.store import ConfigurationStore
    from hostler.windows.libraries import CData

__all__ = ["CertificateBinding", "bind", "bindings", "find", "remove"]

_AF_INET: Final = 2
_AF_INET6: Final = 23
_ANY: Final = IPv4Address(0)
_BY_ADDRESS: Final = ServiceConfigId.SSL_CERT_INFO
_BY_NAME: Final = ServiceConfigId.SSL_SNI_CERT_INFO


@frozen
class CertificateBinding:
    """A certificate, and where clients get it."""

    endpoint: TlsEndpoint

    thumbprint: bytes
    """The SHA-1 of the certificate; empty where the central certificate store has it."""

    app: UUID
    """Whose binding it is, to be told apart from those of others."""

    store: str = "MY"
    """In which store of the local machine the certificate is."""

    flags: SslFlag = field(default=SslFlag(0), converter=SslFlag)


def bind(store: ConfigurationStore, binding: CertificateBinding, *, replace: bool = False) -> None:
    """Bind a certificate, in place of the one that is bound if `replace` says so; raises Win32Error."""
    kind, record, _keep = _record(binding)
    if replace:
        _, query, _keep_query = _query(binding.endpoint)
        store.replace(kind, record, query)
    else:
        store.add(kind, record)


def remove(store: ConfigurationStore, endpoint: TlsEndpoint) -> None:
    """Remove what is bound there; raises Win32Error."""
    kind, record, _keep = _record(CertificateBinding(endpoint, b"", UUID(int=0)))
    store.remove(kind, record)


def find(store: ConfigurationStore, endpoint: TlsEndpoint) -> CertificateBinding | None:
    """Return what is bound exactly there; raises Win32Error."""
    kind, query, _keep = _query(endpoint)
    memory = store.find(kind, query)
    return None if memory is None else _read(kind, memory)


def bindings(store: ConfigurationStore) -> Iterator[CertificateBinding]:
    """Yield every binding of the machine, those of addresses first; raises Win32Error."""
    for memory in store.each(_BY_ADDRESS, ffi.new("HTTP_SERVICE_CONFIG_SSL_QUERY *")):
        yield _read(_BY_ADDRESS, memory)
    for memory in store.each(_BY_NAME, ffi.new("HTTP_SERVICE_CONFIG_SSL_SNI_QUERY *")):
        yield _read(_BY_NAME, memory)


# -- structures -------------------------------------------------------------------------------------------------------


def _socket_address(endpoint: TlsEndpoint) -> bytes:
    """Write a SOCKADDR; a name's is that of every IPv4 address (HTTP_SERVICE_CONFIG_SSL_SNI_KEY)."""
    address = _ANY if endpoint.address is None else endpoint.address
    if isinstance(address, IPv6Address):
        return struct.pack("<H", _AF_INET6) + struct.pack("!H4x16s4x", endpoint.port, address.packed)
    return struct.pack("<H", _AF_INET) + struct.pack("!H4s8x", endpoint.port, address.packed)


def _key(endpoint: TlsEndpoint, key: CData) -> list[CData]:
    """Fill in a key; returns what it points to, to be kept."""
    address = _socket_address(endpoint)
    if endpoint.address is None:
        ffi.memmove(ffi.addressof(key.IpPort), address, len(address))
        key.Host = name = ffi.new("char16_t[]", endpoint.host)
        return [name]
    pointed = ffi.new("char[]", address)
    key.pIpPort = ffi.cast("SOCKADDR *", pointed)
    return [pointed]


def _record(binding: CertificateBinding) -> tuple[ServiceConfigId, CData, list[CData]]:
    """Make the structure of a binding; returns its kind, it, and what it points to, to be kept."""
    kind, name = _kind(binding.endpoint, "SET")
    record = ffi.new(f"{name} *")
    keep = _key(binding.endpoint, record.KeyDesc)
    param = record.ParamDesc
    thumbprint, store = ffi.new("char[]", binding.thumbprint), ffi.new("char16_t[]", binding.store)
    if binding.thumbprint:
        param.SslHashLength, param.pSslHash = len(binding.thumbprint), thumbprint
    ffi.memmove(ffi.addressof(param.AppId), binding.app.bytes_le, 16)
    param.pSslCertStoreName = store
    param.DefaultFlags = binding.flags
    return kind, record, [*keep, thumbprint, store]


def _query(endpoint: TlsEndpoint) -> tuple[ServiceConfigId, CData, list[CData]]:
    kind, name = _kind(endpoint, "QUERY")
    query = ffi.new(f"{name} *")
    return kind, query, _key(endpoint, query.KeyDesc)


def _kind(endpoint: TlsEndpoint, part: str) -> tuple[ServiceConfigId, str]:
    """Return the kind of record that an endpoint has, and how a structure for it is called."""
    if endpoint.address is None:
        return _BY_NAME, f"HTTP_SERVICE_CONFIG_SSL_SNI_{part}"
    return _BY_ADDRESS, f"HTTP_SERVICE_CONFIG_SSL_{part}"


def _read(kind: ServiceConfigId, memory: CData) -> CertificateBinding:
    if kind is _BY_NAME:
        record = ffi.cast("HTTP_SERVICE_CONFIG_SSL_SNI_SET *", memory)
        _, port = address_at(location(ffi.addressof(record.KeyDesc.IpPort)))
        host = ffi.string(record.KeyDesc.Host)
    else:
        record = ffi.cast("HTTP_SERVICE_CONFIG_SSL_SET *", memory)
        host, port = read_address(record.KeyDesc.pIpPort)
        host = f"[{host}]" if ":" in host else host
    param = record.ParamDesc
    return CertificateBinding(
        endpoint=TlsEndpoint(host, port),
        thumbprint=bytes(ffi.buffer(param.pSslHash, param.SslHashLength)) if param.pSslHash else b"",
        app=UUID(bytes_le=bytes(ffi.buffer(ffi.addressof(param.AppId)))),
        store=ffi.string(param.pSslCertStoreName) if param.pSslCertStoreName else "MY",
        flags=param.DefaultFlags,
    )

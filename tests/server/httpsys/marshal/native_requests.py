"""Building HTTP_REQUEST structures with cffi, member by member: independent of how they are read."""

import ipaddress
import struct
from types import SimpleNamespace

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import REQUEST_HEADERS, Verb

IDS = {name.lower(): number for number, name in enumerate(REQUEST_HEADERS)}
CLIENT, SERVER = ("192.0.2.7", 50123), ("198.51.100.1", 8080)


def sockaddr(host, port, *, scope=0):
    """Return a SOCKADDR pointer, for an address in text."""
    address = ipaddress.ip_address(host)
    if address.version == 4:
        made = ffi.new("SOCKADDR_IN *")
        made.sin_family = 2
        made.sin_addr.S_un.S_addr = int.from_bytes(address.packed, "little")
        made.sin_port = struct.unpack("=H", struct.pack("!H", port))[0]
    else:
        made = ffi.new("SOCKADDR_IN6 *")
        made.sin6_family, made.sin6_scope_id = 23, scope
        made.sin6_addr.u.Byte = list(address.packed)
        made.sin6_port = struct.unpack("=H", struct.pack("!H", port))[0]
    return made


class NativeRequest:
    """An HTTP_REQUEST, `pointer`, and the owner of what it points to."""

    def __init__(
        self,
        method=b"GET",
        target=b"/",
        headers=((b"Host", b"example.com"),),
        *,
        version=(1, 1),
        client=CLIENT,
        server=SERVER,
        body=False,
        **members,
    ):
        self._kept = []
        self.pointer = self.native = ffi.new("HTTP_REQUEST *")
        self.native.Version = version
        self.native.UnknownVerbLength = 0xDEAD  # means something only for a verb that is unknown
        name = method.decode("latin-1")
        if name in Verb.__members__ and Verb[name] > Verb.INVALID:
            self.native.Verb = Verb[name]
        else:
            self.native.Verb = Verb.UNKNOWN
            self.native.UnknownVerbLength, self.native.pUnknownVerb = len(method), self.text(method)
        self.native.RawUrlLength, self.native.pRawUrl = len(target), self.text(target)
        self.native.Address.pRemoteAddress = ffi.cast("SOCKADDR *", self.keep(sockaddr(*client)))
        self.native.Address.pLocalAddress = ffi.cast("SOCKADDR *", self.keep(sockaddr(*server)))
        self.native.Flags = int(body)
        self._headers(headers)
        for member, value in members.items():
            setattr(self.native, member, value)

    def keep(self, data):
        self._kept.append(data)
        return data

    def text(self, data):
        return self.keep(ffi.new("char[]", data))

    def _headers(self, headers):
        unknown = []
        for name, value in headers:
            number = IDS.get(name.lower())
            if number is None:
                unknown.append((name, value))
                continue
            known = self.native.Headers.KnownHeaders[number]
            assert not known.pRawValue, "HTTP.sys has one place for each known header"
            known.RawValueLength, known.pRawValue = len(value), self.text(value)
        table = self.keep(ffi.new("HTTP_UNKNOWN_HEADER[]", len(unknown)))
        for entry, (name, value) in zip(table, unknown, strict=True):
            entry.NameLength, entry.pName = len(name), self.text(name)
            entry.RawValueLength = len(value)
            entry.pRawValue = self.text(value) if value else ffi.NULL
        self.native.Headers.UnknownHeaderCount = len(unknown)
        self.native.Headers.pUnknownHeaders = table if unknown else ffi.NULL

    def infos(self, *infos):
        """Hang (type, structure) pairs on it."""
        table = self.keep(ffi.new("HTTP_REQUEST_INFO[]", len(infos)))
        for entry, (kind, info) in zip(table, infos, strict=True):
            entry.InfoType, entry.InfoLength = kind, ffi.sizeof(info[0]) if info else 0
            entry.pInfo = self.keep(info)
        self.native.pRequestInfo, self.native.RequestInfoCount = table, len(infos)
        return self


def ten_headers():
    """Return a request as a browser sends it, with ten headers, two of them unknown to HTTP.sys."""
    return SimpleNamespace(
        target=b"/articles/2024?page=2",
        headers=[
            (b"Connection", b"keep-alive"),
            (b"Accept", b"text/html,application/xhtml+xml"),
            (b"Accept-Encoding", b"gzip, deflate"),
            (b"Accept-Language", b"en-US,en;q=0.5"),
            (b"Cookie", b"session=0123456789abcdef"),
            (b"Host", b"www.example.com"),
            (b"Referer", b"http://www.example.com/articles"),
            (
                b"User-Agent",
                b"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
            ),
            (b"Sec-Fetch-Mode", b"navigate"),
            (b"X-Request-Id", b"7b1f0c52"),
        ],
    )

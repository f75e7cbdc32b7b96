"""What HTTP.sys keeps of responses and answers requests with (HTTP_CACHE_POLICY), and dropping it.

A response is kept that leaves whole with HttpSendHttpResponse, as the answer to a GET that has no body, no Authorization,
no Range; the rest is up to HTTP.sys, which says nothing of what it keeps ("Kernel Mode Cache").

It is kept under the cooked URL: decoded, with `/` for a backslash and for %2F, without dot segments (HttpSysServer#146).
Several URLs have the same one, and the destination, which gets what the client wrote, may answer each otherwise: so only
the answer to a path that is spelled plainly is kept.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_to_bytes

from hostler.caching import check_url, lifetime
from hostler.errors import UnsupportedError
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.calling import call
from hostler.server.httpsys.constants import CachePolicy, FlushFlag
from hostler.server.httpsys.sending import LARGEST
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from hostler.http.message import Response
    from hostler.native import Caching
    from hostler.server.httpsys.api import HttpApi
    from hostler.server.httpsys.framing import Framing
    from hostler.server.httpsys.marshal.request import Arrival
    from hostler.windows.libraries import CData
    from hostler.windows.port import IoHandle

__all__ = ["cache_policy", "flush"]

_LONGEST: Final = 0x7FFF_FFFF
"""Seconds that ASP.NET gives at most."""

_ESCAPED: Final = rb"2[023]|3[CE]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]"
"""What has to be escaped in a path, and is nothing but itself then: a space, quotes, brackets, what is not ASCII."""

_PLAIN: Final = re.compile(
    rb"(?:/(?!\.\.?(?:/|$))(?:[\w.~!$&'()*+,;=:@-]|%%(?:%b))+)*/?" % _ESCAPED, re.IGNORECASE
)
"""A path that no other is cooked into: no empty or dot segment, and each character as only it is written (RFC 3986 3.3)."""


def cache_policy(
    caching: Caching | None, response: Response, framing: Framing, arrival: Arrival
) -> CData | None:
    """Return the HTTP_CACHE_POLICY of a response, None when it is not to be kept.

    `caching` is None where nobody has asked for it to be kept.
    """
    if caching is None:
        return None
    given, request = caching.seconds, arrival.request
    if request.method != "GET" or arrival.has_body or arrival.authenticated is not None:
        return None
    if framing.left is None or framing.left > LARGEST:
        return None  # of chunks of our own, which other protocols cannot have; or too large in any case
    if framing.closing:
        return None  # others would be told that their connections end
    seconds = lifetime(response, given)
    if seconds is None or not _is_plain(request.target) or not caching.allowed():
        return None
    if math.isinf(seconds) and given is not None:
        return ffi.new("HTTP_CACHE_POLICY *", (CachePolicy.USER_INVALIDATES, 0))
    return ffi.new("HTTP_CACHE_POLICY *", (CachePolicy.TIME_TO_LIVE, int(min(seconds, _LONGEST))))


def _is_plain(target: bytes) -> bool:
    """Whether no other path than a target's is cooked into the same URL."""
    path = target.partition(b"?")[0]
    try:
        unquote_to_bytes(path).decode()  # what is no UTF-8 is taken for Latin-1
    except UnicodeDecodeError:
        return False
    return path.startswith(b"/") and _PLAIN.fullmatch(path) is not None


async def flush(http: HttpApi, io: IoHandle, url: str, *, recursive: bool) -> None:
    """Drop what is kept of a URL, with `recursive` of all below it too (HttpFlushResponseCache).

    Raises ValueError for what is no absolute URL, UnsupportedError, and Win32Error when no name of it is known.
    """
    names = _names(url)
    if not exports(http, "HttpFlushResponseCache"):
        raise UnsupportedError("this httpapi.dll has no HttpFlushResponseCache, and so no cache of responses")
    flags = FlushFlag.RECURSIVE if recursive else 0
    codes = [await _flush(http, io, name, flags) for name in names]
    if all(codes):
        raise Win32Error(codes[0], "HttpFlushResponseCache", url)


async def _flush(http: HttpApi, io: IoHandle, name: str, flags: int) -> int:
    text = ffi.new("char16_t[]", name)
    code, _ = await call(
        io, lambda _, overlapped: http.HttpFlushResponseCache(io.handle, text, flags, overlapped), text
    )
    return 0 if code == ErrorCode.ERROR_FILE_NOT_FOUND else code


def _names(url: str) -> list[str]:
    """Return what HTTP.sys may call a URL: as it cooks it, and with the host of a prefix that is a wildcard.

    No page says which of them it is under such a prefix, so that all are flushed; one that is not known costs a call.
    """
    parts = check_url(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    path = unquote(parts.path or "/")
    rest = f"{path}?{parts.query}" if parts.query else path
    return [f"{parts.scheme}://{name}:{port}{rest}" for name in dict.fromkeys((host.lower(), "+", "*"))]

"""Getting one small document, with a limit on its size and on the time it takes."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hostler.errors import ProtocolError
from hostler.http.body import body_reader
from hostler.http.encode import encode_request
from hostler.http.h1 import ResponseReader
from hostler.http.headers import Headers
from hostler.http.message import Request

if TYPE_CHECKING:
    from hostler.http.message import Response

__all__ = ["fetch"]

_PIECE: Final = 1 << 16
_PORTS: Final = {"http": 80, "https": 443}


async def fetch(
    url: str, *, max_size: int, timeout: float, accept: str = "*/*", context: ssl.SSLContext | None = None
) -> bytes:
    """Return the body of the 200 that answers a GET of an http or https URL; a redirect is not followed.

    `max_size` is in bytes, `timeout` in seconds, all together. `context` is for https, the system's trust by default.
    Raises OSError, also for an answer that is too large, too late, no HTTP, or has another status.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _fetch(url, max_size, accept, context)
    except TimeoutError:
        raise TimeoutError(f"no answer within {timeout:g} s") from None
    except ProtocolError as error:
        raise OSError(f"the answer is not HTTP: {error}") from error
    except UnicodeError as error:  # a name like no other
        raise OSError(f"{urlsplit(url).hostname} is not a host: {error}") from error


async def _fetch(url: str, max_size: int, accept: str, context: ssl.SSLContext | None) -> bytes:
    parts = urlsplit(url)
    if parts.scheme == "https" and context is None:
        context = await asyncio.to_thread(ssl.create_default_context)  # which reads many certificates
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or _PORTS[parts.scheme], ssl=context if parts.scheme == "https" else None
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = Headers.of(
            [
                ("Host", parts.netloc.rpartition("@")[2]),
                ("User-Agent", "hostler"),
                ("Accept", accept),
                ("Accept-Encoding", "identity"),
                ("Connection", "close"),
            ]
        )
        writer.write(encode_request(Request("GET", target.encode("ascii"), headers)))
        return await _receive(reader, max_size)
    finally:
        writer.transport.abort()  # nothing more is wanted of it, whatever it has still to say


async def _receive(reader: asyncio.StreamReader, max_size: int) -> bytes:
    response, unread = await _head(reader)
    if response.status != 200:
        raise OSError(f"the answer's status is {response.status}")
    if response.framing > max_size:
        raise OSError(f"the answer has {response.framing} bytes, more than {max_size}")
    body = body_reader(response.framing)
    content = b"" if body.complete else body.feed(unread)
    while len(content) <= max_size and not body.complete:
        piece = await reader.read(_PIECE)
        if piece:
            content += body.feed(piece)
        else:
            body.end()
    if len(content) > max_size:
        raise OSError(f"the answer has more than {max_size} bytes")
    return content


async def _head(reader: asyncio.StreamReader) -> tuple[Response, bytes]:
    """Return the head of the final response, and what has come of its body."""
    heads = ResponseReader("GET")
    data = b""
    while True:
        response = heads.feed(data)
        if response is None:
            data = await reader.read(_PIECE)
            if not data:
                raise OSError("the connection was closed without an answer")
        elif response.status >= 200:
            return response, heads.unread
        else:
            data = heads.unread

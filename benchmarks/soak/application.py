"""What destinations and workers of a soak serve."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

__all__ = ["answer_to", "app"]

_SLOW_ONE_IN = 8
_DELAY = 0.03


def answer_to(path: str, size: int) -> bytes:
    """Return the one right answer to a request for `path` with a body of `size` bytes."""
    return f"{path} {size} {zlib.crc32(path.encode())}\n".encode()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body, think for a moment about some requests, and say which request this answers (ASGI)."""
    if scope["type"] != "http":
        raise NotImplementedError
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    path = scope["path"]
    if zlib.crc32(path.encode()) % _SLOW_ONE_IN == 0:
        await asyncio.sleep(_DELAY)
    answer = answer_to(path, size)
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

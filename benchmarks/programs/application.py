"""The ASGI application that hostler's worker, uvicorn, hypercorn and granian serve."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.cases import body_of

_BODIES: Final = {path: body_of(path) for path in ("/small", "/1m")}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer as the destination does (ASGI)."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body = _BODIES[scope["path"]]
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Any, send: Any) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})

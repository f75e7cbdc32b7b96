"""Applications for the processes that these tests start."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import hostler


async def app(scope, receive, send):
    """Say which process answers; /wait: once the file RELEASE exists; /die: end instead; /half: half of it."""
    if scope["type"] != "http":
        raise NotImplementedError
    received = 0
    while True:
        message = await receive()
        received += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    if scope["path"].endswith("/wait"):
        sys.stderr.write("waiting\n")
        sys.stderr.flush()
        release = Path(os.environ["RELEASE"])
        while not release.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
            await asyncio.sleep(0.01)
    if scope["path"].endswith("/half"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half ", "more_body": True})
        await asyncio.Event().wait()
    if scope["path"].endswith("/die"):
        os._exit(1)
    answer = b"%d %d" % (os.getpid(), received)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})


async def stubborn(scope, receive, send):
    """Refuse to start."""
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "Traceback: ...\nOSError: no database\n"})


if __name__ == "__main__":
    hostler.serve(app, urls=["http://127.0.0.1:0/"], workers=int(sys.argv[1]) or None)

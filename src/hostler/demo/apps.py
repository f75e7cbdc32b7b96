"""What answers in the demo: an ASGI application that says which process it runs in, and what it received."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hostler.asgi.messages import Receive, Scope, Send

__all__ = ["Answering", "worker"]


class Answering:
    """Answers every request with a line of JSON; `name` says who it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"the demo answers http, not {scope['type']}")
        digest, received, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            body = message.get("body", b"")
            digest.update(body)
            received += len(body)
            more = message.get("more_body", False)
        answer = {
            "answered_by": self._name,
            "process": os.getpid(),
            "request": f"{scope['method']} {scope['path']}",
            "received": received,
            "sha256": digest.hexdigest()[:16],
        }
        text = json.dumps(answer).encode() + b"\n"
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


worker = Answering("worker")
"""What the worker processes serve."""

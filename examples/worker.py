"""A worker: two processes answer what is delegated to the queue `reports`. Any ASGI application will do."""

import os

import hostler


async def app(scope, receive, send):
    """Say which process answers."""
    assert scope["type"] == "http"
    body = f"{scope['path']}, answered by process {os.getpid()}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    hostler.serve(app, queue="reports", workers=2)

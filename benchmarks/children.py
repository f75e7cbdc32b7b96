"""What runs in the Python processes of a run: `python -m benchmarks.children ROLE PORT [DESTINATION]`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import hostler
from benchmarks.cases import LARGE_SIZE, SMALL_BODY
from hostler.asgi import Application
from hostler.processes.loop import run_loop
from hostler.processes.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE: Final = "bench"
_LARGE_BODY: Final = b"x" * LARGE_SIZE


async def _stopped() -> None:
    """Wait until this process is asked to stop."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()


def _proxy(destination: str | hostler.Destination) -> hostler.Proxy:
    return hostler.Proxy([hostler.Route("/{**rest}", "all")], [hostler.Cluster("all", [destination])])


def forward(port: int, destination: str, *, quiet: bool = True) -> None:
    """Forward with hostler's default pipeline."""
    hostler.run(_proxy(destination), [f"http://127.0.0.1:{port}/"], quiet=quiet, grace=1)


def forward_logged(port: int, destination: str) -> None:
    """Forward, and write an access line per request."""
    forward(port, destination, quiet=False)


def delegate(port: int) -> None:
    """Delegate to the worker's queue."""
    proxy = _proxy(hostler.queue(QUEUE, "http://*:80/"))
    hostler.run(proxy, [f"http://127.0.0.1:{port}/"], quiet=True, grace=1)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer as the destination does (ASGI)."""
    assert scope["type"] == "http"
    body = _LARGE_BODY if scope["path"] == "/large" else SMALL_BODY
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def worker(port: int) -> None:
    """Serve the application from the queue, and on a port of its own."""

    async def main() -> int:
        urls = [f"http://127.0.0.1:{port}/"]
        mode = hostler.QueueMode.CREATE_OR_ATTACH
        async with serving(Application(app), urls, queue=QUEUE, mode=mode, grace=1):
            await _stopped()
        return 0

    run_loop(main)


class _Destination(asyncio.Protocol):
    """Answers with as little as it can; stands in for nginx where there is none."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            body = _LARGE_BODY if head.startswith(b"GET /large ") else SMALL_BODY
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            self._transport.write(body)


def destination(port: int) -> None:
    """Serve the two answers and nothing else."""

    async def main() -> int:
        server = await asyncio.get_running_loop().create_server(_Destination, "127.0.0.1", port)
        async with server:
            await _stopped()
        return 0

    run_loop(main)


def aiohttp_proxy(port: int, destination: str) -> None:
    """Forward with aiohttp at its best: its low-level server, one pooled session, both bodies streamed."""
    import aiohttp  # noqa: PLC0415 - a peer that may be missing
    from aiohttp import web  # noqa: PLC0415 - as above
    from multidict import CIMultiDict  # noqa: PLC0415 - as above
    from yarl import URL  # noqa: PLC0415 - as above

    dropped = frozenset({
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "host",
    })  # fmt: skip

    async def main() -> int:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None, sock_read=100),
        )

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            headers = CIMultiDict(item for item in request.headers.items() if item[0].lower() not in dropped)
            headers["X-Forwarded-For"] = request.remote or ""
            headers["X-Forwarded-Host"] = request.host
            headers["X-Forwarded-Proto"] = request.scheme
            url = URL(destination + request.raw_path, encoded=True)
            data = request.content if request.body_exists else None
            sending = session.request(request.method, url, headers=headers, data=data, allow_redirects=False)
            async with sending as answer:
                passed = CIMultiDict(
                    item for item in answer.headers.items() if item[0].lower() not in dropped
                )
                response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
            return response

        async with session:
            runner = web.ServerRunner(web.Server(handle, access_log=None))
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1).start()
                await _stopped()
            finally:
                await runner.cleanup()
        return 0

    run_loop(main)


ROLES: Final[dict[str, Callable[..., None]]] = {
    "forward": forward,
    "forward-logged": forward_logged,
    "delegate": delegate,
    "worker": worker,
    "destination": destination,
    "aiohttp": aiohttp_proxy,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])

"""A proxy of aiohttp at its best: its low-level server, one pooled session, both bodies streamed."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Final

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_DROPPED: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host",
})  # fmt: skip


async def main(port: int, destination: str) -> None:
    """Forward until SIGTERM."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=100),
    )

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        headers = CIMultiDict(item for item in request.headers.items() if item[0].lower() not in _DROPPED)
        headers["X-Forwarded-For"] = request.remote or ""
        headers["X-Forwarded-Host"] = request.host
        headers["X-Forwarded-Proto"] = request.scheme
        url = URL(destination + request.raw_path, encoded=True)
        data = request.content if request.body_exists else None
        sending = session.request(request.method, url, headers=headers, data=data, allow_redirects=False)
        async with sending as answer:
            passed = CIMultiDict(item for item in answer.headers.items() if item[0].lower() not in _DROPPED)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
        return response

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with session:
        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=1, backlog=4096).start()
            await stopped.wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(main(int(sys.argv[1]), sys.argv[2]))

"""Serves something on HTTP.sys, through `hostler.serving`, as the test says; the test sends it what to do.

Settings: `what` is handlers, application or proxy (to `address`), `completion` how completions arrive, `receives` how
many wait at a time.
"""

from __future__ import annotations

import asyncio
import logging
import socket

import hostler.server.httpsys.server as server_module
from hostler import serving
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import HttpSysOptions
from tests.wine.programs import served_handlers, wine_api
from tests.wine.programs.channel import Channel

RECEIVES = 32
"""More than a test has connections ("waiting requests" in tests/wine/limits.py)."""

GRACE = 5.0


class Commands:
    """What a test can have the program do."""

    def __init__(self, served, handler):
        self._server = served.server
        self._handler = handler

    async def counts(self):
        """Say what happened so far, and what is alive."""
        port = self._server._port
        return {
            **getattr(self._handler, "counts", {}),
            "pending": len(port.operations),
            "streams": len(self._server._context.streams),
        }

    async def go(self):
        """Let those handlers go on that wait."""
        self._handler.go.set()

    async def reset(self):
        """Have handlers wait again, and count from zero."""
        self._handler.go.clear()
        self._handler.counts.update(dict.fromkeys(self._handler.counts, 0))

    async def until(self, name, count):
        """Wait until that has happened so often."""
        while self._handler.counts[name] < count:  # noqa: ASYNC110 - counted in many places
            await asyncio.sleep(0.01)

    async def close_queue(self):
        """Close the queue under the server, as nobody should."""
        self._server._context.io.close()
        await self._server._port.drained()

    async def stop(self, grace):
        """Stop the server; says what is left."""
        await self._server.stop(grace)
        return self._left()

    async def stop_and_go(self, grace):
        """Stop the server, and let those handlers go on that wait; says what is left."""
        stopping = asyncio.create_task(self._server.stop(grace))
        await asyncio.sleep(0)
        self._handler.go.set()
        await stopping
        return self._left()

    def _left(self):
        return {"pending": len(self._server._port.operations), "tasks": len(self._server._handling.tasks)}


def make_handler(settings):
    """Make what is served."""
    what = settings["what"]
    if what == "application":
        return served_handlers.application()
    if what == "proxy":
        return served_handlers.proxy(settings["address"])
    return served_handlers.Handlers()


async def main(channel):
    """Serve until the test is gone."""
    settings = channel.settings
    handler = make_handler(settings)
    own = HttpSysOptions(completion=settings["completion"], receives=settings.get("receives", RECEIVES))
    url = f"http://127.0.0.1:{free_port()}/"
    options = ServerOptions(httpsys=own)
    async with serving(handler, [url], options=options, grace=GRACE) as served:
        channel.say({"url": served.url, "port": type(served.server._port).__name__})
        await channel.obey(Commands(served, handler))


def free_port():
    """Return a port that nobody listens on, on any address."""
    with socket.socket() as sock:
        sock.bind(("", 0))
        return sock.getsockname()[1]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(levelname)s %(name)s: %(message)s")
    server_module.load = wine_api.load
    asyncio.run(main(Channel()))

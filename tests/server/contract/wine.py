"""The HTTP.sys server on Wine, for the behaviour suite; its servers all run in one process of Windows CPython."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from urllib.parse import urlsplit

from tests.server.contract.abilities import HTTPSYS_CANNOT
from tests.server.contract.machines import PROGRAM, Backend, Machine, Program
from tests.wine.limits import WINE_LIMITS
from tests.wine.program import PYTHONPATH, windows_path
from tests.wine.pulse import Pulse

SETTLING = 0.05
"""Seconds in which the driver takes the connection that keeps it awake; of several at once it may forget one."""


class Wine(Backend):
    """The server on HTTP.sys as Wine has it: its httpapi.dll and its driver, under Windows CPython."""

    name = "wine"
    cannot = MappingProxyType(
        HTTPSYS_CANNOT
        | {
            "100 continue": WINE_LIMITS["100 continue"],
            "another process": WINE_LIMITS["several queues"],
            "asterisk": WINE_LIMITS["unknown urls"],
            "broken bodies": WINE_LIMITS["disconnect notice"],
            "broken responses": WINE_LIMITS["request cancel"],
            "bytes in headers": "a header with a byte above 7F is answered with half a 400",
            "chunked requests": WINE_LIMITS["chunked request body"],
            "closing": WINE_LIMITS["close of a connection"],
            "delegation": WINE_LIMITS["delegation"],
            "disconnect notice": WINE_LIMITS["disconnect notice"],
            "full duplex": WINE_LIMITS["pending sends"],
            "half-closed clients": "it closes the connection of a client that sends no more",
            "head limit": "it closes the connection of a head that is too large",
            "http/1.0 keep-alive": "it does not say Connection: keep-alive",
            "ipv6": "it listens on IPv4 addresses only",
            "large bodies": WINE_LIMITS["large request body"],
            "malformed requests": "what is no request is answered with half a 400, or not at all",
            "named queues": WINE_LIMITS["queue names"],
            "own framing": "it adds Content-Length to a response that is sent in one call",
            "repeated headers": "the last value of a known request header replaces those before it",
            "repeated response headers": WINE_LIMITS["repeated headers"],
            "requests in pieces": WINE_LIMITS["large request body"],
            "requests without host": "a request without Host is answered with half a 400",
            "several prefixes": WINE_LIMITS["one url per group"],
            "slow clients": "it breaks off a large response to a client that does not read, now and then",
            "trailers": WINE_LIMITS["trailers"],
            "unmatched requests": WINE_LIMITS["unknown urls"],
            "upgrades": WINE_LIMITS["upgrades"],
            "wildcards": WINE_LIMITS["weak wildcard"],
        }
    )

    def __init__(self, wrapper):
        self._wrapper = wrapper
        self._program = None

    def start(self):
        """Start the process that is used for all tests, unless it runs."""
        if self._program is None or not self._program.is_running:
            self._program = Program(
                [self._wrapper, windows_path(PROGRAM)], "wine", {"WINE_PYTHONPATH": PYTHONPATH}
            )

    def machine(self, directory):
        return _WineMachine(self._program)

    def close(self):
        """End the process that is used for all tests."""
        if self._program is not None:
            self._program.kill()


class _WineMachine(Machine):
    def __init__(self, program):
        super().__init__()
        self._program = program

    async def serve(self, *arguments, **options):
        """Start a server, and keep Wine's driver awake for it."""
        node = await super().serve(*arguments, **options)
        for url in node.urls:
            self._stack.enter_context(Pulse(urlsplit(url).port))
        await asyncio.sleep(SETTLING)
        return node

    async def _here(self):
        node = await self._program.node()
        self._stack.push_async_callback(node.close)
        return node

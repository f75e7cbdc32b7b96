"""How exchanges end: by the client, by an upgrade, by a server that stops."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hostler.answering import begin_response
from hostler.doctor.proof.errors import expect
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.outcome import Kind

if TYPE_CHECKING:
    from hostler.contract import Stream
    from hostler.doctor.proof.clients import Client
    from hostler.doctor.proof.rig import Rig
    from hostler.errors import Failure
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome

__all__ = ["answers_while_stopping", "disconnects", "stop_under_load", "upgrade"]

_CLIENTS: Final = 4
_PATIENCE: Final = 5.0
_SETTLING: Final = 0.2
"""Seconds for a server that stops to stop what it should not."""


async def disconnects(rig: Rig) -> None:
    """A handler that waits learns that its client is gone."""
    begun, gone = asyncio.Event(), asyncio.Event()

    async def wait(exchange: Exchange) -> Outcome:
        begun.set()
        await exchange.channel().disconnected()
        gone.set()
        return exchange.outcome(Kind.FAILED)

    async with rig.serve(wait) as served:
        client = await rig.client(served.port)
        await client.ask("/")
        await begun.wait()
        client.reset()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await gone.wait()
        expect(gone.is_set(), "notice that the client is gone", "none in 5 seconds")


class _Echo:
    """The far end of a tunnel, a Pump: sends back what comes, in capitals, and ends when the client does."""

    def __init__(self, stream: Stream) -> None:
        self.over = asyncio.Event()
        self.open = False
        self._stream = stream

    def feed(self, data: bytes) -> None:
        """Send it back."""
        self._stream.write(data.upper())

    def feed_end(self, trailers: RawHeaders) -> None:
        """End as the client did; before the tunnel is open this is the end of the request."""
        if self.open:
            self._stream.end()
            self.over.set()

    def lost(self, failure: Failure) -> None:
        """Called when the client disconnected."""
        self.over.set()

    def pause(self) -> None:
        """Go on: what comes is a few words."""

    def resume(self) -> None:
        """Go on."""

    def going_away(self) -> None:
        """End the tunnel."""
        self.over.set()


async def upgrade(rig: Rig) -> None:
    """A 101, and then bytes both ways until the client ends."""

    async def echo(exchange: Exchange) -> Outcome:
        pump = _Echo(exchange.stream)
        exchange.stream.attach(pump)
        pump.open = True
        begin_response(exchange, Response(101, Headers([(b"Connection", b"upgrade"), (b"Upgrade", b"echo")])))
        await pump.over.wait()
        return exchange.outcome(Kind.RESPONDED)

    async with rig.serve(echo) as served:
        client = await rig.client(served.port)
        await client.ask("/", "Connection: Upgrade", "Upgrade: echo")
        head = await client.head()
        expect(head.status == 101, "101", head.status)
        for word in (b"one", b"two"):
            await client.send(word)
            heard = await client.exactly(3)
            expect(heard == word.upper(), f"{word.upper()!r}", heard)
        client.shut()
        await client.end()
        await client.close()


async def stop_under_load(rig: Rig) -> None:
    """A server that stops finishes what it has begun."""
    go_on = asyncio.Event()
    begun = 0
    all_begun = asyncio.Event()

    async def wait(exchange: Exchange) -> Outcome:
        nonlocal begun
        begun += 1
        if begun == _CLIENTS:
            all_begun.set()
        await go_on.wait()
        return await exchange.respond(200, "finished")

    async with rig.serve(wait) as served:
        clients: list[Client] = []
        for number in range(_CLIENTS):
            client = await rig.client(served.port)
            await client.ask(f"/{number}")
            clients.append(client)
        await all_begun.wait()
        stopping = asyncio.create_task(served.server.stop(_PATIENCE))
        await asyncio.sleep(_SETTLING)
        go_on.set()
        for client in clients:
            status, body = await client.answer()
            expect((status, body) == (200, b"finished"), "200 with b'finished'", (status, body))
        await stopping


async def answers_while_stopping(rig: Rig) -> None:
    """A connection that was kept is answered 503 while its server finishes what it has begun."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> Outcome:
        if exchange.path == "/long":
            begun.set()
            await go_on.wait()
        return await exchange.respond(200, "finished")

    async with rig.serve(answer) as served:
        kept, busy = await rig.client(served.port), await rig.client(served.port)
        await kept.ask("/")
        expect(await kept.answer() == (200, b"finished"), "200", "another answer")
        await busy.ask("/long")
        await begun.wait()
        stopping = asyncio.create_task(served.server.stop(2 * _PATIENCE))
        try:
            await asyncio.sleep(_SETTLING)
            await kept.ask("/late")
            status = None
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    status, _ = await kept.answer()
            expect(status == 503, "503 on a connection that was kept", status or "nothing in 5 seconds")
        finally:
            go_on.set()
            await stopping
        expect(await busy.answer() == (200, b"finished"), "200 of what had begun", "another answer")

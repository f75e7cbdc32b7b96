"""Requests arrive whole, and answers leave as they are written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from hostler.doctor.proof.errors import NotTriedError, expect
from hostler.errors import UnsupportedError
from hostler.server.options.httpsys import Completion
from hostler.windows.proactor import probe

if TYPE_CHECKING:
    from hostler.doctor.proof.rig import Rig
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["big_heads", "receive", "receive_by_the_loop", "streamed_answers", "upload"]

_UPLOAD: Final = 5 << 20
_PIECE: Final = 1 << 16
_SMALL_BUFFER: Final = 2048
_LARGE_HEADER: Final = 12_000
"""Bytes: less than HTTP.sys takes (MaxFieldLength, 16384), and more than the buffer has."""


async def receive(rig: Rig) -> None:
    """Two requests of one connection, with their method, target and a header."""
    await _two_requests(rig)


async def receive_by_the_loop(rig: Rig) -> None:
    """The same where the event loop's own port says what is over; its packets do not pass by, so nothing is recorded."""
    try:
        await probe(rig.unrecorded, asyncio.get_running_loop())
    except UnsupportedError as error:
        raise NotTriedError(str(error)) from error
    await _two_requests(rig, windows=rig.unrecorded, completion=Completion.PROACTOR)


async def _two_requests(rig: Rig, **options: Any) -> None:
    async def echo(exchange: Exchange) -> Outcome:
        (value,) = exchange.header_values(b"x-proof")
        target = exchange.raw_target.decode("latin-1")
        return await exchange.respond(200, f"{exchange.method} {target} {value.decode('latin-1')}")

    async with rig.serve(echo, **options) as served:
        client = await rig.client(served.port)
        for method, target in (("GET", "/a%20b?c=d"), ("REPORT", "/")):
            await client.ask(target, "X-Proof: e f", method=method)
            status, body = await client.answer()
            expected = f"{method} {target} e f".encode()
            expect((status, body) == (200, expected), f"200 with {expected!r}", (status, body))
        await client.close()


async def big_heads(rig: Rig) -> None:
    """A head that is larger than the buffer of a receive (ERROR_MORE_DATA)."""

    async def measure(exchange: Exchange) -> Outcome:
        (value,) = exchange.header_values(b"x-large")
        return await exchange.respond(200, str(len(value)))

    async with rig.serve(measure, receive_buffer=_SMALL_BUFFER) as served:
        for number in range(2):
            client = await rig.client(served.port)
            await client.ask(f"/{number}", f"X-Large: {'x' * _LARGE_HEADER}")
            status, body = await client.answer()
            expect(body == b"%d" % _LARGE_HEADER, f"200 with {_LARGE_HEADER}", (status, body))
            await client.close()


async def upload(rig: Rig) -> None:
    """5 MB with a length, and 1 MB in chunks."""

    async def count(exchange: Exchange) -> Outcome:
        size = 0
        async for piece in exchange.chunks():
            size += len(piece)
        return await exchange.respond(200, str(size))

    async with rig.serve(count) as served:
        client = await rig.client(served.port)
        await client.ask("/length", f"Content-Length: {_UPLOAD}", method="POST")
        for _ in range(_UPLOAD // _PIECE):
            await client.send(b"x" * _PIECE)
        status, body = await client.answer()
        expect((status, body) == (200, b"%d" % _UPLOAD), f"200 with {_UPLOAD}", (status, body))
        await client.ask("/chunks", "Transfer-Encoding: chunked", method="POST")
        for _ in range(16):
            await client.send(b"%x\r\n" % _PIECE)
            await client.send(b"x" * _PIECE)
            await client.send(b"\r\n")
        await client.send(b"0\r\n\r\n")
        status, body = await client.answer()
        expect((status, body) == (200, b"%d" % (16 * _PIECE)), f"200 with {16 * _PIECE}", (status, body))
        await client.close()


async def streamed_answers(rig: Rig) -> None:
    """What a handler writes reaches the client before it writes more."""
    heard = asyncio.Event()

    async def stream(exchange: Exchange) -> Outcome:
        await exchange.start(200)
        for number in range(3):
            await exchange.write(b"piece %d" % number)
            await heard.wait()
            heard.clear()
        return await exchange.end()

    async with rig.serve(stream) as served:
        client = await rig.client(served.port)
        await client.ask("/")
        head = await client.head()
        coding = head.headers.get("transfer-encoding")
        expect((head.status, coding) == (200, "chunked"), "200 in chunks", (head.status, coding))
        for number in range(3):
            piece = await client.chunk()
            expect(piece == b"piece %d" % number, f"piece {number}", piece)
            heard.set()
        expect(await client.chunk() == b"", "the last chunk", "more")
        await client.close()

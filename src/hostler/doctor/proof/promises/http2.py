"""HTTP/2, which HTTP.sys speaks over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.doctor.proof.errors import expect

if TYPE_CHECKING:
    from hostler.doctor.proof.rig import Rig
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["http2"]

_BODY: Final = b"x" * 5000


async def http2(rig: Rig) -> None:
    """Several requests of one connection, one with a body of no announced length, and trailers behind an answer."""

    async def answer(exchange: Exchange) -> Outcome:
        body = await exchange.read()
        await exchange.start(200)
        await exchange.write(f"{exchange.path} {len(body)}".encode())
        return await exchange.end([("x-proof", "behind")])

    async with rig.https() as url, rig.serve(answer, url) as served:
        client = await rig.http2(served.port)
        answers = await client.ask(("GET", "/one", b""), ("POST", "/two", _BODY), ("GET", "/three", b""))
        for answer_, (path, size) in zip(
            answers, (("/one", 0), ("/two", len(_BODY)), ("/three", 0)), strict=True
        ):
            expected = f"{path} {size}".encode()
            came = (answer_.status, answer_.body)
            expect(came == (200, expected), f"200 with {expected!r}", came)
            trailers = [pair for pair in answer_.trailers if pair[0] == "x-proof"]
            expect(trailers == [("x-proof", "behind")], "the trailer x-proof", answer_.trailers)

"""Responses that HTTP.sys keeps, and answers with by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.doctor.proof.errors import expect

if TYPE_CHECKING:
    from hostler.doctor.proof.rig import Rig
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["cache"]

_SECONDS: Final = 60


async def cache(rig: Rig) -> None:
    """A response that is to be kept answers the next request too, until it is flushed; another URL is another response."""
    rig.need("HttpFlushResponseCache")
    asked = 0

    async def count(exchange: Exchange) -> Outcome:
        nonlocal asked
        asked += 1
        exchange.cache_response(_SECONDS)
        return await exchange.respond(200, str(asked))

    async with rig.serve(count) as served:
        client = await rig.client(served.port)
        for target, expected in (("/kept", b"1"), ("/kept", b"1"), ("/other", b"2"), ("/kept", b"1")):
            await client.ask(target)
            answer = await client.answer()
            expect(answer == (200, expected), f"200 with {expected!r} of {target}", answer)
        await served.server.flush_cache(f"http://localhost:{served.port}/kept")
        for target, expected in (("/other", b"2"), ("/kept", b"3")):
            await client.ask(target)
            answer = await client.answer()
            expect(
                answer == (200, expected),
                f"200 with {expected!r} of {target}, after a flush of /kept",
                answer,
            )
        await client.close()

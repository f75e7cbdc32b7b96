"""Queues that processes share: served by two, delegated to, kept by a controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.doctor.proof.errors import expect
from hostler.server.base import QueueMode
from hostler.server.httpsys.controller import Controller
from hostler.server.prefix import UrlPrefix

if TYPE_CHECKING:
    from hostler.doctor.proof.rig import Rig
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.server.base import DelegationRule

__all__ = ["delegation", "demand_start", "two_processes"]


async def two_processes(rig: Rig) -> None:
    """A process that attaches to a queue answers from it, also when the first has stopped receiving."""
    queue = rig.queue_name()

    async def here(exchange: Exchange) -> Outcome:
        return await exchange.respond(200, f"here {exchange.path} 0")

    async with rig.serve(here, queue=queue) as served:
        client = await rig.client(served.port)
        await client.ask("/alone")
        status, body = await client.answer()
        expect((status, body) == (200, b"here /alone 0"), "200 of this process", (status, body))
        async with rig.other("sibling", queue, QueueMode.ATTACH, str(served.prefix)):
            for number in range(8):
                await client.ask(f"/{number}")
                status, body = await client.answer()
                expect(body.endswith(b" /%d 0" % number), "200 of one of them", (status, body))
        await client.ask("/again")
        status, body = await client.answer()
        expect((status, body) == (200, b"here /again 0"), "200 of this process", (status, body))
        await client.close()


async def delegation(rig: Rig) -> None:
    """A request, and one with a body, are handed to another process, which answers the client itself."""
    rig.need("HttpDelegateRequestEx", "HttpIsFeatureSupported")
    queue = rig.queue_name()
    rules: list[DelegationRule] = []

    async def delegate(exchange: Exchange) -> Outcome:
        return await exchange.delegate(rules[0])

    async with rig.serve(delegate) as served:
        expect(served.server.can_delegate, "HttpIsFeatureSupported(DelegateEx) to be true", "false")
        back = f"http://localhost:{served.port}/delegated/"
        async with rig.other("receiver", queue, QueueMode.CREATE, back):
            rules.append(served.server.open_rule(queue, back))
            client = await rig.client(served.port)
            for body in (b"", b"x" * 1000, b"x" * 200_000):
                await client.ask("/front", method="POST" if body else "GET", body=body)
                answer = await client.answer()
                expected = (200, b"receiver /front %d" % len(body))
                expect(answer == expected, f"{expected} of the other process", answer)
            await client.close()
            served.server.close_rule(rules[0])


async def demand_start(rig: Rig) -> None:
    """A controller learns that a request waits, and keeps it for the worker that it starts."""
    rig.need("HttpWaitForDemandStart")
    anywhere = UrlPrefix.parse("http://localhost:0/")
    controller = Controller.open(rig.queue_name(), QueueMode.CREATE, [anywhere], windows=rig.windows)
    try:
        (prefix,) = controller.prefixes
        client = await rig.client(prefix.port)
        await client.ask("/waits")
        await controller.demanded()
        async with rig.other("worker", controller.queue, QueueMode.ATTACH, str(prefix)):
            status, body = await client.answer()
            expect((status, body) == (200, b"worker /waits 0"), "200 of the worker", (status, body))
            await client.close()
    finally:
        controller.release()

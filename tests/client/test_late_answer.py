"""A stage that has gone onward and answers itself: its answer stands, and whatever comes of the other is dropped."""

from __future__ import annotations

import asyncio

import pytest

from hostler import DEFAULT_PIPELINE, Cluster, HttpRequest, Kind, Proxy, Route, serving
from tests.client.peers import OK, connected, destination, until
from tests.loops import on_every_loop

pytest_asyncio_loop_factories = on_every_loop

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


async def behave(peer):
    """Do what the path of each request says."""
    while True:
        head = await peer.head()
        path = head.split(b" ", 2)[1]
        if path == b"/reset":
            peer.reset()
            return
        if path == b"/garbage":
            peer.send(b"SSH-2.0\r\n")
        elif path == b"/half":
            peer.send(OK[:-1])
        elif path != b"/silent":
            peer.send(OK)


class Stage:
    """Go onward, and answer."""

    def __init__(self, awaits):
        self._awaits = awaits
        self.may_end = asyncio.Event()
        self.has_begun = False
        self.outcomes = []

    async def __call__(self, exchange, onward):
        if exchange.path == "/first":
            return await onward(exchange)
        going_onward = onward(exchange)
        self.has_begun = True
        await exchange.start(203)
        await exchange.write(b"mine")
        if self._awaits:
            self.outcomes.append(await going_onward)
        else:
            await self.may_end.wait()
        return await exchange.end()


@pytest.mark.parametrize("path", ["ok", "half", "reset", "garbage", "silent"])
@pytest.mark.parametrize("awaits", [False, True])
async def test_the_answer_of_a_stage_stands(path, awaits, caplog):
    stage = Stage(awaits)
    async with destination(behave) as there:
        cluster = Cluster("c", [there.address], http_request=HttpRequest(activity_timeout=0.2))
        proxy = Proxy([Route("/{**rest}", "c")], [cluster], pipeline=[stage, *DEFAULT_PIPELINE])
        (live,) = proxy.cluster("c").destinations
        async with serving(proxy) as served, connected(served.url) as client:
            client.send(GET % b"first")
            assert (await client.answer()).status == 200
            client.send(GET % path.encode())
            if not awaits:
                await until(lambda: stage.has_begun and live.in_flight == 0)
                stage.may_end.set()
            answer = await client.answer()
            assert (answer.status, answer.body, answer.complete) == (203, b"mine", True)
            client.send(GET % b"first")
            assert (await client.answer()).status == 200
            assert live.in_flight == 0
    assert [outcome.kind for outcome in stage.outcomes] == [Kind.FAILED] * awaits
    assert "callback" not in caplog.text

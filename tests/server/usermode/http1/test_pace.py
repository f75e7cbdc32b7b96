from __future__ import annotations

import pytest
from attrs import evolve

from hostler.answering import begin_response
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.outcome import Kind
from hostler.server.usermode.http1.pace import BodyPace
from hostler.testing import FakeClock
from tests.server.usermode.peers import BodyCounter, RecordingPump, connected, drip, options, request


class TestBodyPace:
    @pytest.fixture
    def clock(self):
        return FakeClock(1000.0)

    def test_the_grace_comes_first_then_the_rate(self, clock):
        pace = BodyPace(120, 240, clock)
        assert pace.time_left() == 5
        clock.advance(2)
        assert pace.time_left(1) == 3
        assert pace.time_left(2399) == 8
        clock.advance(8)
        assert pace.time_left() == 0

    def test_a_pause_takes_no_time(self, clock):
        pace = BodyPace(120, 240, clock)
        pace.time_left()
        clock.advance(2)
        pace.pause()
        clock.advance(1000)
        assert pace.time_left() == 3
        pace.pause()
        pace.pause()
        assert pace.time_left() == 3

    def test_no_bytes_for_too_long_are_too_long_whatever_came_before(self, clock):
        pace = BodyPace(120, 240, clock)
        assert pace.time_left(1 << 20) == 120

    def test_without_a_rate_only_the_next_bytes_count(self, clock):
        pace = BodyPace(120, None, clock)
        for _ in range(100):
            assert pace.time_left(1) == 120
            clock.advance(100)

    def test_a_client_that_awaits_100_continue_is_timed_from_its_first_byte(self, clock):
        pace = BodyPace(120, 240, clock, awaits_continue=True)
        assert pace.time_left() == 120
        clock.advance(100)
        assert pace.time_left(1) == 5
        clock.advance(1)
        assert pace.time_left() == 4


# -- a connection's ---------------------------------------------------------------------------------------------------


async def test_a_body_that_drips_is_408_after_the_grace(clock):
    reader = BodyCounter()
    async with connected(reader, settings=options()) as client:
        await client.send(request("POST", "/", "Content-Length: 1000"))
        await drip(client, clock, reader, 5)
        answer = await client.answer()
    assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_a_chunked_body_is_measured_without_its_framing(clock):
    reader = BodyCounter()
    async with connected(reader, settings=options()) as client:
        await client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        await client.send(b"1\r\nx\r\n" * 300)  # 1,800 bytes on the wire
        await reader.has(300)
        clock.advance(5)
        assert (await client.answer()).status == 408


async def test_a_body_that_comes_at_the_rate_is_read_to_its_end(clock):
    reader = BodyCounter()
    async with connected(reader, settings=options()) as client:
        await client.send(request("POST", "/", "Content-Length: 4800"))
        for sent in range(240, 4801, 240):
            await client.send(bytes(240))
            await reader.has(sent)
            clock.advance(0.99)
        answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"4800")


async def test_a_body_that_comes_fast_may_rest_for_as_long_as_it_was_ahead(clock):
    reader = BodyCounter()
    async with connected(reader, settings=options()) as client:
        await client.send(request("POST", "/", "Content-Length: 10000") + bytes(4800))
        await reader.has(4800)
        clock.advance(19)
        await client.send(bytes(1))
        await reader.has(4801)
        clock.advance(2)
        assert (await client.answer()).status == 408


async def test_another_rate_and_none_at_all(clock):
    for rate in (0.5, None):
        reader = BodyCounter()
        async with connected(reader, settings=evolve(options(), min_body_rate=rate)) as client:
            await client.send(request("POST", "/", "Content-Length: 30"))
            await drip(client, clock, reader, 30)
            assert (await client.answer()).body == b"30"


async def test_time_in_which_the_body_is_held_back_does_not_count(clock):
    pump = RecordingPump()

    async def handler(exchange):
        stream = exchange.stream
        stream.attach(pump)
        await pump.until(lambda pump: pump.data == b"x")
        stream.pause()
        clock.advance(10_000)
        stream.resume()
        clock.advance(4)
        await pump.until(lambda pump: pump.ends)
        return await exchange.respond(200, pump.data)

    async with connected(handler, settings=options()) as client:
        await client.send(request("POST", "/", "Content-Length: 2") + b"x")
        await pump.until(lambda pump: pump.data == b"x")
        await client.send(b"y")
        assert (await client.answer()).body == b"xy"


async def test_a_tunnel_has_no_rate(clock):
    pump = RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        begin_response(exchange, Response(101, Headers([(b"Connection", b"upgrade"), (b"Upgrade", b"raw")])))
        await pump.until(lambda pump: pump.data == b"12" or pump.losses)
        return exchange.outcome(Kind.RESPONDED)

    async with connected(handler, settings=options()) as client:
        await client.send(request("GET", "/", "Connection: upgrade", "Upgrade: raw"))
        assert (await client.answer()).status == 101
        for sent in b"12":
            clock.advance(100_000)
            await client.send(bytes((sent,)))
        assert await client.rest() == b""
    assert pump.data == b"12"


async def test_a_client_that_awaits_100_continue_is_timed_from_its_first_byte(clock):
    reader = BodyCounter()
    async with connected(reader, settings=options()) as client:
        await client.send(request("POST", "/", "Content-Length: 1000", "Expect: 100-continue"))
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        clock.advance(100)
        await drip(client, clock, reader, 5)
        assert (await client.answer()).status == 408

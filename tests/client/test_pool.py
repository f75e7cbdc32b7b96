"""A pool's places: who gets one, who waits, and that none is lost."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hostler.client.pool import Pool
from hostler.client.upstream import Upstream
from tests.client.peers import Peer, destination, until


async def hold(peer: Peer):
    await peer.rest()


@contextlib.asynccontextmanager
async def pool_of(limit=None):
    async with destination(hold) as there:
        pool = Pool(Upstream.parse(there.address), None, limit)
        opened = []

        async def connect():
            connection = await pool.connect()
            if connection not in opened:
                opened.append(connection)
            return connection

        try:
            yield pool, connect
        finally:
            pool.close()
            for connection in opened:
                connection.close()
            assert pool._open == 0


async def test_the_newest_idle_connection_goes_first():
    async with pool_of() as (pool, connect):
        first, second = await connect(), await connect()
        assert pool.take() is None
        pool.give_back(first)
        pool.give_back(second)
        assert [pool.take(), pool.take(), pool.take()] == [second, first, None]


async def test_a_closed_connection_is_not_given_out():
    async with pool_of() as (pool, connect):
        first, second = await connect(), await connect()
        pool.give_back(first)
        pool.give_back(second)
        second.transport.close()
        assert pool.take() is first


async def test_a_connection_that_the_destination_closes_while_idle_leaves_the_pool():
    async with destination(lambda peer: asyncio.sleep(0)) as there:
        pool = Pool(Upstream.parse(there.address))
        connection = await pool.connect()
        pool.give_back(connection)
        await until(lambda: connection.closed)
        assert (pool.take(), pool._open) == (None, 0)


async def test_over_the_limit_requests_wait_and_are_served_in_order():
    async with pool_of(limit=1) as (pool, connect):
        first = await connect()
        waiting = [asyncio.create_task(connect()) for _ in range(3)]
        for turn in waiting:
            await asyncio.sleep(0)
            assert not turn.done()
            pool.give_back(first)
            assert await turn is first


async def test_a_closed_connection_makes_room_for_a_new_one():
    async with pool_of(limit=1) as (_, connect):
        first = await connect()
        waiting = asyncio.create_task(connect())
        await asyncio.sleep(0)
        first.close()
        assert await waiting is not first


async def test_whoever_gives_up_waiting_leaves_the_queue():
    async with pool_of(limit=1) as (pool, connect):
        first = await connect()
        gone, patient = (asyncio.create_task(connect()) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        pool.give_back(first)
        assert await patient is first
        assert gone.cancelled()


async def test_a_place_that_is_given_to_someone_who_just_gave_up_goes_to_the_next():
    async with pool_of(limit=1) as (pool, connect):
        first = await connect()
        gone, patient = (asyncio.create_task(connect()) for _ in range(2))
        await asyncio.sleep(0)
        pool.give_back(first)
        gone.cancel()
        async with asyncio.timeout(5):
            assert await patient is first
        assert gone.cancelled()


async def test_a_failed_connection_gives_its_place_to_the_next():
    pool = Pool(Upstream.parse("http://127.0.0.1:1"), None, 1)
    results = await asyncio.gather(*[pool.connect() for _ in range(3)], return_exceptions=True)
    assert all(isinstance(result, OSError) for result in results)
    assert pool._open == 0


@pytest.mark.parametrize("steps", range(12))
async def test_connecting_may_be_cancelled_at_any_moment_and_the_count_holds(steps):
    async with destination(hold) as there:
        pool = Pool(Upstream.parse(there.address), None, 1)
        connecting = asyncio.create_task(pool.connect())
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        connection = None
        with contextlib.suppress(asyncio.CancelledError):
            connection = await connecting
        if connection is not None:
            connection.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert pool._open == 0
        (again,) = await asyncio.gather(pool.connect())
        assert pool._open == 1
        again.close()


async def test_a_closed_pool_keeps_nothing():
    async with pool_of() as (pool, connect):
        idle, busy = await connect(), await connect()
        pool.give_back(idle)
        pool.close()
        assert idle.closed
        assert not busy.closed
        pool.give_back(busy)
        assert busy.closed

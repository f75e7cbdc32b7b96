"""A pool's slots and places: who gets one, who waits, and that none is lost."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hostler import HttpClient
from hostler.client.pool import Pool
from tests.client.peers import until


class FakeConnection:
    """A connection that carries `slots` requests at a time, and does as it is told."""

    def __init__(self, owner, slots=1):
        self._owner = owner
        self._most = self.slots = slots
        self.expired = False

    def has_expired(self):
        return self.expired

    def is_idle(self):
        return self.slots == self._most

    def finish(self):
        """Be done with one request."""
        self.slots += 1
        self._owner.released(self)

    def close(self):
        if not self.expired:
            self.expired, self.slots = True, 0
            self._owner.closed(self)


class Opener:
    """Opens connections at once, unless it is told to wait or to fail."""

    def __init__(self, slots=1):
        self.slots = slots
        self.opened = []
        self.go = asyncio.Event()
        self.go.set()
        self.error = None

    async def __call__(self, owner):
        await self.go.wait()
        if self.error is not None:
            raise self.error
        self.opened.append(FakeConnection(owner, self.slots))
        return self.opened[-1]


def pool_of(limit=None, slots=1, **settings):
    opener = Opener(slots)
    return Pool(opener, HttpClient(max_connections_per_server=limit, **settings)), opener


async def waiting_for(pool, count=1):
    """Have so many requests wait for a slot."""
    tasks = [asyncio.create_task(pool.acquire()) for _ in range(count)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    return tasks


async def test_the_newest_idle_connection_goes_first():
    pool, _ = pool_of()
    first, second = await pool.acquire(), await pool.acquire()
    assert pool.take() is None
    first.finish()
    second.finish()
    assert [pool.take(), pool.take(), pool.take()] == [second, first, None]


async def test_an_idle_connection_is_taken_before_one_is_opened():
    pool, opener = pool_of()
    first = await pool.acquire()
    first.finish()
    assert await pool.acquire() is first
    assert opener.opened == [first]


async def test_an_expired_connection_is_not_handed_out():
    pool, _ = pool_of()
    first, second = await pool.acquire(), await pool.acquire()
    first.finish()
    second.finish()
    second.expired = True
    assert pool.take() is first
    assert pool.take() is None


async def test_a_closed_connection_leaves_the_pool():
    pool, _ = pool_of()
    first = await pool.acquire()
    first.finish()
    first.close()
    assert pool.take() is None


async def test_a_slot_that_was_not_used_is_handed_out_again():
    pool, _ = pool_of()
    first = await pool.acquire()
    pool.put_back(first)
    assert pool.take() is first


async def test_a_slot_of_a_connection_that_closed_meanwhile_is_not_handed_out_again():
    pool, _ = pool_of()
    first = await pool.acquire()
    first.close()
    pool.put_back(first)
    assert pool.take() is None


async def test_over_the_limit_requests_wait_and_are_served_in_order():
    pool, _ = pool_of(limit=1)
    first = await pool.acquire()
    for turn in await waiting_for(pool, 3):
        assert not turn.done()
        first.finish()
        assert await turn is first


async def test_nobody_who_comes_later_gets_in_front_of_those_who_wait():
    pool, _ = pool_of(limit=1)
    first = await pool.acquire()
    (patient,) = await waiting_for(pool)
    first.finish()
    assert pool.take() is None
    (late,) = await waiting_for(pool)
    assert await patient is first
    first.finish()
    assert await late is first


async def test_nobody_who_comes_later_gets_the_place_of_those_who_wait():
    pool, opener = pool_of(limit=1)
    first = await pool.acquire()
    (patient,) = await waiting_for(pool)
    opener.go.clear()
    first.close()
    (late,) = await waiting_for(pool)
    opener.go.set()
    second = await patient
    assert second is not first
    second.finish()
    assert await late is second


async def test_a_closed_connection_makes_room_for_a_new_one():
    pool, _ = pool_of(limit=1)
    first = await pool.acquire()
    (waiting,) = await waiting_for(pool)
    first.close()
    assert await waiting is not first


async def test_whoever_gives_up_waiting_leaves_the_queue():
    pool, _ = pool_of(limit=1)
    first = await pool.acquire()
    gone, patient = await waiting_for(pool, 2)
    gone.cancel()
    await asyncio.sleep(0)
    first.finish()
    assert await patient is first
    assert gone.cancelled()


@pytest.mark.parametrize("free", [FakeConnection.finish, FakeConnection.close])
async def test_what_is_given_to_someone_who_just_gave_up_goes_to_the_next(free):
    pool, opener = pool_of(limit=1)
    first = await pool.acquire()
    gone, patient = await waiting_for(pool, 2)
    free(first)
    gone.cancel()
    async with asyncio.timeout(5):
        assert await patient is opener.opened[-1]
    assert gone.cancelled()


async def test_a_connection_that_is_lost_on_its_way_to_whoever_waited_is_replaced():
    pool, _ = pool_of(limit=1)
    first = await pool.acquire()
    (waiting,) = await waiting_for(pool)
    first.finish()
    first.close()
    second = await waiting
    assert second is not first
    second.finish()
    assert await pool.acquire() is second


async def test_a_failed_connection_gives_its_place_to_the_next():
    pool, opener = pool_of(limit=1)
    opener.error = ConnectionRefusedError("no")
    results = await asyncio.gather(*[pool.acquire() for _ in range(3)], return_exceptions=True)
    assert results == [opener.error] * 3
    opener.error = None
    assert await pool.acquire() is opener.opened[0]


async def test_a_connection_that_is_closed_as_soon_as_it_is_open_is_an_error_and_takes_no_place():
    async def closing(owner):
        connection = FakeConnection(owner)
        connection.close()
        return connection

    pool = Pool(closing, HttpClient(max_connections_per_server=1))
    for _ in range(3):
        with pytest.raises(ConnectionResetError, match="closed the connection at once"):
            await pool.acquire()


@pytest.mark.parametrize("steps", range(6))
async def test_acquiring_may_be_cancelled_at_any_moment_and_no_place_is_lost(steps):
    pool, opener = pool_of(limit=1)
    opener.go.clear()
    acquiring = asyncio.create_task(pool.acquire())
    for step in range(steps):
        if step == 2:
            opener.go.set()
        await asyncio.sleep(0)
    acquiring.cancel()
    opener.go.set()
    with contextlib.suppress(asyncio.CancelledError):
        (await acquiring).finish()
    async with asyncio.timeout(5):
        await pool.acquire()


async def test_a_closed_pool_keeps_nothing():
    pool, _ = pool_of()
    idle, busy = await pool.acquire(), await pool.acquire()
    idle.finish()
    pool.close()
    assert idle.expired
    assert not busy.expired
    busy.finish()
    assert busy.expired


async def test_a_closed_pool_still_serves_whoever_comes():
    pool, _ = pool_of(limit=1)
    pool.close()
    first = await pool.acquire()
    (waiting,) = await waiting_for(pool)
    first.finish()
    assert first.expired
    second = await waiting
    second.finish()
    assert second.expired


# -- how many stay open -----------------------------------------------------------------------------------------------


async def idle_connections(pool, count):
    connections = [await pool.acquire() for _ in range(count)]
    for connection in connections:
        connection.finish()
    return connections


def look(pool):
    """Have a pool look for its surplus now."""
    pool._trimmer.cancel()
    pool._trim()


@pytest.fixture
def quick(monkeypatch):
    """A pool that keeps two idle connections, and more for a moment."""
    monkeypatch.setattr("hostler.client.pool.SURPLUS_TIME", 0.01)
    return lambda **options: pool_of(max_idle_connections_per_server=2, **options)


async def test_what_a_burst_leaves_behind_is_closed_the_oldest_first(quick):
    pool, _ = quick()
    connections = await idle_connections(pool, 5)
    assert not any(connection.expired for connection in connections)
    await until(lambda: connections[2].expired)
    assert [connection.expired for connection in connections] == [True, True, True, False, False]
    assert pool.take() is connections[4]


async def test_a_connection_that_was_needed_is_no_surplus(quick):
    pool, _ = quick()
    connections = await idle_connections(pool, 5)
    busy = [pool.take() for _ in range(4)]
    for connection in busy:
        connection.finish()
    look(pool)  # only one of them was idle all the time
    assert not any(connection.expired for connection in connections)
    look(pool)
    assert [connection.expired for connection in connections].count(True) == 3


async def test_a_busy_connection_is_no_surplus(quick):
    pool, _ = quick(slots=2)
    connections = {await pool.acquire() for _ in range(10)}
    for connection in connections:
        connection.finish()  # one of two requests
    look(pool)
    assert not any(connection.expired for connection in connections)
    pool.close()


async def test_a_closed_pool_waits_for_no_surplus(quick):
    pool, _ = quick()
    connections = await idle_connections(pool, 3)
    pool.close()
    assert all(connection.expired for connection in connections)


async def test_no_idle_connection_need_be_kept(quick):
    pool, _ = pool_of(max_idle_connections_per_server=0)
    (connection,) = await idle_connections(pool, 1)
    await until(lambda: connection.expired)


async def test_an_idle_connection_is_closed_when_its_lifetime_is_over():
    pool, _ = pool_of(pooled_connection_lifetime=0.01)
    (connection,) = await idle_connections(pool, 1)
    await until(lambda: connection.expired)
    assert pool.take() is None


@pytest.mark.parametrize("slots", [1, 2])
async def test_a_busy_connection_whose_lifetime_is_over_finishes_and_takes_no_more(slots):
    pool, opener = pool_of(slots=slots, pooled_connection_lifetime=0.01)
    connection = await pool.acquire()
    await until(lambda: connection in pool._retired)
    assert not connection.expired
    other = await pool.acquire()
    assert other is not connection
    connection.finish()
    assert connection.expired
    assert not pool._retired
    assert opener.opened == [connection, other]
    other.close()
    assert not pool._lifetimes


@pytest.mark.parametrize("end", [Pool.close, lambda pool: pool._retire(*pool._connections)])
async def test_a_connection_that_was_just_handed_out_is_not_closed_under_whoever_has_it(end):
    pool, _ = pool_of(limit=1)
    connection = await pool.acquire()
    connection.is_idle = lambda: True  # for nobody has begun on it
    end(pool)
    assert not connection.expired
    pool.put_back(connection)
    assert connection.expired


async def test_a_place_of_a_connection_whose_lifetime_is_over_goes_to_whoever_waits():
    pool, _ = pool_of(limit=1, pooled_connection_lifetime=0.01)
    connection = await pool.acquire()
    (waiting,) = await waiting_for(pool)
    await until(lambda: connection in pool._retired)
    connection.finish()
    assert await waiting is not connection
    (await waiting).close()


async def test_a_pool_says_when_it_is_empty():
    told, opener = [], Opener()
    pool = Pool(opener, HttpClient(), lambda: told.append("empty"))
    first, second = await idle_connections(pool, 2)
    first.close()
    assert told == []
    second.close()
    assert told == ["empty"]
    opener.error = ConnectionRefusedError("no")
    with pytest.raises(ConnectionRefusedError):
        await pool.acquire()
    assert told == ["empty", "empty"]


async def test_a_pool_that_somebody_waits_for_is_not_empty():
    told = []
    pool = Pool(Opener(), HttpClient(max_connections_per_server=1), lambda: told.append("empty"))
    first = await pool.acquire()
    (waiting,) = await waiting_for(pool)
    first.close()
    assert told == []
    (await waiting).close()
    assert told == ["empty"]


# -- connections that carry several requests at a time --------------------------------------------------------------


async def test_a_connections_slots_are_handed_out_until_it_has_none():
    pool, opener = pool_of(slots=3)
    taken = [await pool.acquire() for _ in range(4)]
    assert taken == [opener.opened[0]] * 3 + [opener.opened[1]]


async def test_a_new_connection_serves_as_many_of_those_who_wait_as_it_can():
    pool, opener = pool_of(limit=1, slots=3)
    opener.go.clear()
    tasks = await waiting_for(pool, 4)
    opener.go.set()
    assert await asyncio.gather(*tasks[:3]) == [opener.opened[0]] * 3
    assert not tasks[3].done()
    opener.opened[0].finish()
    assert await tasks[3] is opener.opened[0]


async def test_a_closed_pool_lets_the_requests_under_way_on_a_connection_finish():
    pool, _ = pool_of(slots=2)
    shared = await pool.acquire()
    assert await pool.acquire() is shared
    shared.finish()
    pool.close()
    assert not shared.expired
    shared.finish()
    assert shared.expired

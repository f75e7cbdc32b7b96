"""Counting in a real Redis, and what happens while there is none."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager

import httpx
import pytest
from redis.asyncio import Redis

from hostler import (
    Cluster,
    Config,
    Definitions,
    Proxy,
    RateLimiterDefinition,
    RedisDefinition,
    Route,
    serving,
)
from hostler.config.limits import RateLimitAlgorithm, RedisWhenDown
from hostler.rate_limiting.policy import Refused
from hostler.rate_limiting.ready import make_policy
from hostler.testing import FakeClock, exchange
from tests.wire.peers import free_port, redis

LOG = "hostler.rate_limiting"


@asynccontextmanager
async def limiter(port, *, limit=3, window=60, clock=None, name="slow", **options):
    """Make a rate limiter that counts in Redis at a port."""
    where = RedisDefinition(f"redis://127.0.0.1:{port}/0", **options)
    made = make_policy(RateLimiterDefinition(limit, window, redis=where), name)
    if clock is not None:
        made._monotonic = clock
    try:
        yield made
    finally:
        await made.close()


async def hits(made, count):
    return [await made(exchange()) is None for _ in range(count)]


@pytest.mark.parametrize("algorithm", RateLimitAlgorithm)
async def test_processes_count_together(algorithm, tmp_path):
    async with redis(tmp_path) as port:
        where = RedisDefinition(f"redis://127.0.0.1:{port}/0", timeout=5)
        definition = RateLimiterDefinition(4, 60, algorithm=algorithm, redis=where)
        one, other, another = (make_policy(definition, name) for name in ("slow", "slow", "another"))
        try:
            assert await hits(one, 2) == [True, True]
            assert await hits(other, 3) == [True, True, False]
            assert await hits(one, 1) == [False]
            assert await hits(another, 1) == [True]
            refused = await one(exchange())
            assert refused.status == 429
            assert 1 <= refused.retry_after <= 120
        finally:
            for made in (one, other, another):
                await made.close()


async def test_redis_on_a_unix_socket(tmp_path):
    path = tmp_path / "redis.sock"
    async with redis(tmp_path, unix=path):
        where = RedisDefinition(f"redis+unix://{path}", timeout=5, when_down=RedisWhenDown.REJECT)
        made = make_policy(RateLimiterDefinition(2, 60, redis=where), "slow")
        try:
            assert await hits(made, 3) == [True, True, False]
        finally:
            await made.close()


async def test_many_at_once_are_counted_right(tmp_path):
    async with redis(tmp_path) as port, limiter(port, limit=50, timeout=10) as made:
        results = await asyncio.gather(*(hits(made, 1) for _ in range(200)))
        assert sum(result == [True] for result in results) == 50


@pytest.mark.parametrize(
    ("rule", "expected"), [(RedisWhenDown.ALLOW, None), (RedisWhenDown.REJECT, Refused(1.0, 503))]
)
async def test_without_redis_the_rule_holds_and_the_log_says_so_once(rule, expected, caplog):
    clock = FakeClock()
    async with limiter(free_port(), when_down=rule, clock=clock) as made:
        for _ in range(50):
            assert await made(exchange()) == expected
            clock.advance(0.1)
    (record,) = [record for record in caplog.records if record.name == LOG]
    assert "is down" in record.getMessage()
    assert record.levelno == logging.WARNING


async def test_redis_that_comes_back_counts_again_and_the_log_says_so_once(tmp_path, caplog):
    clock, port = FakeClock(), free_port()
    async with limiter(port, limit=2, clock=clock, timeout=5) as made:
        assert await hits(made, 3) == [True] * 3
        async with redis(tmp_path, port):
            assert await hits(made, 3) == [True] * 3  # it is not asked yet
            clock.advance(1)
            assert await hits(made, 4) == [True, True, False, False]
        assert await hits(made, 3) == [True] * 3
    said = [record.getMessage() for record in caplog.records if record.name == LOG]
    assert ["down" in message for message in said] == [True, False, True]


async def test_redis_that_does_not_answer_holds_nobody_up():
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, limiter(server.sockets[0].getsockname()[1], timeout=0.05) as made:
        async with asyncio.timeout(5):
            assert await hits(made, 100) == [True] * 100


async def test_a_password_is_not_logged(caplog):
    where = RedisDefinition(f"redis://:secret@127.0.0.1:{free_port()}/0")
    definition = RateLimiterDefinition(1, 1, redis=where)
    made = make_policy(definition, "slow")
    await made(exchange())
    await made.close()
    assert "is down" in caplog.text
    assert "secret" not in caplog.text + repr(definition)


async def test_a_proxy_lets_go_of_its_connections(tmp_path):
    async def there(exchange):
        return await exchange.respond(200)

    async with redis(tmp_path) as port, serving(there) as destination:
        where = RedisDefinition(f"redis://127.0.0.1:{port}/0", timeout=5)
        proxy = Proxy(
            [Route("/", "c", rate_limiter_policy="slow")],
            [Cluster("c", [destination.url])],
            definitions=Definitions(rate_limiters={"Slow": RateLimiterDefinition(3, 60, redis=where)}),
        )
        for expected in ([200, 200], [200, 429]):  # a proxy may run again
            async with serving(proxy) as served, httpx.AsyncClient() as client:
                assert [(await client.get(served.url)).status_code for _ in expected] == expected


async def test_connections_of_a_policy_are_closed_that_a_reload_replaces(tmp_path):
    async def there(exchange):
        return await exchange.respond(200)

    async with redis(tmp_path) as port, serving(there) as destination:
        where = RedisDefinition(f"redis://127.0.0.1:{port}/0", timeout=5)

        def config(limit):
            definitions = Definitions(rate_limiters={"slow": RateLimiterDefinition(limit, 60, redis=where)})
            routes = [Route("/", "c", rate_limiter_policy="slow")]
            return Config(routes, [Cluster("c", [destination.url])], definitions=definitions)

        proxy = Proxy.from_config(config(1))
        async with serving(proxy) as served, httpx.AsyncClient() as client, Redis(port=port) as asking:
            for limit in range(2, 12):
                assert (await client.get(served.url, headers={"connection": "close"})).status_code == 200
                proxy.update(config(limit))
            async with asyncio.timeout(5):
                while len(await asking.client_list()) > 4:  # noqa: ASYNC110 - of the ten; this one is among them
                    await asyncio.sleep(0.01)

"""Passive health the whole way: a proxy that runs, and destinations that answer badly, late or not."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from hostler import (
    DEFAULT_PIPELINE,
    ActiveHealthCheck,
    Cluster,
    HealthCheck,
    PassiveHealthCheck,
    Proxy,
    Route,
    SessionAffinity,
    serving,
)
from hostler.fleet import Health
from hostler.stages import passive_health
from hostler.stages.health import PassiveHealth
from hostler.testing import FakeClock
from tests.client.peers import until

pytestmark = pytest.mark.usefixtures("runtime")


class Shop:
    """A destination that answers with `status`, once `gate` is open and `delay` is over."""

    def __init__(self):
        self.status, self.delay = 200, 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def __call__(self, exchange):
        self.asked += 1
        await asyncio.sleep(self.delay)
        await self.gate.wait()
        return await exchange.respond(self.status, "x" * 100_000)


def proxy_of(*urls, clock=None, slow_start=None, affinity=None, **passive):
    checks = HealthCheck(
        PassiveHealthCheck(**passive),
        ActiveHealthCheck(enabled=False),
        "HealthyAndUnknown",
        slow_start,
    )
    cluster = Cluster("shop", urls, health_check=checks, balance="RoundRobin", affinity=affinity)
    judge = passive_health if clock is None else PassiveHealth(clock.call_later)
    pipeline = [judge if stage is passive_health else stage for stage in DEFAULT_PIPELINE]
    return Proxy([Route("/{**rest}", "shop")], [cluster], pipeline=pipeline)


def only(proxy):
    return proxy.clusters[0].destinations[0]


async def test_a_circuit_breaks_and_closes_again_on_bad_statuses():
    shop, clock = Shop(), FakeClock()
    async with serving(shop) as there:
        proxy = proxy_of(there.url, clock=clock, unhealthy_statuses=["5xx"], half_open=True, slow_start=9.0)
        async with serving(proxy) as served, httpx.AsyncClient(base_url=served.url) as client:
            shop.status = 500
            assert [(await client.get("/")).status_code for _ in range(10)] == [500] * 10
            assert (await client.get("/")).status_code == 503
            assert shop.asked == 10
            clock.advance(60.0)
            assert (await client.get("/")).status_code == 500
            assert (await client.get("/")).status_code == 503
            assert only(proxy).ramp is None
            clock.advance(60.0)
            shop.status = 200
            assert (await client.get("/")).status_code == 200
            assert only(proxy).passive is Health.HEALTHY
            assert only(proxy).ramp is not None


async def test_one_trial_at_a_time_among_many_requests():
    shop, clock = Shop(), FakeClock()
    async with serving(shop) as there:
        proxy = proxy_of(there.url, clock=clock, unhealthy_statuses=["5xx"], half_open=True)
        async with serving(proxy) as served, httpx.AsyncClient(base_url=served.url) as client:
            shop.status = 500
            for _ in range(10):
                await client.get("/")
            clock.advance(60.0)
            shop.asked, shop.status = 0, 200
            shop.gate.clear()
            requests = [asyncio.create_task(client.get("/")) for _ in range(20)]
            await until(lambda: sum(request.done() for request in requests) == 19)
            assert shop.asked == 1
            shop.gate.set()
            statuses = sorted([(await request).status_code for request in requests])
            assert statuses == [200] + [503] * 19


async def test_answers_that_begin_late_take_a_destination_out():
    shop = Shop()
    shop.delay = 0.02
    async with serving(shop) as there:
        proxy = proxy_of(there.url, latency_limit=0.01)
        async with serving(proxy) as served, httpx.AsyncClient(base_url=served.url) as client:
            statuses = [(await client.get("/")).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [503]


async def test_a_drained_destination_finishes_what_it_has_and_keeps_its_sessions():
    shops = Shop(), Shop()
    async with serving(shops[0]) as one, serving(shops[1]) as other:
        proxy = proxy_of(one.url, other.url, enabled=False, affinity=SessionAffinity("sticky"))
        async with serving(proxy) as served:
            first = only(proxy)
            async with httpx.AsyncClient(base_url=served.url) as client:
                shops[0].gate.clear()
                under_way = asyncio.create_task(client.get("/"))
                await until(lambda: first.in_flight == 1)
                first.drain()
                shops[0].gate.set()
                assert (await under_way).status_code == 200
                await client.get("/")  # with the cookie that it got
                assert [shop.asked for shop in shops] == [2, 0]
                async with httpx.AsyncClient(base_url=served.url) as stranger:
                    for _ in range(3):
                        await stranger.get("/")
                assert [shop.asked for shop in shops] == [2, 3]
                first.disable()
                assert (await client.get("/")).status_code == 200
                assert [shop.asked for shop in shops] == [2, 4]

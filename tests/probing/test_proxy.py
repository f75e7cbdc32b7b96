"""Active health checks the whole way: a proxy that runs, and destinations that answer or do not."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from pathlib import Path

import pytest

from hostler import (
    ActiveHealthCheck,
    Cluster,
    Config,
    Destination,
    HealthCheck,
    HttpClient,
    Proxy,
    Route,
    serving,
)
from hostler.fleet import Health
from tests.client.peers import answering, destination, until

pytestmark = pytest.mark.usefixtures("runtime")

CERTIFICATES = Path(__file__).parents[1] / "client" / "certificates"
WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ILL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
UP, DOWN = Health.HEALTHY, Health.UNHEALTHY


def config_of(*destinations, http_client=None, **keys):
    checks = HealthCheck(active=ActiveHealthCheck(**keys))
    cluster = Cluster(
        "shop",
        destinations,
        health_check=checks,
        http_client=http_client or HttpClient(),
        balance="RoundRobin",
    )
    return Config([Route("/{**rest}", "shop")], [cluster])


def health(proxy):
    return [one.active for one in proxy.clusters[0].destinations]


async def silent(peer):
    """Answer nothing, ever."""
    await peer.rest()


async def test_requests_go_where_the_probes_are_answered():
    async with destination(answering(WELL)) as one, destination(answering(ILL)) as other:
        proxy = Proxy.from_config(config_of(one.address, other.address, path="/healthz"))
        async with serving(proxy):
            for _ in range(2):
                await proxy.check_health("Shop")
            assert health(proxy) == [UP, DOWN]
            assert [live.config.address for live in proxy.clusters[0].available] == [one.address]


async def test_the_first_round_is_no_part_of_the_start():
    heads = asyncio.Queue()

    async def script(peer):
        heads.put_nowait(await peer.head())
        await answer.wait()
        peer.send(WELL)

    answer = asyncio.Event()
    async with destination(script) as there:
        shop = Destination("http://127.0.0.1:1", health=f"{there.address}/live", host="shop.example")
        proxy = Proxy.from_config(config_of(shop, path="/z", query="?deep"))
        assert not proxy.initial_probes_completed
        async with serving(proxy):
            head = await heads.get()
            assert head.startswith(b"GET /live/z?deep HTTP/1.1\r\nHost: shop.example\r\n")
            assert not proxy.initial_probes_completed
            answer.set()
            await until(lambda: proxy.initial_probes_completed)
            assert health(proxy) == [UP]
        assert not proxy.initial_probes_completed


async def test_the_stop_waits_for_no_probe():
    async with destination(silent) as there:
        proxy = Proxy.from_config(config_of(there.address, timeout=3600.0))
        async with asyncio.timeout(5), serving(proxy):
            check = asyncio.create_task(proxy.check_health())
            await until(lambda: there.connections == 1)
        await check
        assert health(proxy) == [Health.UNKNOWN]


async def test_a_proxy_that_does_not_run_probes_nobody():
    proxy = Proxy.from_config(config_of("http://127.0.0.1:1"))
    with pytest.raises(RuntimeError, match="this proxy does not run"):
        await proxy.check_health()


async def test_a_cluster_that_there_is_not():
    proxy = Proxy.from_config(config_of("http://127.0.0.1:1", enabled=False))
    async with serving(proxy):
        with pytest.raises(LookupError, match="there is no cluster 'api'; there is 'shop'"):
            await proxy.check_health("shop", "api")


async def test_what_never_becomes_an_answer_takes_no_longer_than_the_timeout():
    async def drip(peer):
        while not peer.writer.is_closing():
            peer.send(b"H")
            await peer.drain()
            await asyncio.sleep(0.01)

    async with destination(silent) as one, destination(drip) as other, destination(answering(WELL)) as good:
        proxy = Proxy.from_config(config_of(one.address, other.address, good.address, timeout=0.1))
        async with serving(proxy):
            for _ in range(2):
                await proxy.check_health()
            assert health(proxy) == [DOWN, DOWN, UP]


async def test_an_update_is_followed():
    async with destination(answering(ILL)) as one, destination(answering(WELL)) as other:
        proxy = Proxy.from_config(config_of(one.address, enabled=False))
        async with serving(proxy):
            await proxy.check_health()
            proxy.update(config_of(one.address, other.address))
            for _ in range(2):
                await proxy.check_health()
            assert health(proxy) == [DOWN, UP]


async def test_updates_every_few_milliseconds_while_probes_run():
    async with destination(answering(WELL)) as one, destination(silent) as other:
        configs = [config_of(one.address, other.address, interval=0.01 * n, timeout=0.05) for n in (1, 2)]
        proxy = Proxy.from_config(configs[0])
        async with serving(proxy):
            for turn in range(100):
                proxy.update(configs[turn % 2])
                await asyncio.sleep(0.003)
            await until(lambda: health(proxy) == [UP, DOWN])
            rounds = one.connections
        assert rounds < 20


async def test_probes_go_with_the_clusters_settings_for_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")
    async with destination(answering(WELL), context=context) as there:
        address = f"https://localhost:{there.port}"
        trusting = HttpClient(dangerous_accept_any_server_certificate=True)
        for client, expected in ((HttpClient(), DOWN), (trusting, UP)):
            proxy = Proxy.from_config(
                config_of(Destination(address, host="other.example"), http_client=client)
            )
            async with serving(proxy):
                for _ in range(2):
                    await proxy.check_health()
            assert health(proxy) == [expected]


@pytest.mark.skipif(sys.platform == "win32", reason="queues of the user-mode server")
async def test_a_queue_is_probed_where_it_says():
    health_of_queue = [WELL, ILL, ILL]
    async with destination(answering(*health_of_queue)) as there:
        reports = Destination(
            "http://+:80/", id="q", health=there.address, metadata={"HttpSysDelegationQueue": "reports"}
        )
        proxy = Proxy.from_config(config_of(reports))
        async with serving(proxy):
            await proxy.check_health()
            assert health(proxy) == [UP]
            for _ in range(2):
                await proxy.check_health()
            assert health(proxy) == [DOWN]


async def test_a_document_with_active_checks(tmp_path):
    async with destination(answering(ILL)) as one, destination(answering(WELL)) as other:
        active = {"Enabled": True, "Interval": "00:00:30", "Timeout": "00:00:05", "Path": "/z", "Query": "?x"}
        document = {
            "Routes": {"r": {"ClusterId": "shop", "Match": {"Path": "/"}}},
            "Clusters": {
                "shop": {
                    "HealthCheck": {"Active": active},
                    "Destinations": {
                        "a": {"Address": "http://127.0.0.1:1", "Health": one.address},
                        "b": {"Address": other.address},
                    },
                    "Metadata": {"ConsecutiveFailuresHealthPolicy.Threshold": "1"},
                }
            },
        }
        path = tmp_path / "shop.json"
        path.write_text(json.dumps({"ReverseProxy": document}))
        proxy = Proxy.from_file(path)
        async with serving(proxy):
            await proxy.check_health()
            assert health(proxy) == [DOWN, UP]

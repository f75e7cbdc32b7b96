"""What hostler promises as a whole: nothing is lost when workers die, and documents written for YARP run as they are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import httpx
import pytest

from tests.certificates import certificate, client_context
from tests.end_to_end.programs import hostler, until

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs the kernel's count of bytes sent"
)

LOCAL = "http://127.0.0.1:0/"


def client():
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(trust_env=False, timeout=30, limits=limits, verify=client_context())


@pytest.fixture(params=["http", "https"])
def listening(request, tmp_path):
    """The options that a proxy listens by; all that is promised for delegated requests holds over TLS too."""
    if request.param == "http":
        return ["--url", LOCAL]
    own = certificate(tmp_path)
    return ["--url", "https://127.0.0.1:0/", "--cert", own.path, "--key", own.key_path]


def document(tmp_path, text):
    path = tmp_path / "appsettings.json"
    path.write_text(text)
    return path


def delegated(tmp_path):
    return document(
        tmp_path,
        """
        {
          "ReverseProxy": {
            "Routes": { "route1": { "ClusterId": "cluster1", "Match": { "Path": "{**catch-all}" } } },
            "Clusters": {
              "cluster1": {
                "Destinations": {
                  "cluster1/destination1": {
                    "Address": "http://*:80/",
                    "Metadata": { "HttpSysDelegationQueue": "TestHttpSysQueue" }
                  }
                }
              }
            }
          }
        }
        """,
    )


@pytest.mark.timeout(60)  # five processes start, and three follow them
async def test_200_requests_under_way_survive_the_death_of_every_worker_in_turn(tmp_path, listening):
    async with (
        hostler(
            "serve", "worker_apps:app", "--queue", "TestHttpSysQueue", "--workers", "3", "--verbose"
        ) as workers,
        hostler("run", delegated(tmp_path), *listening, "--quiet") as proxy,
        client() as http,
    ):
        url = await proxy.url()
        await workers.says("serving queue TestHttpSysQueue with 3 workers")
        requests = [asyncio.create_task(http.get(f"{url}/{number}/wait")) for number in range(200)]
        await until(lambda: workers.errors.count("waiting") == 200)
        first = set()
        while len(first) < 3:
            # a worker that is killed before it could say that it has answered takes the connection with it
            response = await http.get(f"{url}/who", headers={"connection": "close"})
            pid = int(response.text.split()[0])
            if pid in first:
                continue
            first.add(pid)
            started = workers.errors.count("waiting")
            os.kill(pid, signal.SIGKILL)
            # what it had begin again elsewhere; none of it had begun to be answered
            await until(lambda started=started: workers.errors.count("waiting") > started)
        (tmp_path / "release").touch()
        responses = await asyncio.gather(*requests)
        assert [response.status_code for response in responses] == [200] * 200
        assert not {int(response.text.split()[0]) for response in responses} & first


@pytest.mark.timeout(60)  # five processes start, and three follow them
async def test_200_requests_under_way_survive_a_rolling_restart(tmp_path, listening):
    async with (
        hostler(
            "serve", "worker_apps:app", "--queue", "TestHttpSysQueue", "--workers", "2", "--verbose"
        ) as workers,
        hostler("run", delegated(tmp_path), *listening, "--quiet") as proxy,
        client() as http,
    ):
        url = await proxy.url()
        await workers.says("serving queue TestHttpSysQueue with 2 workers")
        requests = [asyncio.create_task(http.get(f"{url}/{number}/wait")) for number in range(200)]
        await until(lambda: workers.errors.count("waiting") == 200)
        workers.kill(signal.SIGHUP)
        before = {int((await http.get(f"{url}/who")).text.split()[0])}
        (tmp_path / "release").touch()
        responses = await asyncio.gather(*requests)
        assert [response.status_code for response in responses] == [200] * 200
        await workers.says("every worker was replaced", "err")
        assert int((await http.get(f"{url}/who")).text.split()[0]) not in before


async def test_a_document_with_three_clusters_runs_as_it_is(tmp_path):
    async with (
        hostler("serve", "worker_apps:app", "--url", LOCAL) as one,
        hostler("serve", "worker_apps:app", "--url", LOCAL) as other,
        hostler("serve", "worker_apps:app", "--queue", "reports") as workers,
    ):
        text = """
        {
          // where ASP.NET Core would listen
          "Urls": "http://127.0.0.1:0",
          "Logging": { "LogLevel": { "Default": "Information" } },
          "AllowedHosts": "*",
          "ReverseProxy": {
            "Routes": {
              "api": { "ClusterId": "api", "Match": { "Path": "/api/{**remainder}" } },
              "shop": {
                "ClusterId": "shop", "Order": "1",
                "Match": { "Path": "/shop/{id:int}", "Methods": [ "GET", "POST" ] }
              },
              "reports": { "ClusterId": "reports", "Match": { "Path": "/reports/{*rest}" } },
            },
            "Clusters": {
              "api": {
                "LoadBalancingPolicy": "RoundRobin",
                "HealthCheck": {
                  "Passive": { "Enabled": "true", "Policy": "TransportFailureRate", "ReactivationPeriod": "00:02:00" }
                },
                "Destinations": { "one": { "Address": ONE }, "other": { "Address": OTHER } }
              },
              "shop": {
                "SessionAffinity": { "Enabled": true, "Policy": "HashCookie", "AffinityKeyName": ".Shop.Affinity" },
                "HttpRequest": { "ActivityTimeout": "00:01:40" },
                "Destinations": { "one": { "Address": ONE }, "other": { "Address": OTHER } }
              },
              "reports": {
                /* delegated */
                "Destinations": {
                  "queue": { "Address": "http://*:80/", "Metadata": { "HttpSysDelegationQueue": "reports" } }
                }
              }
            }
          }
        }
        """
        for name, server in (("ONE", one), ("OTHER", other)):
            text = text.replace(name, json.dumps(await server.url()))
        await workers.says("serving queue reports")
        async with hostler("run", document(tmp_path, text)) as proxy, client() as http:
            url = await proxy.url()

            async def ask(path):
                response = await http.get(f"{url}{path}")
                assert response.status_code == 200, response.text
                return int(response.text.split()[0])

            turns = [await ask("/api/x") for _ in range(4)]
            assert turns == [turns[0], turns[1]] * 2
            assert turns[0] != turns[1]
            assert len({await ask("/shop/7") for _ in range(6)}) == 1
            assert ".Shop.Affinity" in http.cookies
            assert await ask("/reports/today") not in turns
            assert (await http.get(f"{url}/shop/seven")).status_code == 404
            assert (await http.delete(f"{url}/shop/7")).status_code == 405


async def test_a_request_that_ends_worker_after_worker_is_given_up(tmp_path, listening):
    async with (
        hostler(
            "serve", "worker_apps:app", "--queue", "TestHttpSysQueue", "--workers", "2", "--verbose"
        ) as workers,
        hostler("run", delegated(tmp_path), *listening, "--quiet") as proxy,
        client() as http,
    ):
        url = await proxy.url()
        await workers.says("serving queue TestHttpSysQueue with 2 workers")
        assert (await http.get(f"{url}/die")).status_code == 502
        assert (await http.get(f"{url}/who")).status_code == 200
        assert "5 processes of queue TestHttpSysQueue ended with this request in their hands" in proxy.errors


def forwarded(tmp_path, address):
    return document(
        tmp_path,
        """
        {"ReverseProxy": {
          "Routes": {"r": {"ClusterId": "c", "Match": {"Path": "/{**rest}"}}},
          "Clusters": {"c": {"Destinations": {"d": {"Address": ADDRESS}}}}
        }}
        """.replace("ADDRESS", json.dumps(address)),
    )


@pytest.mark.parametrize("when", ["idle", "before the first byte", "in the middle of the body"])
async def test_a_destination_that_is_killed_costs_its_own_exchange_and_no_other(when, tmp_path):
    async with hostler("serve", "worker_apps:app", "--url", LOCAL, "--workers", "0") as destination:
        address = await destination.url()
        async with hostler("run", forwarded(tmp_path, address), "--url", LOCAL) as proxy, client() as http:
            url = await proxy.url()
            assert (await http.get(f"{url}/who")).status_code == 200
            if when == "before the first byte":
                request = asyncio.create_task(http.get(f"{url}/wait"))
                await destination.says("waiting", "err")
                destination.kill()
                assert (await request).status_code == 502
            elif when == "in the middle of the body":
                async with http.stream("GET", f"{url}/half") as response:
                    assert response.status_code == 200
                    pieces = response.aiter_raw()
                    assert await anext(pieces) == b"half "
                    destination.kill()
                    with pytest.raises(httpx.TransportError):
                        await anext(pieces)
            else:
                destination.kill()
            await destination.ends()
            assert (await http.get(f"{url}/who")).status_code == 502
            async with hostler("serve", "worker_apps:app", "--url", address, "--workers", "0") as again:
                await again.url()
                assert (await http.get(f"{url}/who")).status_code == 200

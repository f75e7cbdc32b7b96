"""Trusted proxies: what a server's exchanges are when somebody in front has said whom they are from."""

from __future__ import annotations

import json

from tests.server.contract.clients import Client


async def asked(machine, *lines, path="/", target="/", **options):
    """Return what a server that believes its peers knows of a request, None where it was rejected."""
    node = await machine.serve("believing", [f"http://127.0.0.1:0{path}"], **options)
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.ask("GET", target, *lines)
    return json.loads(answer.body) if answer.status == 200 else answer.status


async def test_the_client_and_the_scheme_are_those_that_a_proxy_says(machine):
    seen = await asked(
        machine, "X-Forwarded-For: 192.0.2.1, 203.0.113.9:4711", "X-Forwarded-Proto: https", "X-Own: 1"
    )
    assert (seen["client"], seen["scheme"]) == (["203.0.113.9", 4711], "https")
    assert [name.lower() for name, _ in seen["headers"] if "forwarded" in name.lower()] == []
    assert ["X-Own", "1"] in [[name, value] for name, value in seen["headers"]]


async def test_the_host_is_the_one_that_a_proxy_says(machine):
    seen = await asked(machine, "X-Forwarded-Host: Named:8080", path="/base/", target="/base/a%2Fb")
    assert (seen["host"], seen["port"], seen["path_base"], seen["path"]) == ("named", 8080, "/base", "/a%2Fb")
    assert [value for name, value in seen["headers"] if name.lower() == "host"] == ["Named:8080"]


async def test_a_host_that_is_none_is_rejected(machine):
    assert await asked(machine, "X-Forwarded-Host: a b") == 400

"""Behind a proxy in front: what routes, limits, destinations and workers see; the table of docs/behind-proxies.md."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from attrs import evolve

from hostler import (
    Cluster,
    Definitions,
    Endpoint,
    Proxy,
    RateLimiterDefinition,
    Route,
    ServerOptions,
    TrustedProxies,
    queue,
    serving,
)
from tests.client.peers import connected

pytestmark = pytest.mark.usefixtures("runtime")

CLIENT = "203.0.113.9"
SAID = (
    f"X-Forwarded-For: 192.0.2.77, {CLIENT}",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: www.example.org",
    "Forwarded: for=192.0.2.77",
)
IDENTITY = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix", "forwarded")


async def tell(exchange):
    """Answer with what is seen of a request."""
    headers = [[name.lower(), value] for name, value in exchange.request.headers]
    facts = {
        "client": exchange.client[0],
        "peer": exchange.peer[0],
        "scheme": exchange.scheme,
        "host": exchange.host,
        "port": exchange.port,
        "said": {name: value for name, value in headers if name in IDENTITY},
        "fields": [[name, value] for name, value in headers if name in IDENTITY],
        "lines": len(headers),
    }
    return await exchange.respond(200, json.dumps(facts))


def trusting(*networks, **options):
    return ServerOptions(trusted_proxies=TrustedProxies(networks=networks or ["127.0.0.0/8"], **options))


@asynccontextmanager
async def between(options, way, *transforms, lines=None, **route):
    """Run a recorder behind a proxy; gives a connection to it."""
    async with serving(tell, ["http://127.0.0.1:0/"], queue="q", write_line=None) as recorder:
        there = queue("q", "http://127.0.0.1:1/") if way == "delegated" else recorder.url
        proxy = Proxy([Route("/{**rest}", "c", transforms=transforms, **route)], [Cluster("c", [there])])
        write = None if lines is None else lines.append
        async with (
            serving(
                proxy, ["http://127.0.0.1:0/"], options=options, write_line=write, log_format="json"
            ) as front,
            connected(front.url) as client,
        ):
            yield client


async def ask(client, *lines, host="backend", target="/"):
    head = "".join(f"{line}\r\n" for line in (f"GET {target} HTTP/1.1", f"Host: {host}", *lines, ""))
    client.send(head.encode("latin-1"))
    answer = await client.answer()
    return json.loads(answer.body) if answer.status == 200 else answer.status


both = pytest.mark.parametrize("way", ["forwarded", "delegated"])


@both
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "unusual"])
@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ((), {"for": CLIENT, "host": "www.example.org", "proto": "https"}),
        (({"X-Forwarded": "Append"},), {"for": CLIENT, "host": "www.example.org", "proto": "https"}),
        (({"X-Forwarded": "Set", "For": "Remove", "Proto": "Off"},), {"host": "www.example.org"}),
        (({"X-Forwarded": "Off"},), {}),
        (
            ({"Forwarded": "for,proto,host", "ForFormat": "Ip", "Action": "Append"},),
            {"forwarded": f'proto=https;host="www.example.org";for={CLIENT}'},
        ),
    ],
    ids=["default", "append", "some", "off", "forwarded"],
)
async def test_what_is_sent_on_of_what_a_trusted_proxy_says(way, plain, transforms, said):
    lines = SAID if plain else (*SAID, "X-Odd:\tvalue ", "Accept: a", "Accept: b")
    async with between(trusting(hosts=["www.example.org"]), way, *transforms) as client:
        seen = await ask(client, *lines)
    assert seen["said"] == {
        name if name == "forwarded" else f"x-forwarded-{name}": value for name, value in said.items()
    }


@both
@pytest.mark.parametrize("transform", ["Set", "Append", "Off"])
async def test_what_is_sent_on_of_what_anybody_else_says(way, transform):
    async with between(trusting("10.0.0.0/8", hosts=["*"]), way, {"X-Forwarded": transform}) as client:
        seen = await ask(client, *SAID)
    own = {"x-forwarded-for": "127.0.0.1", "x-forwarded-host": "backend", "x-forwarded-proto": "http"}
    assert seen["said"] == ({} if transform == "Off" else own)


async def test_a_worker_sees_whom_the_request_is_from():
    async with between(trusting(hosts=["www.example.org"]), "delegated") as client:
        own = await ask(client)
        assert (own["client"], own["peer"], own["scheme"], own["port"]) == (
            "127.0.0.1",
            "127.0.0.1",
            "http",
            80,
        )
        for last in range(1, 4):
            seen = await ask(client, f"X-Forwarded-For: 203.0.113.{last}", *SAID[1:])
            assert (seen["client"], seen["peer"]) == (f"203.0.113.{last}", "127.0.0.1")
            assert (seen["scheme"], seen["host"], seen["port"]) == ("https", "www.example.org", 443)
        assert await ask(client) == own


async def test_a_request_with_a_large_body_tells_its_worker_too():
    async with between(trusting(), "delegated") as client:
        head = f"POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {CLIENT}\r\nContent-Length: 300000\r\n\r\n"
        client.send(head.encode() + bytes(300_000))
        assert json.loads((await client.answer()).body)["client"] == CLIENT


@both
@pytest.mark.parametrize("network", ["127.0.0.1", "10.0.0.1"], ids=["trusted", "not trusted"])
@pytest.mark.parametrize("framing", ["", "Content-Length: 3", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("host", ["Host: a", "host: a"])
@pytest.mark.parametrize("more", ["", "Connection: keep-alive", "Keep-Alive: 1", "TE: trailers"])
async def test_nothing_that_the_client_says_of_itself_is_sent_on(way, network, framing, host, more):
    body = {"": b"", "C": b"abc", "T": b"3\r\nabc\r\n0\r\n\r\n"}[framing[:1]]
    lines = ("POST / HTTP/1.1", host, *SAID[:2], more, *SAID[2:], framing)
    async with between(trusting(network), way) as client:
        client.send("".join(f"{line}\r\n" for line in lines if line).encode() + b"\r\n" + body)
        said = json.loads((await client.answer()).body)["fields"]
    real = (CLIENT, "https") if network == "127.0.0.1" else ("127.0.0.1", "http")
    assert said == [["x-forwarded-for", real[0]], ["x-forwarded-host", "a"], ["x-forwarded-proto", real[1]]]


@both
async def test_a_request_goes_on_as_if_the_client_had_sent_it_itself(way):
    """Nothing of the way is left: the same number of lines as without a proxy in front."""
    async with between(trusting(), way) as client:
        assert (await ask(client, *SAID))["lines"] == (await ask(client))["lines"]


async def test_a_worker_believes_the_proxy_that_lends_and_nobody_else():
    """A worker with proxies of its own in front does not look into what was delegated: that has been judged."""
    async with serving(tell, ["http://127.0.0.1:0/"], queue="q", options=trusting()) as worker:
        proxy = Proxy(
            [Route("/{**rest}", "c", transforms=[{"X-Forwarded": "Off"}])],
            [Cluster("c", [queue("q", "http://127.0.0.1:1/")])],
        )
        async with (
            serving(proxy, ["http://127.0.0.1:0/"]) as front,
            connected(front.url) as delegated,
            connected(worker.url) as direct,
        ):
            assert (await ask(delegated, *SAID))["client"] == "127.0.0.1"
            assert (await ask(direct, *SAID))["client"] == CLIENT


@both
async def test_access_lines_name_the_client_and_the_peer(way):
    lines = []
    async with between(trusting(), way, lines=lines) as client:
        await ask(client, *SAID)
        await ask(client)
    entries = [json.loads(line) for line in "".join(lines).splitlines()]
    assert [(entry["client"], entry["peer"]) for entry in entries] == [
        (CLIENT, "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
    ]


async def test_routes_are_found_by_the_believed_host():
    routes = [
        Route(
            "/{**rest}",
            "c",
            id="outer",
            hosts=["www.example.org"],
            transforms=[{"X-Forwarded": "Set", "For": "Off"}],
        ),
    ]
    async with serving(tell, ["http://127.0.0.1:0/"]) as recorder:
        proxy = Proxy(routes, [Cluster("c", [recorder.url])])
        async with (
            serving(proxy, ["http://127.0.0.1:0/"], options=trusting(hosts=["*.example.org"])) as front,
            connected(front.url) as client,
        ):
            assert (await ask(client, *SAID))["said"]["x-forwarded-host"] == "www.example.org"
            assert await ask(client, "X-Forwarded-Host: other.example.org") == 404
            assert await ask(client, "X-Forwarded-Host: www.example.com") == 404
            assert await ask(client) == 404


async def test_a_host_that_is_none_is_rejected():
    lines = []
    async with between(trusting(hosts=["*"]), "forwarded", lines=lines) as client:
        assert await ask(client, f"X-Forwarded-For: {CLIENT}", "X-Forwarded-Host: a b") == 400
        assert isinstance(await ask(client), dict)
    entry = json.loads("".join(lines).splitlines()[0])
    assert (entry["client"], entry["peer"], entry["status"]) == ("127.0.0.1", "127.0.0.1", 400)


async def test_a_forged_client_changes_no_rate_limit():
    definitions = Definitions(rate_limiters={"Slow": RateLimiterDefinition(2, 60)})
    async with serving(tell, ["http://127.0.0.1:0/"]) as recorder:
        routes = [Route("/{**rest}", "c", rate_limiter_policy="Slow")]
        proxy = Proxy(routes, [Cluster("c", [recorder.url])], definitions=definitions)
        for network, statuses in (("10.0.0.0/8", [200, 200, 429, 429]), ("127.0.0.1", [200, 200, 200, 200])):
            async with (
                serving(proxy, ["http://127.0.0.1:0/"], options=trusting(network)) as front,
                connected(front.url) as client,
            ):
                seen = [await ask(client, f"X-Forwarded-For: 203.0.113.{last}") for last in range(4)]
                assert [200 if isinstance(one, dict) else one for one in seen] == statuses


async def test_a_request_stays_in_the_fast_lane():
    """Where a proxy has said nothing but the client and the scheme, its head goes on as bytes."""
    seen = []

    async def handler(exchange):
        seen.append((exchange.client[0], exchange.plain))
        return await exchange.respond(200, b"{}")

    async with (
        serving(handler, ["http://127.0.0.1:0/"], options=trusting()) as front,
        connected(front.url) as client,
    ):
        await ask(client, *SAID)
    ((address, plain),) = seen
    assert address == CLIENT
    assert plain is not None
    assert b"orwarded" not in plain.head


@both
async def test_a_header_of_the_proxy_protocol_says_whose_word_is_next(way):
    """The address in it is the client's, or that of the next proxy, whose headers are believed if it is trusted."""
    endpoint = {"http://127.0.0.1:0": Endpoint(proxy_protocol=True)}
    options = evolve(trusting("127.0.0.1", "198.51.100.7"), endpoints=endpoint)
    lines = []
    async with between(options, way, lines=lines) as client:
        client.send(b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\n")
        seen = [await ask(client, *SAID), await ask(client)]
    async with between(options, way, lines=lines) as client:
        client.send(b"PROXY TCP6 2001:db8::1 ::1 5000 80\r\n")
        seen.append(await ask(client, *SAID))
    expected = [CLIENT, "198.51.100.7", "2001:db8::1"]
    assert [one["said"]["x-forwarded-for"] for one in seen] == expected
    entries = [json.loads(line) for line in "".join(lines).splitlines()]
    assert [(entry["client"], entry["peer"]) for entry in entries] == [(one, "127.0.0.1") for one in expected]
    if way == "delegated":
        assert [(one["client"], one["peer"]) for one in seen] == [(one, "127.0.0.1") for one in expected]

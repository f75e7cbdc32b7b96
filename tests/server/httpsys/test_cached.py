"""Responses that HTTP.sys keeps: which are offered to it, whom they answer, and how they are dropped."""

import math

import pytest

from hostler.authorization.decision import Granted
from hostler.config.model import Cluster, Route
from hostler.http.message import CHUNKED
from hostler.policies import Policies
from hostler.proxy import Proxy
from hostler.windows.errors import Win32Error
from tests.client import peers
from tests.client.peers import destination
from tests.server.httpsys.served import URL
from tests.server.httpsys.test_stream import answering
from tests.server.httpsys.ways import every_way, serving, turns

PUBLIC = [(b"Content-Type", b"text/plain"), (b"Cache-Control", b"public, max-age=60")]
PLAIN = PUBLIC[:1]


def caching(handler, seconds=None):
    """A handler whose response is to be kept."""

    async def cached(exchange):
        assert exchange.can_cache_response == (exchange.method == "GET")
        exchange.cache_response(seconds)
        return await handler(exchange)

    return cached


async def hits(machine, *urls, client=None, **options):
    """Ask for URLs; returns how many of the answers came out of the cache."""
    before = machine.cache.hits
    for url in urls:
        await (client or machine.client()).request("GET", url, **options).response()
    return machine.cache.hits - before


@every_way
async def test_a_response_that_says_so_is_kept(machine, way):
    async with serving(machine, caching(answering(raw=PUBLIC, framing=4, first=b"kept")), way):
        first = await machine.client().request("GET", URL).response()
        second = await machine.client().request("GET", URL).response()
        assert machine.cache.hits == 1
        assert first.body == second.body == b"kept"
        assert first.header("content-length") == second.header("content-length") == b"4"
        machine.now = 60
        assert await hits(machine, URL) == 0


@every_way
async def test_a_body_that_comes_in_pieces_leaves_whole(machine, way):
    async def handler(exchange):
        await exchange.start(
            200, {"content-type": "text/plain", "cache-control": "public, max-age=9"}, length=150_000
        )
        for _ in range(150):
            await exchange.write(b"x" * 1000)
            await turns(2)
        return await exchange.end()

    async with serving(machine, caching(handler), way):
        assert (await machine.client().request("GET", URL).response()).body == b"x" * 150_000
        assert await hits(machine, URL) == 1


async def test_a_few_pieces_are_one_call(machine):
    handler = answering(raw=PUBLIC, framing=90_000, pieces=[b"x" * 1000] * 90)
    async with serving(machine, caching(handler)):
        assert await hits(machine, URL, URL) == 1
        assert machine.count("HttpSendResponseEntityBody") == 0


@pytest.mark.parametrize(
    ("raw", "framing"),
    [
        (PLAIN, 4),
        (PUBLIC, CHUNKED),
        ([*PUBLIC, (b"Vary", b"Accept")], 4),
        ([*PUBLIC, (b"Set-Cookie", b"a=1")], 4),
    ],
)
async def test_what_is_not_kept_is_sent_as_ever(machine, raw, framing):
    async with serving(machine, caching(answering(raw=raw, framing=framing, pieces=[b"ab", b"cd"]))):
        assert (await machine.client().request("GET", URL).response()).body == b"abcd"
        assert machine.cache.entries == {}


@pytest.mark.parametrize("http2", [False, True])
async def test_what_ends_its_connection_is_not_kept(machine, http2):
    raw = [*PUBLIC, (b"Connection", b"close")]
    async with serving(machine, caching(answering(raw=raw, framing=4, first=b"kept"))):
        await machine.client(http2=http2).request("GET", URL).response()
        assert machine.cache.entries == {}


async def test_what_has_trailers_is_not_kept(machine):
    async def handler(exchange):
        await exchange.start(
            200, {"content-type": "text/plain", "cache-control": "public, max-age=9"}, length=4
        )
        await exchange.write(b"kept")
        return await exchange.end([("checksum", "1")])

    async with serving(machine, caching(handler)):
        response = await machine.client(http2=True).request("GET", URL).response()
        assert response.body == b"kept"
        assert machine.cache.entries == {}


async def test_nothing_is_kept_that_nobody_asked_for(machine):
    async with serving(machine, answering(raw=PUBLIC, framing=4, first=b"kept")):
        assert await hits(machine, URL, URL) == 0


async def test_what_is_too_large_does_not_wait(machine):
    handler = answering(raw=PUBLIC, framing=300_000, pieces=[b"x" * 1000] * 300)
    async with serving(machine, caching(handler)):
        assert len((await machine.client().request("GET", URL).response()).body) == 300_000
        assert machine.cache.entries == {}


@pytest.mark.parametrize("method", ["HEAD", "POST"])
async def test_only_get_is_kept(machine, method):
    async with serving(machine, caching(answering(raw=PUBLIC, framing=4, first=b"kept"))):
        await machine.client().request(method, URL).response()
        assert machine.cache.entries == {}


async def test_a_part_of_what_is_kept_has_one_length(machine):
    async with serving(machine, caching(answering(raw=PUBLIC, framing=4, first=b"kept"))):
        client = machine.client()
        await client.request("GET", URL).response()
        response = await client.request("GET", URL, [("Range", "bytes=1-2")]).response()
        assert (response.status, response.body) == (206, b"ep")


async def test_a_stage_says_for_how_long(machine):
    async with serving(machine, caching(answering(raw=PLAIN, framing=4, first=b"kept"), 30)):
        assert await hits(machine, URL, URL) == 1
        machine.now = 30
        assert await hits(machine, URL) == 0


@pytest.mark.parametrize(
    "path",
    [
        "a%2fb", "a%5Cb", "a\\b", "a//b", "a%252Fb", "x/../a/b", "x/%2e%2E/a/b", "a/./b", "a/b/.", "%E4", "a%2", "a%3Fb", "a%3fb=1", "a%3Bb",
        "%61", "%7E", "a|b", "a\xe4",
    ],
)  # fmt: skip
async def test_a_path_that_http_sys_spells_otherwise_is_not_kept(machine, path):
    """It cooks several spellings into one URL, and a destination may answer each otherwise."""
    async with serving(machine, caching(answering(raw=PUBLIC, framing=4, first=b"kept"))):
        await machine.client().request("GET", URL + path).response()
        assert machine.cache.entries == {}


async def test_a_question_mark_of_a_path_answers_no_query(machine):
    """Both URLs are cooked into one, and a destination tells them apart."""

    async def handler(exchange):
        exchange.cache_response(60)
        return await exchange.respond(200, exchange.path, headers={"content-type": "text/plain"})

    async with serving(machine, handler):
        await machine.client().request("GET", URL + "prices%3Fday=1").response()
        response = await machine.client().request("GET", URL + "prices?day=1").response()
    assert response.body == b"/prices"


@pytest.mark.parametrize(
    "path", ["a/b", "a%20b", "%C3%A4", "a.b/..c", "a?b=//%2F", "a-_~!$&'()*+,;=:@/%5B%7c%5D"]
)
async def test_a_plain_path_is_kept(machine, path):
    async with serving(machine, caching(answering(raw=PUBLIC, framing=4, first=b"kept"))):
        assert await hits(machine, URL + path, URL + path) == 1


@every_way
@pytest.mark.parametrize("by_prefix", [False, True])
async def test_flushing(machine, way, by_prefix):
    machine.cache.names_by_prefix = by_prefix
    handler = caching(answering(raw=PLAIN, framing=4, first=b"kept"), math.inf)
    base = "http://localhost:8080"
    async with serving(machine, handler, way, urls=["http://+:8080/"]) as server:
        for path in ("/a%20b", "/a%20b/c", "/d"):
            assert await hits(machine, base + path, base + path) == 1
        machine.now = 1e9
        await server.flush_cache(f"{base}/a%20b")
        assert await hits(machine, f"{base}/a%20b/c", f"{base}/d") == 2
        assert await hits(machine, f"{base}/a%20b") == 0
        await server.flush_cache(f"{base}/a%20b", recursive=True)
        assert await hits(machine, f"{base}/a%20b", f"{base}/a%20b/c") == 0
        assert await hits(machine, f"{base}/d") == 1


async def test_what_cannot_be_flushed(machine):
    async with serving(machine, answering(framing=0)) as server:
        with pytest.raises(ValueError, match="'/a' is no URL to flush"):
            await server.flush_cache("/a")
        with pytest.raises(Win32Error, match="HttpFlushResponseCache http://localhost:9/"):
            await server.flush_cache("http://localhost:9/")


# -- of a proxy


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: public, max-age=60\r\nContent-Length: %d\r\n\r\n"


@every_way
@pytest.mark.parametrize("size", [5, 200_000, 300_000])
async def test_what_a_proxy_forwards_is_kept_on_routes_that_say_so(machine, way, size):
    async with destination(peers.answering(ANSWER % size + b"x" * size)) as there:
        routes = [
            Route("/kept/{**rest}", "c", response_caching=True),
            Route("/{**rest}", "c"),
        ]
        proxy = Proxy(routes, [Cluster("c", [f"http://127.0.0.1:{there.port}/"])])
        async with serving(machine, proxy, way, urls=["http://+:8080/"]) as server, proxy.lifespan(server):
            for path, kept in (("kept/a", size < 262_144), ("other", False)):
                url = f"http://localhost:8080/{path}"
                for _ in range(2):
                    assert (await machine.client().request("GET", url).response()).body == b"x" * size
                assert machine.cache.hits == int(kept)
                machine.cache.hits = 0
            await proxy.flush_cache("http://localhost:8080/", recursive=True)
            assert machine.cache.entries == {}


async def test_what_a_guard_sees_later_is_not_kept(machine, caplog):
    """The handler around a proxy asks before the route is known."""

    async def allow(exchange):
        return Granted()

    async with destination(peers.answering(ANSWER % 4 + b"kept")) as there:
        routes = [Route("/{**rest}", "c", id="guarded", authorization_policy="staff")]
        clusters = [Cluster("c", [f"http://127.0.0.1:{there.port}/"])]
        proxy = Proxy(routes, clusters, policies=Policies(authorization={"staff": allow}))
        async with serving(machine, caching(proxy, 60)) as server, proxy.lifespan(server):
            for _ in range(2):
                assert (await machine.client().request("GET", URL).response()).body == b"kept"
    assert machine.cache.hits == 0
    assert "the responses of route guarded cannot be cached: AuthorizationPolicy" in caplog.text

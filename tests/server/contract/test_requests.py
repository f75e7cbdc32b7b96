"""What a handler sees of a request's head."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.server.contract.abilities import needs
from tests.server.contract.clients import Client, visitor
from tests.server.contract.machines import free_port


async def seen(machine, method, path, *lines, urls=None, **options):
    """Send one request; give what the handler saw."""
    node = await machine.serve("facts", *([urls] if urls else []))
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.ask(method, path, *lines, **options)
        assert answer.status == 200, answer
        return httpx.Response(200, content=answer.body).json()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_a_request_reaches_the_handler(machine, method):
    node = await machine.serve("facts")
    async with visitor() as client:
        answer = await client.request(method, f"{node.urls[0]}some/where")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    facts = answer.json()
    assert (facts["method"], facts["path"], facts["version"], facts["scheme"]) == (
        method, "/some/where", 11, machine.scheme,
    )  # fmt: skip


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT", "MKCALENDAR"])
async def test_verbs_of_other_protocols_reach_the_handler(machine, method):
    assert (await seen(machine, method, "/"))["method"] == method


@pytest.mark.parametrize("method", ["VERSION-CONTROL", "BREW", "x"])
async def test_verbs_that_nobody_knows_arrive_as_they_are(machine, method):
    assert (await seen(machine, method, "/"))["method"] == method


async def test_every_header_arrives(machine):
    lines = ["Accept: a/b", "X-Own: 1", "User-Agent: contract", "x-Mixed-Case: two words", "Cookie: a=b; c=d"]
    headers = dict((await seen(machine, "GET", "/", *lines))["headers"])
    found = {name.lower(): value for name, value in headers.items()}
    for line in lines:
        name, _, value = line.partition(": ")
        assert found[name.lower()] == value


@needs("repeated headers")
async def test_every_value_of_a_repeated_header_arrives_in_order(machine):
    lines = ["X-Twice: 1", "Accept: a/b", "X-Twice: 2, 3", "Accept: c/d", "X-Twice: 4"]
    headers = (await seen(machine, "GET", "/", *lines))["headers"]

    def joined(wanted):
        return ", ".join(value for name, value in headers if name.lower() == wanted)

    assert joined("x-twice") == "1, 2, 3, 4"
    assert joined("accept") == "a/b, c/d"


@needs("header lines")
async def test_header_lines_arrive_as_they_were_sent(machine):
    lines = ["X-B: 1", "accept: a/b", "X-A: 2", "X-b: 3"]
    headers = (await seen(machine, "GET", "/", *lines))["headers"]
    assert [f"{name}: {value}" for name, value in headers][1:] == lines


@needs("bytes in headers")
async def test_header_values_may_have_any_byte_above_7f(machine):
    headers = (await seen(machine, "GET", "/", "X-Latin: caf\xe9"))["headers"]
    assert ["x-latin", "caf\xe9"] in [[name.lower(), value] for name, value in headers]


@pytest.mark.parametrize("size", [3_000, 9_000, 14_000])
async def test_large_heads_arrive_whole(machine, size):
    lines = [f"X-{number}: {'x' * 990}" for number in range(size // 1000)]
    headers = {name.lower(): value for name, value in (await seen(machine, "GET", "/", *lines))["headers"]}
    assert all(headers[f"x-{number}"] == "x" * 990 for number in range(size // 1000))


@needs("head limit")
async def test_a_head_that_is_far_too_large_is_refused(machine):
    node = await machine.serve("facts")
    async with await Client.connect(node.urls[0]) as client:
        answer = await client.get("/", *(f"X-{number}: {'x' * 990}" for number in range(150)))
        assert 400 <= answer.status < 500


# -- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["a=1&b=%20&&c", "", "?", "a/../b=%2F+c"])
async def test_the_query_is_passed_on_as_it_came(machine, query):
    facts = await seen(machine, "GET", f"/path?{query}")
    assert (facts["path"], facts["query"]) == ("/path", query)


async def test_no_query_is_none(machine):
    assert (await seen(machine, "GET", "/path"))["query"] is None


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/a%20b", "/a b"),
        ("/caf%C3%A9", "/café"),
        ("/a%2Fb", "/a%2Fb"),
        ("/q%3Fq", "/q?q"),
        ("/%7euser", "/~user"),
        ("/a/b;c=d", "/a/b;c=d"),
    ],
)
async def test_escapes_in_the_path_are_decoded_once(machine, raw, path):
    facts = await seen(machine, "GET", raw)
    assert (facts["path"], facts["target"]) == (path, raw)


@pytest.mark.parametrize(
    ("raw", "path"), [("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/%2e%2e/b", "/b"), ("/../b", "/b")]
)
async def test_dot_segments_are_gone_from_the_path(machine, raw, path):
    assert (await seen(machine, "GET", raw))["path"] == path


async def test_a_target_with_an_authority_counts_more_than_host(machine):
    port = free_port()
    facts = await seen(
        machine, "GET", f"http://localhost:{port}/x", host="other", urls=[f"http://localhost:{port}/"]
    )
    assert (facts["host"], facts["port"], facts["path"]) == ("localhost", port, "/x")


@needs("asterisk")
async def test_options_may_ask_about_the_server_as_a_whole(machine):
    facts = await seen(machine, "OPTIONS", "*")
    assert (facts["method"], facts["target"], facts["path_base"]) == ("OPTIONS", "*", "")


@pytest.mark.parametrize("raw", ["/%00", "/%zz", pytest.param("x", marks=needs("malformed requests"))])
async def test_what_is_no_target_is_refused(machine, raw):
    node = await machine.serve("facts")
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get(raw)).status == 400


# -- where it came from, and where to ---------------------------------------------------------------------------------


async def test_both_ends_of_the_connection_are_known(machine):
    node = await machine.serve("facts")
    async with await Client.connect(node.urls[0]) as client:
        facts = httpx.Response(200, content=(await client.get("/")).body).json()
        assert facts["client"] == list(client.socket.getsockname())
        assert facts["server"] == list(client.socket.getpeername())


@needs("ipv6")
async def test_both_ends_of_an_ipv6_connection_are_known(machine):
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    node = await machine.serve("facts", ["http://[::1]:0/"])
    async with await Client.connect(node.urls[0]) as client:
        facts = httpx.Response(200, content=(await client.get("/", host="[::1]")).body).json()
        assert facts["client"] == list(client.socket.getsockname()[:2])
        assert facts["server"] == list(client.socket.getpeername()[:2])


async def test_the_host_is_lower_case_and_without_its_port(machine):
    port = free_port()
    facts = await seen(machine, "GET", "/", host=f"LocalHost:{port}", urls=[f"http://localhost:{port}/"])
    assert (facts["host"], facts["port"]) == ("localhost", port)


@needs("requests without host")
async def test_an_http_1_0_request_needs_no_host(machine):
    node = await machine.serve("facts")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(b"GET /old HTTP/1.0\r\n\r\n")
        answer = await client.answer()
        facts = httpx.Response(200, content=answer.body).json()
        assert (facts["version"], facts["host"], facts["path"]) == (10, "", "/old")


@needs("malformed requests")
async def test_an_http_1_1_request_needs_a_host(machine):
    node = await machine.serve("facts")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await client.answer()).status == 400


# -- URL prefixes -----------------------------------------------------------------------------------------------------

PREFIXES = [
    "http://+:{}/strong/",
    "http://localhost:{}/",
    "http://localhost:{}/longer/",
    "http://localhost:{}/longer/path/",
    "http://127.0.0.1:{}/here/",
    "http://*:{}/weak/",
]


@needs("wildcards")
@pytest.mark.parametrize(
    ("host", "path", "path_base", "rest"),
    [
        ("localhost", "/x", "", "/x"),
        ("localhost", "/longer/x", "/longer", "/x"),
        ("localhost", "/longer/path/x", "/longer/path", "/x"),
        ("localhost", "/longer/path", "/longer/path", ""),
        ("localhost", "/longer/path/", "/longer/path", "/"),
        ("localhost", "/longer/pathology", "/longer", "/pathology"),
        ("localhost", "/LONGER/Path/X", "/LONGER/Path", "/X"),
        ("localhost", "/l%6Fnger/x", "/longer", "/x"),
        ("localhost", "/strong/x", "/strong", "/x"),
        ("other", "/strong/x", "/strong", "/x"),
        ("localhost", "/here/x", "", "/here/x"),
        ("other", "/here/x", "/here", "/x"),
        ("other", "/weak/x", "/weak", "/x"),
        ("localhost", "/weak/x", "", "/weak/x"),
    ],
)
async def test_the_url_prefix_that_takes_a_request_is_cut_from_its_path(machine, host, path, path_base, rest):
    port = free_port()
    facts = await seen(
        machine, "GET", path, host=f"{host}:{port}", urls=[url.format(port) for url in PREFIXES]
    )
    assert (facts["path_base"], facts["path"]) == (path_base, rest)


@needs("unmatched requests")
@pytest.mark.parametrize(("host", "path"), [("localhost", "/b"), ("localhost", "/ab/"), ("other", "/a/")])
async def test_what_no_url_prefix_takes_is_refused(machine, host, path):
    port = free_port()
    node = await machine.serve("facts", [f"http://localhost:{port}/a/"])
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get(path, host=f"{host}:{port}")).status in {400, 404}
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get("/a/")).status == 200


@needs("encryption")
async def test_an_exchange_says_how_it_is_encrypted(machine):
    assert (await seen(machine, "GET", "/"))["tls"] == "TLSv1.3"

"""One server on Windows CPython, and curl and httpx on Linux: requests and answers of all kinds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest

from tests.wine.limits import FEW_CLIENTS, MAX_BODY
from tests.wine.program import PATIENCE, curl


@pytest.fixture(scope="module")
def program(serve):
    with serve(what="handlers") as program:
        yield program


@pytest.fixture
def url(program):
    program.do("reset")
    return program.ready["url"]


def seen(*arguments):
    """Run curl; gives what the server saw."""
    return json.loads(curl(*arguments))


def client(**options):
    limits = httpx.Limits(max_connections=FEW_CLIENTS)
    return httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits, **options)


def raw(url):
    """Connect, for what no client program sends."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), PATIENCE)


# -- requests ---------------------------------------------------------------------------------------------------------


def test_get(url):
    head, _, body = curl("-i", f"{url}/").partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "http/1.1 200 ok"
    assert "content-length: 5" in lines
    assert "content-type: text/plain; charset=utf-8" in lines
    assert sum(line.startswith("date: ") for line in lines) == 1
    assert body == b"hello"


def test_what_is_asked_for_arrives_as_it_was_written(url):
    got = seen("-H", "X-Mixed: Case", f"{url}/seen/a%2Fb%20c?d=%20e")
    assert (got["method"], got["target"]) == ("GET", "/seen/a%2Fb%20c?d=%20e")
    assert got["path"] == "/seen/a%2Fb c"
    assert got["client"] == "127.0.0.1"
    assert (got["host"], got["port"]) == ("127.0.0.1", urlsplit(url).port)
    headers = {name.lower(): value for name, value in got["headers"]}
    assert headers["x-mixed"] == "Case"
    assert headers["host"] == urlsplit(url).netloc
    assert headers["user-agent"].startswith("curl/")


@pytest.mark.parametrize("size", [0, 1, 5000, MAX_BODY])
def test_post(url, size, tmp_path):
    body = (b"0123456789" * (size // 10 + 1))[:size]
    file = tmp_path / "body"
    file.write_bytes(body)
    # "100 continue": curl would wait for one
    got = seen("-H", "Expect:", "--data-binary", f"@{file}", f"{url}/seen")
    assert (got["method"], got["body"]) == ("POST", body.decode())


def test_a_body_comes_back_as_it_was_sent(url):
    body = bytes(range(256)) * (MAX_BODY // 256)
    answer = httpx.post(f"{url}/echo", content=body, trust_env=False, timeout=PATIENCE)
    assert answer.content == body


def test_a_body_that_takes_several_reads(url):
    """Tried until it arrives whole ("large request body")."""
    body = bytes(range(256)) * 350
    head = b"POST /echo HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n"
    request = head % (urlsplit(url).netloc.encode(), len(body)) + body
    for _ in range(50):
        with raw(url) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(request)
            with contextlib.closing(HTTPResponse(sock)) as answer:
                answer.begin()
                assert answer.read() == body
            return
    pytest.fail("no body ever arrived whole")


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "PURGE", "M-SEARCH", "x"]
)
def test_verbs_that_windows_knows_and_others(url, method):
    assert seen("-X", method, f"{url}/seen")["method"] == method


@pytest.mark.parametrize("size", [3000, 5000, 12_000])
def test_a_head_larger_than_the_buffer_is_asked_for_again(url, size):
    value = "v" * size
    for _ in range(3):
        got = seen("-H", f"X-Large: {value}", f"{url}/seen")
        assert ["x-large", value] in [[name.lower(), text] for name, text in got["headers"]]


def test_many_headers(url):
    sent = {f"x-{number}": f"value {number}" for number in range(100)}
    answer = httpx.get(f"{url}/seen", headers=sent, trust_env=False, timeout=PATIENCE)
    got = {name.lower(): value for name, value in answer.json()["headers"]}
    assert {name: got.get(name) for name in sent} == sent


def test_a_long_target(url):
    query = "q" * 6000
    assert seen(f"{url}/seen?{query}")["target"] == f"/seen?{query}"


# -- answers ----------------------------------------------------------------------------------------------------------


def test_headers_of_an_answer(url):
    # one cookie only: "repeated headers"
    answer = httpx.get(f"{url}/many", trust_env=False, timeout=PATIENCE)
    assert (answer.headers["set-cookie"], answer.headers["etag"]) == ("a=1", '"e"')
    assert answer.headers.get_list("x-twice") == ["1", "2"]
    assert (b"x-own", "ü".encode("latin-1")) in [(name.lower(), value) for name, value in answer.headers.raw]


def test_an_answer_without_a_body(url):
    answer = httpx.get(f"{url}/empty", trust_env=False, timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (204, b"")


def test_head(url):
    head = curl("-I", url).decode().lower()
    assert head.startswith("http/1.1 200 ok\r\n")
    assert "content-length: 5\r\n" in head


@pytest.mark.parametrize("kind", ["length", "chunks"])
@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_a_large_answer(url, kind, size):
    answer = httpx.get(f"{url}/large/{kind}?{size}", trust_env=False, timeout=PATIENCE)
    assert (answer.headers.get("content-length") == str(size)) is (kind == "length")
    assert (answer.headers.get("transfer-encoding") == "chunked") is (kind == "chunks")
    assert answer.content == b"x" * size


async def test_an_answer_streams(program, url):
    async with client() as session, session.stream("GET", f"{url}/streamed") as answer:
        coming = answer.aiter_raw()
        assert await anext(coming) == b"first"
        program.do("go")
        assert await anext(coming) == b"second"


def test_what_leaves_with_a_101_is_raw_bytes(url):
    """No further: "upgrades" in tests/wine/limits.py."""
    with raw(url) as sock, sock.makefile("rb") as reader:
        head = b"GET /upgraded HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n"
        sock.sendall(head % urlsplit(url).netloc.encode())
        assert reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        while reader.readline() != b"\r\n":
            pass
        assert reader.readline() == b"one\n"


def test_a_handler_that_fails_answers_500(url):
    answer = httpx.get(f"{url}/fails", trust_env=False, timeout=PATIENCE)
    assert answer.status_code == 500


# -- connections ------------------------------------------------------------------------------------------------------


def test_a_connection_carries_one_request_after_another(url):
    out = curl("-w", "\n%{num_connects}\n", *[f"{url}/{number}" for number in range(4)])
    assert [line for line in out.decode().splitlines() if len(line) == 1] == ["1", "0", "0", "0"]


async def test_one_connection_carries_all_kinds_of_requests_in_turn(url):
    async with httpx.AsyncClient(
        trust_env=False, timeout=PATIENCE, limits=httpx.Limits(max_connections=1)
    ) as session:
        for _ in range(3):
            assert (await session.get(f"{url}/empty")).status_code == 204
            assert (await session.post(f"{url}/echo", content=b"x" * 5000)).content == b"x" * 5000
            assert (await session.get(f"{url}/large/chunks?70000")).content == b"x" * 70_000
            assert (await session.request("PURGE", f"{url}/hello")).text == "hello"


async def test_many_requests_on_a_few_connections(program, url):
    async with client() as session:
        answers = await asyncio.gather(
            *[session.post(f"{url}/echo", content=b"%d " % number * 50) for number in range(200)]
        )
    assert [answer.content for answer in answers] == [b"%d " % number * 50 for number in range(200)]
    counts = program.do("counts")
    assert (counts["begun"], counts["done"]) == (200, 200)


async def test_many_connections(program, url):
    async def one(number):
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as session:
            return (await session.get(f"{url}/seen/{number}")).json()["target"]

    # fewer at a time than receives wait ("waiting requests")
    for begin in range(0, 60, 20):
        numbers = range(begin, begin + 20)
        assert await asyncio.gather(*map(one, numbers)) == [f"/seen/{number}" for number in numbers]


async def test_requests_wait_for_one_another_nowhere(program, url):
    async with client() as session:
        waiting = asyncio.create_task(session.get(f"{url}/waits"))
        await asyncio.to_thread(program.do, "until", name="begun", count=1)
        assert (await session.get(f"{url}/hello")).text == "hello"
        assert not waiting.done()
        program.do("go")
        assert (await waiting).text == "waited"


def test_a_client_that_goes_away_is_noticed_when_something_is_sent(program, url):
    """ "disconnect notice": a client that goes away while nothing is sent stays unnoticed here."""
    with raw(url) as sock:
        sock.sendall(b"GET /endless HTTP/1.1\r\nHost: %s\r\n\r\n" % urlsplit(url).netloc.encode())
        assert sock.recv(100)
    program.do("until", name="lost", count=1)
    assert curl(url) == b"hello"


def test_nothing_is_left_of_a_request(program, url):
    before = program.do("counts")
    for _ in range(20):
        curl("-H", "Expect:", "-d", "hello", f"{url}/echo")
    after = program.do("counts")
    assert (after["pending"], after["streams"]) == (before["pending"], before["streams"])

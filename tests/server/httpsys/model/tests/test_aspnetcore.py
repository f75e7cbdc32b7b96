"""What ASP.NET Core's functional tests see HTTP.sys do on Windows, on the model and with hostler's server on it."""

import pytest

from hostler.answering import begin_response, finish_response
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.outcome import Kind
from tests.server.httpsys.ways import serving

PORT = 8080


def asking(target, method=b"GET", rest=b""):
    return b"%s %s HTTP/1.1\r\nHost: localhost:8080\r\n%s\r\n" % (method, target, rest)


async def answered(machine, data):
    """What comes back for bytes."""
    client = machine.client()
    client.send_raw(data, PORT)
    await machine.until(lambda: b"\r\n\r\n" in bytes(client.received), 5)
    return client


async def tell_path(exchange):
    return await exchange.respond(200, f"{exchange.path_base}|{exchange.path}")


async def told(machine, data, prefix="/"):
    async with serving(machine, tell_path, urls=(f"http://localhost:{PORT}{prefix}",)):
        client = await answered(machine, data)
        await machine.until(lambda: b"|" in bytes(client.received), 5)
    return bytes(client.received).rpartition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize(
    ("prefix", "target", "expected"),
    [
        ("/", b"/", "|/"),
        ("/basepath/", b"/basepath", "/basepath|"),
        ("/basepath/", b"/basepath/", "/basepath|/"),
        ("/basepath/", b"/basepath/subpath", "/basepath|/subpath"),
        ("/base path/", b"/base%20path/sub%20path", "/base path|/sub path"),
        ("/base\u8449path/", b"/base%E8%91%89path/sub%E8%91%89path", "/base\u8449path|/sub\u8449path"),
        ("/basepath/", b"/basepath/sub%2Fpath", "/basepath|/sub%2Fpath"),
        ("/base/", b"///base/path1/path2", "///base|/path1/path2"),
        ("/", b"/a/b/../c", "|/a/c"),
        ("/", b"/a/b/./c", "|/a/b/c"),
        ("/a/", b"/a/./c", "/a|/c"),
        ("/a/", b"/a/d/../b/c", "/a|/b/c"),
        ("/a/b/", b"/a/d/../b/c", "/a/b|/c"),
        ("/a/b/", b"/a/./b/c", "/a/b|/c"),
    ],
)
async def test_where_the_path_base_ends(machine, prefix, target, expected):
    assert await told(machine, asking(target), prefix) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"//a/b//c", "//a/b//c"),
        (b"/a/b/%2E%2E/c", "/a/c"),
        (b"/a/b/%2E/c", "/a/b/c"),
        (b"/%252F", "/%2F"),
        (b"/" + b"".join(b"%%%02X" % number for number in range(32, 127)),
         "/" + "".join(chr(number) for number in range(32, 127)).replace("/", "%2F")),
    ],
)  # fmt: skip
async def test_what_a_handler_sees_of_a_path(machine, target, expected):
    assert await told(machine, asking(target)) == f"|{expected}"


@pytest.mark.parametrize("target", [b"http://localhost:8080?query=value/1/2", b"/\xe1"])
async def test_targets_that_http_sys_answers_itself(machine, target):
    async with serving(machine, tell_path):
        client = await answered(machine, asking(target))
    assert bytes(client.received).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("spelled", [b"/%c", b"/%%%02X"])
async def test_control_characters_in_a_target(machine, spelled):
    async with serving(machine, tell_path):
        for number in sorted({*range(32)} - {9, 10}):
            client = await answered(machine, asking(spelled % number))
            assert bytes(client.received).startswith(b"HTTP/1.1 400 "), number


async def test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_taken(machine):
    body = b"5\r\nHello\r\n6\r\n World\r\n0\r\n\r\n"
    one = asking(b"/", b"POST", b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n") + body
    async with serving(machine, tell_path):
        client = await answered(machine, one + one)
        await machine.until(lambda: client.connection is None or client.connection.gone, 5)
    assert bytes(client.received).count(b"HTTP/1.1 ") == 1
    assert bytes(client.received).startswith(b"HTTP/1.1 400 ")


async def test_a_post_of_http_2_without_data_or_length_is_411(machine):
    async with serving(machine, tell_path):
        response = await machine.client(http2=True).request("POST", f"http://localhost:{PORT}/").response()
    assert response.status == 411


async def test_known_headers_without_a_value_are_not_sent_and_unknown_ones_are(machine):
    async def answer(exchange):
        headers = [(b"Location", b""), (b"X-Empty", b""), (b"Vary", b""), (b"Vary", b"a"), (b"Vary", b"b")]
        begin_response(exchange, Response(200, Headers(headers), 0), b"")
        finish_response(exchange, [])
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, answer):
        response = await machine.client().request("GET", f"http://localhost:{PORT}/").response()
    assert response.header("location") is None
    assert response.header("x-empty") == b""
    assert [value for name, value in response.headers if name == b"Vary"] == [b"a", b"b"]

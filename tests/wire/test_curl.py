"""curl through a proxy: forwarded to a handler, and delegated to one."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.wire.peers import BOTH, delegated, forwarded, program, proxied, run


async def mirror(exchange):
    """Answer with what arrived."""
    body = await exchange.read(1 << 24)
    request = exchange.request
    said = {
        "method": request.method,
        "target": request.target.decode(),
        "headers": [[name.decode(), value.decode()] for name, value in request.headers.pairs()],
        "size": len(body),
        "start": body[:20].decode("latin-1"),
    }
    return await exchange.respond(
        200, json.dumps(said).encode(), headers=[("content-type", "application/json")]
    )


async def curl(*arguments, feed=None):
    """Run curl, which must succeed; return its output."""
    status, out, errors = await run(program("curl"), "-sS", "--noproxy", "*", *arguments, feed=feed)
    assert status == 0, errors
    return out


async def seen(*arguments, feed=None):
    return json.loads(await curl(*arguments, feed=feed))


@BOTH
async def test_a_plain_request(behind):
    async with behind(mirror) as url:
        got = await seen("-H", "X-Mixed: Case", f"{url}/a%2Fb?c=%20d")
    assert (got["method"], got["target"], got["size"]) == ("GET", "/a%2Fb?c=%20d", 0)
    assert ["X-Mixed", "Case"] in got["headers"]


@BOTH
async def test_head(behind):
    async with behind(mirror) as url:
        head = (await curl("-I", url)).decode()
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "content-length: " in head.lower()


@BOTH
@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
async def test_an_upload_with_a_length(behind, size, tmp_path):
    """Large ones wait for 100 Continue, as curl does of itself."""
    file = tmp_path / "body"
    file.write_bytes(b"x" * size)
    async with behind(mirror) as url:
        got = await seen("--data-binary", f"@{file}", "--expect100-timeout", "15", url)
    assert (got["method"], got["size"]) == ("POST", size)


@BOTH
async def test_an_upload_that_is_told_to_wait_for_100_continue_does_not_wait_long(behind):
    async with behind(mirror) as url:
        command = ("-H", "Expect: 100-continue", "--expect100-timeout", "15", "-d", "hello", url)
        async with asyncio.timeout(10):
            assert (await seen(*command))["start"] == "hello"


@BOTH
async def test_an_upload_in_chunks(behind):
    async with behind(mirror) as url:
        got = await seen("-T", "-", f"{url}/put", feed=b"y" * 500_000)
    assert (got["method"], got["size"], got["start"]) == ("PUT", 500_000, "y" * 20)
    names = {name.lower() for name, _ in got["headers"]}
    assert "transfer-encoding" in names
    assert "content-length" not in names


@BOTH
async def test_http_1_0(behind):
    async with behind(mirror) as url:
        got = await curl("--http1.0", "-i", "-d", "hello", url)
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert json.loads(body)["start"] == "hello"


@BOTH
async def test_several_requests_share_a_connection(behind):
    async with behind(mirror) as url:
        out = await curl("-w", "\n%{num_connects}\n", *[f"{url}/{number}" for number in range(4)])
    connects = [line for line in out.decode().splitlines() if len(line) == 1]
    assert connects == ["1", "0", "0", "0"]


async def test_an_offer_of_http_2_is_answered_in_http_1():
    async with forwarded(mirror) as url:
        out = await curl("--http2", "-w", "\n%{http_version}", url)
    said, _, version = out.decode().rpartition("\n")
    assert version == "1.1"
    names = {name.lower() for name, _ in json.loads(said)["headers"]}
    assert not names & {"upgrade", "http2-settings", "connection"}


async def test_dot_segments_do_not_climb_out_of_the_address():
    from hostler import serving  # noqa: PLC0415 - for this test's own address

    async with serving(mirror) as there, proxied(f"{there.url}/base/") as url:
        got = await seen("--path-as-is", f"{url}/../../%2e%2e/secret")
        assert got["target"] == "/base/secret"


async def test_the_server_as_a_whole():
    async with forwarded(mirror) as url:
        assert (await seen("-X", "OPTIONS", "--request-target", "*", url))["target"] == "*"


async def broken(exchange):
    await exchange.start(200, length=100)
    await exchange.write(b"half")
    raise LookupError("a bug")


@BOTH
@pytest.mark.logs_errors("failed in the handler")
async def test_an_answer_that_breaks_off_is_an_error_to_curl(behind):
    async with behind(broken) as url:
        status, out, errors = await run(program("curl"), "-sS", "--noproxy", "*", url)
    assert status in {18, 56}, errors
    assert out in {b"", b"half"}


async def half_in_chunks(exchange):
    await exchange.start(200)
    await exchange.write(b"half")
    raise LookupError("a bug")


@BOTH
@pytest.mark.logs_errors("failed in the handler")
async def test_a_chunked_answer_that_breaks_off_is_an_error_to_curl(behind):
    async with behind(half_in_chunks) as url:
        status, out, errors = await run(program("curl"), "-sS", "--noproxy", "*", url)
    assert status in {18, 56}, errors
    assert out in {b"", b"half"}


async def test_trailers_and_early_hints_reach_curl():
    async def handler(exchange):
        exchange.stream.inform(103, [(b"link", b"</a.css>")])
        await exchange.start(200, [("trailer", "x-sum")])
        await exchange.write(b"body")
        return await exchange.end([("x-sum", "42")])

    for behind in (forwarded, delegated):
        async with behind(handler) as url:
            # --raw shows the chunks and the trailers as they came
            text = (await curl("-i", "--raw", url)).decode()
        assert text.startswith("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert text.endswith("4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n")


async def test_a_client_that_is_killed_cancels_an_answer_that_streams():
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless(exchange):
        await exchange.start(200)
        began.set()
        try:
            while not exchange.stream.closed:
                await exchange.write(b"x" * 1000)
                await asyncio.sleep(0.001)
        finally:
            ended.set()
        return exchange.outcome(None)

    async with forwarded(endless) as url:
        process = await asyncio.create_subprocess_exec(
            program("curl"),
            "-sS",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
            url,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await began.wait()
        process.kill()
        await process.wait()
        async with asyncio.timeout(10):
            await ended.wait()

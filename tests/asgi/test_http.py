"""An application's HTTP exchanges, as the client sees them (ASGI HTTP spec)."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hostler.asgi import Application, DisconnectedError
from hostler.errors import Reason
from hostler.http.message import CHUNKED
from hostler.outcome import Kind
from tests.asgi import peers
from tests.asgi.peers import RecordingStream, get


@pytest.fixture(params=[True, False], ids=["plain", "ordinary"], autouse=True)
def _heads(request, monkeypatch):
    """Heads are plain where they can be, or never."""
    monkeypatch.setattr(peers, "plain", request.param)


def sending(*messages):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    return Application(app)


def start(status=200, headers=(), **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data=b"", *, more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


# -- scope


async def scope_of(exchange):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)
        await send(start(204))
        await send(body())

    await Application(app)(exchange)
    return seen[0]


async def test_the_scope_says_everything_about_the_request():
    scope = await scope_of(
        get("/caf%C3%A9/a%2Fb?x=%20&y", headers=b"X-One: 1\r\nx-one: 2\r\n", path_base="/caf\u00e9")
    )
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/caf\u00e9/a/b",
        "raw_path": b"/caf%C3%A9/a%2Fb",
        "query_string": b"x=%20&y",
        "root_path": "/caf\u00e9",
        "headers": [(b"host", b"example.org"), (b"x-one", b"1"), (b"x-one", b"2")],
        "client": ("192.0.2.7", 50000),
        "server": ("192.0.2.1", 80),
        "state": {},
        "extensions": {"http.response.trailers": {}},
    }


async def test_the_path_has_no_dot_segments_so_that_root_path_is_its_front():
    scope = await scope_of(get("/x/%2e%2e/base/y", path_base="/base"))
    assert scope["path"] == "/base/y"
    assert scope["raw_path"] == b"/x/%2e%2e/base/y"


async def test_bytes_that_are_not_utf8_are_replaced():
    assert (await scope_of(get("/%FF")))["path"] == "/\ufffd"


# -- responses


async def test_a_small_response_leaves_in_one_piece_with_its_length():
    exchange = get()
    outcome = await sending(start(200, [(b"content-type", b"text/plain")]), body(b"hello"))(exchange)
    assert exchange.stream.calls == ["start", "end"]
    assert exchange.stream.body == b"hello"
    assert exchange.stream.response.framing == 5
    assert exchange.stream.header("content-length") == "5"
    assert (outcome.kind, outcome.status) == (Kind.RESPONDED, 200)


async def test_the_head_waits_for_the_first_body_message():
    exchange = get()

    async def app(scope, receive, send):
        await send(start())
        assert not exchange.stream.started
        await send(body(b"", more=True))
        assert exchange.stream.started
        await send(body(b"x"))

    await Application(app)(exchange)
    assert exchange.stream.response.framing == CHUNKED
    assert exchange.stream.header("content-length") is None
    assert exchange.stream.body == b"x"


async def test_a_content_length_frames_a_streamed_body():
    exchange = get()
    await sending(start(200, [(b"content-length", b"4")]), body(b"ab", more=True), body(b"cd"))(exchange)
    assert exchange.stream.response.framing == 4
    assert exchange.stream.response.headers.get_all("content-length") == ["4"]
    assert exchange.stream.body == b"abcd"


@pytest.mark.parametrize("messages", [[body(b"ab")], [body(b"ab", more=True), body()]])
async def test_head_has_the_length_but_not_the_body(messages):
    exchange = get(method="HEAD")
    await sending(start(200, [(b"content-length", b"2")]), *messages)(exchange)
    assert (exchange.stream.body, exchange.stream.header("content-length")) == (b"", "2")
    assert exchange.stream.response.framing == 2


async def test_head_of_a_response_without_length_gets_the_one_it_would_have():
    exchange = get(method="HEAD")
    await sending(start(), body(b"abc"))(exchange)
    assert (exchange.stream.body, exchange.stream.header("content-length")) == (b"", "3")


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, "7")])
async def test_204_and_304_have_no_body(status, length):
    exchange = get()
    await sending(start(status, [(b"content-length", b"7")]), body(b"ignored"))(exchange)
    assert (exchange.stream.body, exchange.stream.response.framing) == (b"", 0)
    assert exchange.stream.header("content-length") == length


async def test_hop_by_hop_headers_are_dropped():
    exchange = get()
    own = [(b"Transfer-Encoding", b"chunked"), (b"connection", b"close"), (b"x-kept", b"1")]
    await sending(start(200, own), body(b"x"))(exchange)
    assert exchange.stream.response.headers.raw == [(b"x-kept", b"1"), (b"content-length", b"1")]


async def test_callbacks_add_to_the_settled_head():
    exchange = get()
    exchange.on_response(lambda headers: headers.append((b"set-cookie", b"a=b")))
    await sending(start(), body(b"x"))(exchange)
    assert exchange.stream.header("set-cookie") == "a=b"


async def test_callbacks_see_a_head_that_was_sent_before_they_were_registered():
    exchange = get()
    seen = []

    async def app(scope, receive, send):
        await send(start(200, [(b"x-a", b"1"), (b"content-length", b"1")]))
        exchange.on_response(seen.extend)
        await send(body(b"x"))

    await Application(app)(exchange)
    assert seen == [(b"x-a", b"1"), (b"content-length", b"1")]
    assert (exchange.stream.body, exchange.stream.calls) == (b"x", ["start", "end"])


async def test_trailers_end_a_chunked_body():
    exchange = get()
    trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1"), (b"connection", b"x")]}
    more = {"type": "http.response.trailers", "headers": [(b"x-a", b"2")], "more_trailers": True}
    await sending(start(trailers=True), body(b"x"), more, trailers)(exchange)
    assert exchange.stream.response.framing == CHUNKED
    assert exchange.stream.trailers == [(b"x-a", b"2"), (b"x-sum", b"1")]


async def test_a_bytearray_is_a_body():
    exchange = get()
    await sending(start(), body(bytearray(b"x")))(exchange)
    assert exchange.stream.body == b"x"


async def test_writing_waits_while_the_client_does_not_keep_up():
    exchange = get()
    stream = exchange.stream
    sent = []

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"1", more=True))
        stream.pump.pause()
        await send(body(b"2", more=True))
        sent.append(2)
        await send(body(b"3"))

    task = asyncio.create_task(Application(app)(exchange))
    await stream.until(lambda: "write" in stream.calls)
    assert not sent
    stream.pump.resume()
    await task
    assert stream.body == b"123"


# -- requests


async def received(exchange, count):
    messages = []

    async def app(scope, receive, send):
        for _ in range(count):
            messages.append(await receive())
        await send(start())
        await send(body(b"x"))

    await Application(app)(exchange)
    return messages


async def test_a_request_without_body_is_one_empty_message():
    exchange = get()
    assert await received(exchange, 1) == [{"type": "http.request", "body": b"", "more_body": False}]
    assert exchange.stream.pump is None
    assert "proceed" not in exchange.stream.calls


async def test_a_body_arrives_in_pieces():
    exchange = get(method="POST", headers=b"Content-Length: 4\r\n", body=[b"ab", b"cd"])
    assert await received(exchange, 2) == [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"cd", "more_body": False},
    ]
    assert exchange.stream.calls.count("proceed") == 1


async def test_100_continue_is_sent_only_when_the_body_is_asked_for():
    exchange = get(method="POST", headers=b"Content-Length: 4\r\nExpect: 100-continue\r\n", body=b"abcd")
    await sending(start(413), body(b""))(exchange)
    assert exchange.stream.calls == ["start", "end"]


async def test_an_empty_chunked_body_is_one_empty_message():
    exchange = get(method="POST", headers=b"Transfer-Encoding: chunked\r\n", body=[])
    assert await received(exchange, 1) == [{"type": "http.request", "body": b"", "more_body": False}]


async def test_after_the_body_receive_waits_for_the_client_to_go():
    exchange = get()
    seen = []

    async def app(scope, receive, send):
        await receive()
        seen.append(await receive())

    task = asyncio.create_task(Application(app)(exchange))
    await exchange.stream.until(lambda: exchange.stream.pump)
    assert not seen
    exchange.stream.lose()
    outcome = await task
    assert seen == [{"type": "http.disconnect"}]
    assert outcome.kind is Kind.FAILED
    assert outcome.failure.detail == "connection reset"


async def test_a_waiting_receive_learns_that_the_response_is_complete():
    exchange = get()
    seen = []

    async def app(scope, receive, send):
        await receive()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(receive())
            await asyncio.sleep(0)
            await send(start())
            await send(body(b"x"))
            seen.append(await waiting)
        seen.append(await receive())

    outcome = await Application(app)(exchange)
    assert seen == [{"type": "http.disconnect"}] * 2
    assert outcome.kind is Kind.RESPONDED


async def test_a_body_that_breaks_off_is_a_disconnect():
    stream = RecordingStream([b"ab"], ends=False)
    exchange = get(method="POST", headers=b"Content-Length: 4\r\n", stream=stream)
    seen = []

    async def app(scope, receive, send):
        seen.append(await receive())
        stream.lose()
        seen.append(await receive())
        with pytest.raises(OSError, match="gone"):
            await send(start())

    outcome = await Application(app)(exchange)
    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]
    assert outcome.kind is Kind.FAILED


# -- what goes wrong


async def test_a_wrong_order_names_the_message_and_what_was_expected(caplog):
    exchange = get()
    with caplog.at_level(logging.ERROR, "hostler.asgi"):
        outcome = await sending(body(b"x"))(exchange)
    assert outcome.status == 500
    assert "the application sent 'http.response.body', expected 'http.response.start'" in caplog.text


async def test_nothing_follows_a_complete_response(caplog):
    exchange = get()
    outcome = await sending(start(), body(b"x"), body(b"y"))(exchange)
    assert (outcome.kind, exchange.stream.body) == (Kind.RESPONDED, b"x")
    assert "expected no more messages: the response is complete" in caplog.text


async def test_no_response_is_500(caplog):
    exchange = get("/quiet")
    outcome = await sending()(exchange)
    assert (outcome.kind, outcome.status) == (Kind.RESPONDED, 500)
    assert "GET /quiet: the application returned, expected 'http.response.start'" in caplog.text


async def test_an_exception_before_the_response_is_500_with_its_traceback(caplog):
    async def app(scope, receive, send):
        raise LookupError("no such luck")

    exchange = get()
    outcome = await Application(app)(exchange)
    assert outcome.status == 500
    [record] = caplog.records
    assert record.name == "hostler.asgi"
    assert "LookupError: no such luck" in caplog.text


async def test_an_exception_in_mid_response_aborts_it(caplog):
    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x", more=True))
        raise LookupError

    exchange = get()
    outcome = await Application(app)(exchange)
    assert exchange.stream.aborted
    assert (outcome.kind, outcome.failure.reason) == (Kind.FAILED, Reason.RESPONSE_BODY_DESTINATION)
    assert "LookupError" in caplog.text


async def test_returning_in_mid_response_aborts_it(caplog):
    exchange = get()
    await sending(start(), body(b"x", more=True))(exchange)
    assert exchange.stream.aborted
    assert "expected 'http.response.body'" in caplog.text


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([body(b"abc")], "1 bytes or more longer"),
        ([body(b"a")], "1 bytes shorter"),
        ([body()], "2 bytes shorter"),
    ],
)
async def test_a_wrong_content_length_is_500_while_nothing_was_sent(messages, why, caplog):
    exchange = get()
    await sending(start(200, [(b"content-length", b"2")]), *messages)(exchange)
    assert exchange.stream.status == 500
    assert why in caplog.text


@pytest.mark.parametrize(
    "refused", [[(b"content-length", b"1"), (b"content-length", b"1")], [(b"content-length", b"1"), (b"x",)]]
)
async def test_a_start_that_was_refused_leaves_nothing_behind(refused):
    exchange = get()

    async def app(scope, receive, send):
        with pytest.raises(ValueError, match=r"content-length|unpack"):
            await send(start(200, refused))
        await send(start(200))
        await send(body(b"abc"))

    await Application(app)(exchange)
    assert (exchange.stream.status, exchange.stream.header("content-length")) == (200, "3")


@pytest.mark.parametrize("last", [b"bcd", b""])
async def test_a_wrong_content_length_aborts_what_was_begun(last, caplog):
    exchange = get()
    await sending(start(200, [(b"content-length", b"2")]), body(b"a", more=True), body(last))(exchange)
    assert exchange.stream.aborted


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x", b"a\r\nset-cookie: b")],
        [(b"x\n", b"")],
        [(b"x", b"\0")],
        [(b"content-length", b"-1")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [("text", "text")],
    ],
)
async def test_headers_that_cannot_be_sent_are_500(headers, caplog):
    exchange = get()
    await sending(start(200, headers), body(b"x"))(exchange)
    assert (exchange.stream.status, exchange.stream.header("x")) == (500, None)
    assert caplog.records


@pytest.mark.parametrize("status", [100, 101, 1000])
async def test_a_status_must_be_final(status, caplog):
    exchange = get()
    await sending(start(status), body())(exchange)
    assert exchange.stream.status == 500
    assert f"{status} is not the status of a final response" in caplog.text


async def test_sending_to_a_client_that_is_gone_raises_oserror(caplog):
    exchange = get()

    async def app(scope, receive, send):
        await send(start())
        await send(body(b"x", more=True))
        exchange.stream.lose()
        await send(body(b"y"))

    with caplog.at_level(logging.INFO, "hostler.asgi"):
        outcome = await Application(app)(exchange)
    assert issubclass(DisconnectedError, OSError)
    assert outcome.kind is Kind.FAILED
    assert outcome.failure.reason is Reason.RESPONSE_BODY_CLIENT
    assert not caplog.records


async def test_a_client_that_went_before_the_response_is_a_canceled_request():
    exchange = get()
    exchange.stream.lose()
    outcome = await sending(start(), body())(exchange)
    assert outcome.failure.reason is Reason.REQUEST_CANCELED


async def test_cancellation_comes_through():
    async def app(scope, receive, send):
        await receive()
        await receive()

    task = asyncio.create_task(Application(app)(get()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_upgrade_that_is_not_for_websocket_is_plain_http():
    for method, headers in [("POST", b"Upgrade: websocket\r\n"), ("GET", b"Upgrade: h2c\r\n")]:
        scope = await scope_of(get(method=method, headers=b"Connection: upgrade\r\n" + headers))
        assert scope["type"] == "http"

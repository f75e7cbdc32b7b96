"""WebSocket connections, with the sans-I/O client of `websockets` on the other side (RFC 6455)."""

from __future__ import annotations

import asyncio
import logging

import pytest
from websockets.frames import Close, Opcode

from hostler.asgi import Application, WebSocketOptions
from hostler.errors import Reason
from hostler.outcome import Kind
from tests.asgi.peers import Timers, WebSocketClient, get


def accepting(body=None, **accept):
    """Make an application that accepts and then runs `body(receive, send)`."""

    async def app(scope, receive, send):
        assert await receive() == {"type": "websocket.connect"}
        await send({"type": "websocket.accept", **accept})
        if body is not None:
            await body(receive, send)

    return app


async def echo(receive, send):
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def opened(app, **more):
    options = more.pop("options", WebSocketOptions(ping_interval=None))
    client = WebSocketClient(**more)
    client.connect(Application(app, websocket=options))
    await client.opened()
    return client


async def closed(client, code=1000):
    frame = await client.next()
    assert frame.opcode is Opcode.CLOSE
    assert Close.parse(frame.data).code == code
    return await client.finished()


# -- messages


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("message", ["", "text \u20ac", b"", b"\0\xff", b"x" * (1 << 20), "y" * (1 << 20)])
async def test_messages_come_back(message, deflate):
    client = await opened(accepting(echo), deflate=deflate)
    if isinstance(message, str):
        client.protocol.send_text(message.encode())
    else:
        client.protocol.send_binary(message)
    answer = await client.message()
    assert answer == (message.encode() if isinstance(message, str) else message)
    assert ("permessage-deflate" in (client.stream.header("sec-websocket-extensions") or "")) is deflate
    client.protocol.send_close(1000)
    outcome = await closed(client)
    assert (outcome.kind, outcome.status, outcome.failure) == (Kind.RESPONDED, 101, None)


@pytest.mark.parametrize("deflate", [False, True])
async def test_fragments_are_joined(deflate):
    seen = []

    async def collect(receive, send):
        seen.append(await receive())
        seen.append(await receive())

    client = await opened(accepting(collect), deflate=deflate)
    euro = "\u20ac".encode()
    client.protocol.send_text(euro[:1], fin=False)
    client.protocol.send_ping(b"between")
    client.protocol.send_continuation(euro[1:], fin=True)
    client.protocol.send_binary(b"a", fin=False)
    client.protocol.send_continuation(b"b", fin=True)
    await client.until(lambda: len(client.frames) == 2)
    assert seen == [
        {"type": "websocket.receive", "text": "\u20ac"},
        {"type": "websocket.receive", "bytes": b"ab"},
    ]
    assert client.frames[0].opcode is Opcode.PONG
    assert client.frames[0].data == b"between"


async def test_bytes_may_be_cut_anywhere():
    client = await opened(accepting(echo))
    client.protocol.send_text(b"hello")
    for byte in b"".join(client.protocol.data_to_send()):
        client.stream.pump.feed(bytes([byte]))
    assert await client.message() == b"hello"
    client.protocol.send_close(1000)
    await closed(client)


async def test_no_compression_when_it_is_switched_off():
    client = await opened(
        accepting(), deflate=True, options=WebSocketOptions(compression=False, ping_interval=None)
    )
    assert client.stream.header("sec-websocket-extensions") is None
    await closed(client)


# -- handshake


async def test_the_scope_and_the_101():
    scopes = []
    inner = accepting(subprotocol="b", headers=[(b"x-own", b"1"), (b"connection", b"close")])

    async def app(scope, receive, send):
        scopes.append(scope)
        await inner(scope, receive, send)

    client = await opened(app, path="/chat?x=1", subprotocols=["a", "b"])
    [scope] = scopes
    assert (scope["type"], scope["scheme"], scope["path"]) == ("websocket", "ws", "/chat")
    assert (scope["query_string"], scope["subprotocols"]) == (b"x=1", ["a", "b"])
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope
    headers = client.stream.response.headers
    assert headers.get("upgrade") == "websocket"
    assert headers.get_all("connection") == ["Upgrade"]
    assert (headers.get("sec-websocket-protocol"), headers.get("x-own")) == ("b", "1")
    await closed(client)


@pytest.mark.logs_errors("the application returned, expected")
async def test_a_secure_request_is_wss():
    schemes = []

    async def app(scope, receive, send):
        schemes.append(scope["scheme"])

    client = WebSocketClient()
    client.exchange.scheme = "https"
    client.connect(Application(app))
    await client.task
    assert schemes == ["wss"]


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12", 400),
        (b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: x", 400),
        (b"Sec-WebSocket-Key", b"X-Key", 400),
        (b"Upgrade: websocket", b"Upgrade: websocket, h2c", 426),
    ],
)
async def test_a_broken_handshake_is_refused(old, new, status):
    client = WebSocketClient(change=lambda head: head.replace(old, new))
    outcome = await Application(accepting())(client.exchange)
    assert outcome.status == status
    assert client.stream.header("sec-websocket-version") == "13"
    assert client.stream.response.headers.get_all("content-length") == [str(len(client.stream.body))]


async def test_closing_before_accepting_is_403():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.close"})
        assert (await receive())["type"] == "websocket.disconnect"

    client = WebSocketClient()
    outcome = await Application(app)(client.exchange)
    assert (outcome.kind, outcome.status, client.stream.body) == (Kind.RESPONDED, 403, b"")


async def test_a_denial_may_be_any_response():
    async def app(scope, receive, send):
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"1")]})
        await send({"type": "websocket.http.response.body", "body": b"no ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"way"})

    client = WebSocketClient()
    outcome = await Application(app)(client.exchange)
    assert (outcome.status, client.stream.body, client.stream.header("x-why")) == (401, b"no way", "1")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"type": "websocket.accept", "subprotocol": "c"}, "'c' was not offered, expected one of ['a']"),
        (
            {"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Accept", b"x")]},
            "the handshake makes it",
        ),
        ({"type": "websocket.accept", "headers": [(b"x", b"a\r\nb")]}, "CR, LF or NUL"),
        ({"type": "websocket.send", "text": "x"}, "expected 'websocket.accept'"),
    ],
)
async def test_a_handshake_that_cannot_be_is_500(message, why, caplog):
    async def app(scope, receive, send):
        await send(message)

    client = WebSocketClient(subprotocols=["a"])
    outcome = await Application(app)(client.exchange)
    assert outcome.status == 500
    assert why in caplog.text


async def test_returning_without_an_answer_is_500(caplog):
    async def app(scope, receive, send):
        await receive()

    client = WebSocketClient()
    assert (await Application(app)(client.exchange)).status == 500
    assert "the application returned, expected 'websocket.accept'" in caplog.text


async def test_a_client_that_went_before_the_answer():
    async def app(scope, receive, send):
        await receive()
        client.stream.lose()
        assert await receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        for kind in ("websocket.accept", "websocket.close"):
            with pytest.raises(OSError, match="gone"):
                await send({"type": kind})

    client = WebSocketClient()
    outcome = await Application(app)(client.exchange)
    assert (outcome.kind, outcome.status) == (Kind.FAILED, 0)


# -- closing


async def disconnect_seen(act, **more):
    """Return the application's disconnect message after `act(client)`, and the outcome."""
    seen = []

    async def body(receive, send):
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        seen.append(message)
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": "late"})
        await send({"type": "websocket.close"})

    client = await opened(accepting(body), **more)
    act(client)
    outcome = await client.finished()
    return seen[0]["code"], seen[0]["reason"], outcome, client


@pytest.mark.parametrize(
    ("args", "expected"), [((4000, "bye"), (4000, "bye")), ((1001,), (1001, "")), ((), (1005, ""))]
)
async def test_the_application_is_told_the_clients_code(args, expected):
    code, reason, outcome, _ = await disconnect_seen(lambda client: client.protocol.send_close(*args))
    assert (code, reason) == expected
    assert outcome.kind is Kind.RESPONDED


@pytest.mark.parametrize(
    "how", [lambda client: client.stream.lose(), lambda client: client.stream.pump.feed_end([])]
)
async def test_a_client_that_vanishes_is_1006(how):
    code, reason, outcome, _ = await disconnect_seen(how)
    assert (code, reason) == (1006, "")
    assert outcome.kind is Kind.FAILED


async def test_invalid_utf8_is_1007():
    code, _, outcome, client = await disconnect_seen(lambda client: client.protocol.send_text(b"\xff"))
    assert code == 1007
    assert outcome.failure.reason is Reason.UPGRADE_REQUEST_CLIENT
    assert Close.parse(client.frames[0].data).code == 1007


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("deflate", [False, True])
async def test_too_large_a_message_is_1009(split, deflate):
    def act(client):
        client.protocol.send_text(b"x" * 60, fin=not split)
        if split:
            client.protocol.send_continuation(b"x" * 60, fin=True)

    options = WebSocketOptions(max_size=100 if split else 59, ping_interval=None)
    code, _, _, client = await disconnect_seen(act, deflate=deflate, options=options)
    assert code == 1009
    assert Close.parse(client.frames[0].data).code == 1009


async def test_a_broken_frame_is_1002():
    code, _, _, _ = await disconnect_seen(lambda client: client.stream.pump.feed(b"\x8f\x80\0\0\0\0"))
    assert code == 1002


async def test_the_application_closes_with_its_code():
    seen = []

    async def body(receive, send):
        await send({"type": "websocket.close", "code": 4001, "reason": "done"})
        seen.append(await receive())
        with pytest.raises(RuntimeError, match="the application closed the connection"):
            await send({"type": "websocket.send", "text": "x"})

    client = await opened(accepting(body))
    outcome = await closed(client, 4001)
    assert seen == [{"type": "websocket.disconnect", "code": 4001, "reason": "done"}]
    assert outcome.kind is Kind.RESPONDED
    assert client.protocol.close_rcvd.reason == "done"


async def test_returning_closes_with_1000():
    assert (await closed(await opened(accepting()))).kind is Kind.RESPONDED


async def test_an_exception_closes_with_1011(caplog):
    async def body(receive, send):
        raise LookupError("no such luck")

    outcome = await closed(await opened(accepting(body)), 1011)
    assert outcome.failure.reason is Reason.UPGRADE_RESPONSE_DESTINATION
    assert "LookupError: no such luck" in caplog.text


async def test_an_exception_about_the_lost_client_is_no_error(caplog):
    async def body(receive, send):
        message = await receive()
        raise RuntimeError(message["type"])

    client = await opened(accepting(body))
    with caplog.at_level(logging.WARNING, "hostler.asgi"):
        client.stream.lose()
        await client.finished()
    assert not caplog.records


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"type": "websocket.close", "code": 1005}, "close code 1005"),
        ({"type": "websocket.close", "reason": "x" * 124}, "cannot be sent"),
        ({"type": "websocket.send"}, "one of 'text' and 'bytes'"),
        ({"type": "websocket.send", "text": "a", "bytes": b"b"}, "one of 'text' and 'bytes'"),
        ({"type": "websocket.accept"}, "expected 'websocket.send' or 'websocket.close'"),
    ],
)
async def test_messages_that_cannot_be_are_1011(message, why, caplog):
    async def body(receive, send):
        await send(message)

    await closed(await opened(accepting(body)), 1011)
    assert why in caplog.text


async def test_a_client_that_does_not_close_is_cut_off():
    timers = Timers()
    options = WebSocketOptions(ping_interval=None, call_later=timers.call_later)
    client = WebSocketClient()
    client.connect(Application(accepting(), websocket=options))
    await client.stream.until(lambda: timers.pending)
    timers.advance(9)
    assert not client.stream.aborted
    timers.advance(1)
    outcome = await client.task
    assert client.stream.aborted
    assert "no close frame within 10 s" in outcome.failure.detail
    assert not timers.pending


async def test_an_application_that_does_not_return_after_the_close_is_cut_off():
    timers = Timers()
    go = asyncio.Event()
    options = WebSocketOptions(ping_interval=None, call_later=timers.call_later)
    client = await opened(accepting(lambda receive, send: go.wait()), options=options)
    client.protocol.send_close(1000)
    client.sync()
    assert client.stream.ended
    assert not client.stream.aborted
    timers.advance(10)
    assert client.stream.aborted
    go.set()
    assert (await client.task).kind is Kind.RESPONDED


async def test_messages_before_the_close_are_still_read():
    seen = []

    async def body(receive, send):
        await ready.wait()
        while (message := await receive())["type"] == "websocket.receive":
            seen.append(message["text"])

    ready = asyncio.Event()
    client = await opened(accepting(body))
    client.protocol.send_text(b"1")
    client.protocol.send_text(b"2")
    client.protocol.send_close(1000)
    client.sync()
    ready.set()
    await client.finished()
    assert seen == ["1", "2"]


async def test_cancellation_lets_go_of_the_timers():
    timers = Timers()
    client = await opened(accepting(echo), options=WebSocketOptions(call_later=timers.call_later))
    assert timers.pending
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    assert not timers.pending


# -- back-pressure and keepalive


async def test_a_client_that_sends_too_much_is_paused_until_it_is_read():
    go = asyncio.Event()

    async def body(receive, send):
        await go.wait()
        await echo(receive, send)

    client = await opened(accepting(body))
    for _ in range(3):
        client.protocol.send_binary(b"x" * 30_000)
    client.sync()
    assert client.stream.held
    go.set()
    await client.until(lambda: len(client.frames) == 3)
    assert not client.stream.held
    client.protocol.send_close(1000)
    await client.finished()


async def test_unread_messages_do_not_keep_a_connection_from_closing():
    go = asyncio.Event()
    client = await opened(accepting(lambda receive, send: go.wait()))
    client.protocol.send_binary(b"x" * 70_000)
    client.sync()
    assert client.stream.held
    go.set()
    await closed(client)
    assert not client.stream.held


async def test_sending_waits_while_the_client_does_not_keep_up():
    sent = []

    async def body(receive, send):
        await receive()
        for number in range(2):
            await send({"type": "websocket.send", "text": str(number)})
            sent.append(number)

    client = await opened(accepting(body))
    client.stream.pump.pause()
    client.protocol.send_text(b"go")
    assert await client.message() == b"0"
    assert sent == []
    client.stream.pump.resume()
    assert await client.message() == b"1"
    await closed(client)


async def test_a_sender_that_waits_learns_that_the_client_is_gone():
    async def body(receive, send):
        client.stream.pump.pause()
        await send({"type": "websocket.send", "text": "x"})
        with pytest.raises(OSError, match="gone"):
            await send({"type": "websocket.send", "text": "x"})

    client = WebSocketClient()
    client.connect(Application(accepting(body)))
    await client.stream.until(lambda: "write" in client.stream.calls)
    client.stream.lose()
    assert (await client.task).kind is Kind.FAILED


async def test_a_client_that_answers_pings_is_kept():
    timers = Timers()
    client = await opened(accepting(echo), options=WebSocketOptions(call_later=timers.call_later))
    for _ in range(3):
        timers.advance(20)
        assert (await client.next()).opcode is Opcode.PING
    assert client.protocol.close_rcvd is None
    client.protocol.send_close(1000)
    await closed(client)
    assert not timers.pending


async def test_a_client_that_does_not_answer_pings_is_closed_with_1011():
    timers = Timers()
    client = await opened(accepting(echo), options=WebSocketOptions(call_later=timers.call_later))
    timers.advance(20)
    timers.advance(20)
    outcome = await client.finished()
    assert outcome.failure.detail == "no pong within 20 s"
    assert Close.parse(client.frames[-1].data).code == 1011


async def test_a_client_that_we_paused_need_not_answer():
    timers = Timers()
    go = asyncio.Event()

    async def body(receive, send):
        await go.wait()
        await echo(receive, send)

    client = await opened(accepting(body), options=WebSocketOptions(call_later=timers.call_later))
    client.protocol.send_binary(b"x" * 70_000)
    client.sync()
    timers.advance(20)
    timers.advance(20)
    assert not client.stream.ended
    go.set()
    assert (await client.next()).opcode is Opcode.PING
    await client.message()
    client.protocol.send_close(1000)
    await closed(client)


async def test_a_handshake_with_a_body_is_plain_http():
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    exchange = get(headers=b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", body=b"x")
    assert (await Application(app)(exchange)).status == 200

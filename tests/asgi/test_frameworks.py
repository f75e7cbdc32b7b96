"""Starlette and FastAPI applications, unchanged, on hostler."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import FastAPI, UploadFile, WebSocket
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect
from websockets.frames import Close, Opcode

from hostler.asgi import Application, WebSocketOptions
from hostler.http.message import CHUNKED
from hostler.outcome import Kind
from tests.asgi.peers import WebSocketClient, get

QUIET = WebSocketOptions(ping_interval=None)


async def test_starlette_routes_under_a_root_path():
    async def show(request):
        return JSONResponse(
            {"path": request.scope["path"], "id": request.path_params["id"], "q": request.query_params["q"]}
        )

    app = Starlette(routes=[Mount("/v1", routes=[Route("/items/{id}", show)])])
    exchange = get("/base/v1/items/a%20b?q=1", path_base="/base")
    outcome = await Application(app)(exchange)
    assert outcome.status == 200
    assert exchange.stream.body == b'{"path":"/base/v1/items/a b","id":"a b","q":"1"}'
    assert exchange.stream.calls == ["start", "end"]


async def test_starlette_streams_and_runs_background_tasks():
    done = []

    async def stream(request):
        return StreamingResponse((f"{n}\n" for n in range(3)), background=BackgroundTask(done.append, 1))

    exchange = get()
    await Application(Starlette(routes=[Route("/", stream)]))(exchange)
    assert exchange.stream.response.framing == CHUNKED
    assert exchange.stream.body == b"0\n1\n2\n"
    assert done == [1]


async def test_a_starlette_stream_stops_when_the_client_goes(caplog):
    async def endless():
        while True:
            yield b"x"
            exchange.stream.lose()

    async def stream(request):
        return StreamingResponse(endless())

    exchange = get()
    with caplog.at_level(logging.WARNING, "hostler.asgi"):
        outcome = await Application(Starlette(routes=[Route("/", stream)]))(exchange)
    assert outcome.kind is Kind.FAILED
    assert not caplog.records


async def test_starlette_errors(caplog):
    async def broken(request):
        raise LookupError("no such luck")

    served = Application(Starlette(routes=[Route("/", broken)]))
    exchange = get()
    assert (await served(exchange)).status == 500
    assert exchange.stream.body == b"Internal Server Error"
    assert "LookupError: no such luck" in caplog.text
    assert (await served(get("/nowhere"))).status == 404
    assert (await served(get("/", "DELETE"))).status == 405


async def test_starlette_answers_head():
    async def page(request):
        return PlainTextResponse("hello")

    exchange = get(method="HEAD")
    await Application(Starlette(routes=[Route("/", page)]))(exchange)
    assert (exchange.stream.header("content-length"), exchange.stream.body) == ("5", b"")


async def test_fastapi_takes_an_upload_in_pieces():
    app = FastAPI()

    @app.post("/upload")
    async def upload(file: UploadFile):
        data = await file.read()
        return {"name": file.filename, "size": len(data), "same": data == content}

    content = bytes(range(256)) * 1024
    form = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--edge--\r\n"
    )
    headers = b"Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: %d\r\n" % len(form)
    pieces = [form[at : at + 5000] for at in range(0, len(form), 5000)]
    exchange = get("/upload", "POST", headers, body=pieces)
    outcome = await Application(app)(exchange)
    assert outcome.status == 200
    assert exchange.stream.body == b'{"name":"a.bin","size":262144,"same":true}'
    assert not exchange.stream.held


async def test_fastapi_lifespan_state_reaches_requests():
    @asynccontextmanager
    async def lifespan(app):
        yield {"db": "open"}

    app = FastAPI(lifespan=lifespan)

    async def show(request):
        return PlainTextResponse(request.state.db)

    app.add_route("/", show)
    served = Application(app)
    async with served.lifespan():
        exchange = get()
        await served(exchange)
    assert exchange.stream.body == b"open"


async def test_a_starlette_lifespan_that_fails_says_why():
    @asynccontextmanager
    async def lifespan(app):
        raise LookupError("no database")
        yield

    with pytest.raises(RuntimeError, match="no database"):
        async with Application(Starlette(lifespan=lifespan)).lifespan():
            pytest.fail("must not start")


async def test_fastapi_echoes_over_websocket(caplog):
    app = FastAPI()

    @app.websocket("/echo/{name}")
    async def echo(websocket: WebSocket, name: str, loud: Annotated[bool, "?"] = False):
        await websocket.accept()
        while True:
            text = await websocket.receive_text()
            await websocket.send_text(f"{name}: {text.upper() if loud else text}")

    client = WebSocketClient("/echo/me?loud=1")
    client.connect(Application(app, websocket=QUIET))
    await client.opened()
    client.protocol.send_text(b"hello")
    assert await client.message() == b"me: HELLO"
    client.protocol.send_close(1001)
    with caplog.at_level(logging.WARNING, "hostler.asgi"):
        outcome = await client.finished()
    assert outcome.kind is Kind.RESPONDED
    assert not caplog.records


async def test_starlette_websocket_sees_code_and_reason_and_denies():
    seen = []

    async def talk(websocket):
        if "token" not in websocket.query_params:
            raise HTTPException(401, "who are you?")
        await websocket.accept()
        try:
            await websocket.receive_bytes()
        except WebSocketDisconnect as error:
            seen.append((error.code, error.reason))

    served = Application(Starlette(routes=[WebSocketRoute("/", talk)]), websocket=QUIET)
    stranger = WebSocketClient()
    outcome = await served(stranger.exchange)
    assert (outcome.status, stranger.stream.body) == (401, b"who are you?")
    client = WebSocketClient("/?token=1")
    client.connect(served)
    await client.opened()
    client.protocol.send_close(4000, "bye")
    await client.finished()
    assert seen == [(4000, "bye")]


async def test_an_unknown_websocket_route_is_refused():
    client = WebSocketClient("/nowhere")
    outcome = await Application(Starlette(), websocket=QUIET)(client.exchange)
    assert outcome.status == 403


async def test_a_starlette_websocket_that_raises_closes_with_1011(caplog):
    async def broken(websocket):
        await websocket.accept()
        raise LookupError

    client = WebSocketClient()
    client.connect(Application(Starlette(routes=[WebSocketRoute("/", broken)]), websocket=QUIET))
    await client.opened()
    frame = await client.next()
    assert frame.opcode is Opcode.CLOSE
    assert Close.parse(frame.data).code == 1011
    await client.finished()
    assert "LookupError" in caplog.text

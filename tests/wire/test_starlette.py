"""A Starlette application behind a proxy: forwarded to, and delegated to."""

from __future__ import annotations

import asyncio
import hashlib

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from websockets.asyncio.client import connect

from hostler.asgi import Application
from tests.wire.peers import BOTH


async def upload(request):
    async with request.form() as form:
        file = form["file"]
        data = await file.read()
        digest = hashlib.sha256(data).hexdigest()
        return JSONResponse(
            {"name": file.filename, "size": len(data), "sha256": digest, "note": form["note"]}
        )


async def stream(request):
    async def pieces():
        for number in range(int(request.query_params["count"])):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


async def download(request):
    return FileResponse(request.app.state.file)


async def where(request):
    return PlainTextResponse(f"{request.method} {request.url.path} {request.url.query} {request.client.host}")


async def failing(request):
    raise LookupError("a bug")


async def chat(websocket):
    await websocket.accept(subprotocol=websocket.scope["subprotocols"][0])
    async for message in websocket.iter_text():
        if message == "bye":
            await websocket.close(4000, "bye")
            return
        await websocket.send_text(message.upper())


@pytest.fixture
def app(tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("static")
    made = Starlette(
        routes=[
            Route("/upload", upload, methods=["POST"]),
            Route("/stream", stream),
            Route("/download", download),
            Route("/failing", failing),
            Route("/where/{rest:path}", where, methods=["GET", "PUT"]),
            WebSocketRoute("/chat", chat),
            Mount("/static", StaticFiles(directory=tmp_path / "static")),
        ]
    )
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(range(256)) * 16384)
    made.state.file = file
    return Application(made)


def client(url):
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=20)


@BOTH
async def test_a_file_upload(app, behind):
    data = bytes(range(256)) * 8192
    async with behind(app) as url, client(url) as ask:
        got = await ask.post("/upload", files={"file": ("a.bin", data)}, data={"note": "ü"})
    assert got.json() == {
        "name": "a.bin",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "note": "ü",
    }


@BOTH
async def test_a_streaming_answer(app, behind):
    async with behind(app) as url, client(url) as ask:
        got = await ask.get("/stream", params={"count": 1000})
    assert got.text.split() == [str(number) for number in range(1000)]
    assert "content-length" not in got.headers


@BOTH
async def test_a_download_whole_and_in_part(app, behind):
    async with behind(app) as url, client(url) as ask:
        whole = await ask.get("/download")
        assert whole.content == bytes(range(256)) * 16384
        part = await ask.get("/download", headers={"range": "bytes=256-511"})
        assert (part.status_code, part.content) == (206, bytes(range(256)))
        cached = await ask.get("/download", headers={"if-none-match": whole.headers["etag"]})
        assert cached.status_code in {200, 304}


@BOTH
async def test_static_files(app, behind):
    async with behind(app) as url, client(url) as ask:
        got = await ask.get("/static/a.txt")
        assert got.text == "static"
        again = await ask.get("/static/a.txt", headers={"if-none-match": got.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await ask.get("/static/missing")).status_code == 404
        assert (await ask.head("/static/a.txt")).headers["content-length"] == "6"


@BOTH
async def test_what_the_application_sees_of_the_request(app, behind):
    async with behind(app) as url, client(url) as ask:
        assert (await ask.get("/where/a%20b/c?d=e")).text == "GET /where/a b/c d=e 127.0.0.1"
        assert (await ask.put("/where/x", content=b"unread" * 1000)).text.startswith("PUT /where/x")
        assert (await ask.delete("/where/x")).status_code == 405


@BOTH
@pytest.mark.logs_errors("the application raised an exception")
async def test_an_application_that_fails_is_500_and_goes_on(app, behind):
    async with behind(app) as url, client(url) as ask:
        for _ in range(2):
            assert (await ask.get("/failing")).status_code == 500
            assert (await ask.get("/static/a.txt")).text == "static"


@BOTH
async def test_a_websocket(app, behind):
    async with behind(app) as url, client(url) as ask:
        address = f"{url.replace('http', 'ws', 1)}/chat"
        async with connect(address, subprotocols=["talk"], proxy=None) as socket:
            assert socket.subprotocol == "talk"
            for message in ("hello", "x" * 1_000_000):
                await socket.send(message)
                assert await socket.recv() == message.upper()
            await socket.send("bye")
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (4000, "bye")
        assert (await ask.get("/static/a.txt")).text == "static"

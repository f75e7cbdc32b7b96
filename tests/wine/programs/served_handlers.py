"""What the programs serve: handlers by path, an ASGI application, a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json

from hostler import Cluster, Proxy, Route
from hostler.asgi import Application


class Handlers:
    """One handler a path; `counts` is what happened, `go` lets those go on that wait for it."""

    def __init__(self):
        self.counts = {"begun": 0, "cancelled": 0, "lost": 0, "done": 0}
        self.go = asyncio.Event()

    async def __call__(self, exchange):
        self.counts["begun"] += 1
        name = exchange.path.strip("/").partition("/")[0] or "hello"
        try:
            outcome = await getattr(self, name, self.hello)(exchange)
        except asyncio.CancelledError:
            self.counts["cancelled"] += 1
            raise
        except ConnectionError:
            self.counts["lost"] += 1
            raise
        self.counts["done"] += 1
        return outcome

    async def hello(self, exchange):
        return await exchange.respond(200, "hello")

    async def seen(self, exchange):
        """Answer with what arrived."""
        body = await exchange.read()
        request = exchange.request
        said = {
            "method": request.method,
            "target": request.target.decode(),
            "path": exchange.path,
            "host": exchange.host,
            "port": exchange.port,
            "client": exchange.client[0],
            "headers": [[name.decode(), value.decode("latin-1")] for name, value in request.headers.pairs()],
            "body": body.decode("latin-1"),
        }
        return await exchange.respond(200, json.dumps(said), headers=[("content-type", "application/json")])

    async def echo(self, exchange):
        """Send the body back as it comes."""
        await exchange.start(200)
        async for piece in exchange.chunks():
            await exchange.write(piece)
        return await exchange.end()

    async def unread(self, exchange):
        """Leave the body alone."""
        return await exchange.respond(200, "unread")

    async def large(self, exchange):
        """Send as many bytes as the query says, in pieces, with a length or (in /large/chunks) without."""
        left = int(exchange.request.target.partition(b"?")[2])
        await exchange.start(200, length=None if exchange.path.endswith("chunks") else left)
        while left:
            piece = min(left, 50_000)
            await exchange.write(b"x" * piece)
            left -= piece
        return await exchange.end()

    async def streamed(self, exchange):
        """Send a piece, wait to be let go on, send another."""
        await exchange.start(200)
        await exchange.write(b"first")
        await self.go.wait()
        await exchange.write(b"second")
        return await exchange.end()

    async def waits(self, exchange):
        """Answer when let go on."""
        await self.go.wait()
        return await exchange.respond(200, "waited")

    async def endless(self, exchange):
        """Send until the client is gone."""
        await exchange.start(200)
        while not exchange.stream.closed:
            await exchange.write(b"x" * 1000)
            await asyncio.sleep(0.005)
        self.counts["lost"] += 1
        return exchange.outcome(None)

    async def upgraded(self, exchange):
        """Switch protocols, and speak another one."""
        await exchange.start(101, [("upgrade", "lines"), ("connection", "upgrade")])
        await exchange.write(b"one\n")
        return await exchange.end()

    async def empty(self, exchange):
        return await exchange.respond(204)

    async def fails(self, exchange):
        raise LookupError("a bug")

    async def breaks(self, exchange):
        """Fail when half of the answer is out."""
        await exchange.start(200)
        await exchange.write(b"half")
        await self.go.wait()
        raise LookupError("a bug")

    async def many(self, exchange):
        """Answer with headers of all kinds."""
        headers = [
            ("set-cookie", "a=1"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x-own", "ü".encode("latin-1")),
            ("etag", '"e"'),
        ]
        return await exchange.respond(200, "many", headers=headers)


def application():
    """Make an ASGI application with a lifespan."""
    from starlette.applications import Starlette  # noqa: PLC0415 - for this program only
    from starlette.responses import JSONResponse, StreamingResponse  # noqa: PLC0415
    from starlette.routing import Route as Path  # noqa: PLC0415
    from starlette.routing import WebSocketRoute  # noqa: PLC0415

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield {"greeting": "hello"}

    async def greet(request):
        return JSONResponse({
            "greeting": request.state.greeting,
            "who": request.path_params["who"],
            "query": dict(request.query_params),
        })  # fmt: skip

    async def upload(request):
        return JSONResponse({"size": len(await request.body())})

    async def count(request):
        async def numbers():
            for number in range(5):
                yield f"{number}\n"

        return StreamingResponse(numbers())

    async def socket(websocket):
        await websocket.accept(subprotocol="shout")
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())

    routes = [
        Path("/greet/{who}", greet),
        Path("/upload", upload, methods=["POST"]),
        Path("/count", count),
        WebSocketRoute("/socket", socket),
    ]
    return Application(Starlette(routes=routes, lifespan=lifespan))


def proxy(address):
    """Make a proxy that sends everything to one address."""
    return Proxy([Route("/{**rest}", "c")], [Cluster("c", [address])])

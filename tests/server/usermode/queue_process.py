"""A process of the tests: `worker QUEUE`, or `proxy QUEUE`; it writes a line for everything that happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from hostler.answering import begin_response
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Response
from hostler.server.base import QueueMode
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.server import UserModeServer


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def work(exchange):
    path = exchange.path
    say(path)
    if path == "/hang":
        await asyncio.Event().wait()
    if path == "/half":
        begin_response(exchange, Response(200, Headers(), CHUNKED), b"the first half")
        await asyncio.Event().wait()
    if path == "/until-close":
        begin_response(exchange, Response(200, Headers(), -2), b"the first half")
        await asyncio.Event().wait()
    if path == "/half-read":
        async for _ in exchange.chunks():
            say("read")
            await asyncio.Event().wait()
    if path == "/slow":
        # the answer waits for a signal
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
        say("waiting")
        await told.wait()
    body = await exchange.read(1 << 26)
    return await exchange.respond(200, body or str(os.getpid()))


async def main(role, queue):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if role == "worker":
        server = UserModeServer(work)
        await server.join(queue, QueueMode.CREATE_OR_ATTACH)
        say("ready")
    else:
        server = UserModeServer(lambda exchange: exchange.delegate(rule))
        rule = server.open_rule(queue, "http://*:80/")
        (prefix,) = await server.listen([UrlPrefix.parse("http://127.0.0.1:0/")])
        say(prefix.port)
    await stop.wait()
    await server.stop(10)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

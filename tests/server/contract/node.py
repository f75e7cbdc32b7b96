"""A server of the behaviour suite, and all that a test may ask of it; also as a program of its own.

    python tests/server/contract/node.py SERVER PORT

connects to PORT, writes there a port of its own, and is a node to whoever connects to that: it does what the lines of
JSON say. SERVER is a key of SERVERS.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import os
import sys
from functools import partial

from hostler import errors
from hostler.server.base import QueueMode
from hostler.server.prefix import UrlPrefix
from tests.server.contract.desk import Desk
from tests.server.contract.handlers import handler_of

PATIENCE = 15.0


class Node:
    """One server of the suite, its desk, its queue and its rules; everything goes in and comes out as JSON has it."""

    def __init__(self, make_server, scheme="http"):
        self._make_server = make_server
        self._scheme = scheme
        self._server = self._queue = None
        self.desk = Desk()
        self.urls = []

    async def start(self, handler, urls, queue, mode):
        """Serve a handler, from a queue too if one is named; gives the URLs with the ports that were picked."""
        self._server = self._make_server(handler_of(handler, self.desk))
        if queue is not None:
            await self.join(queue, mode)
        self.urls = await self.listen(urls)
        return self.urls

    async def listen(self, urls):
        """Listen on more prefixes; gives them with the ports that were picked."""
        own = [UrlPrefix.parse(url.replace("http://", f"{self._scheme}://", 1)) for url in urls]
        return [str(prefix) for prefix in await self._server.listen(own)]

    async def join(self, queue, mode):
        """Serve a queue."""
        self._queue = await self._server.join(queue, QueueMode(mode))
        return self._queue.name

    async def leave(self):
        """Close the queue that is served."""
        await self._queue.close()

    async def can_delegate(self):
        """Say whether the server can delegate."""
        return self._server.can_delegate

    async def open_rule(self, name, queue, prefix):
        """Open a rule under a name of the test's; gives what the rule says of itself."""
        rule = self.desk.rules[name] = self._server.open_rule(queue, prefix)
        return [rule.queue, rule.prefix]

    async def is_same_rule(self, one, other):
        """Say whether two names are for one rule."""
        return self.desk.rules[one] is self.desk.rules[other]

    async def reset_rule(self, name):
        """Have a rule let go of its queue."""
        self.desk.rules[name].reset()

    async def close_rule(self, name):
        """Give a rule back."""
        self._server.close_rule(self.desk.rules.pop(name))

    async def reported(self, name):
        """Wait for a report of a handler."""
        async with asyncio.timeout(PATIENCE):
            return await self.desk.reported(name)

    async def open(self, gate):
        """Open a gate that a handler waits at."""
        self.desk.gate(gate).set()

    async def stop(self, grace=0.0):
        """Stop the server, if it ever started."""
        if self._server is not None:
            await self._server.stop(grace)


async def obey(node, reader, writer):
    """Do what each line says, all at once, and answer with its number; to the end of the lines."""
    tasks = set()

    async def one(number, call, arguments):
        try:
            result = {"result": await getattr(node, call)(*arguments)}
        except Exception as error:  # noqa: BLE001 - the other side raises it
            result = {"error": type(error).__name__, "message": str(error)}
        writer.write(json.dumps({"number": number, **result}).encode() + b"\n")

    while line := await reader.readline():
        task = asyncio.create_task(one(*json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def raised(name, message):
    """Make the exception of that name; those of hostler, and what Python has."""
    return (getattr(errors, name, None) or getattr(builtins, name, RuntimeError))(message)


def usermode():
    """Return what makes the user-mode server for a handler, which waits for no queue, as HTTP.sys does not."""
    from hostler.server.options import ServerOptions, Timeouts  # noqa: PLC0415 - one of several
    from hostler.server.usermode.server import UserModeServer  # noqa: PLC0415 - as above

    return partial(UserModeServer, options=ServerOptions(timeouts=Timeouts(queue_restart=0)))


def usermode_tls():
    """Return what makes the user-mode server with the certificate that the test has made."""
    from hostler.server.options import Certificate, ServerOptions, Timeouts, TlsOptions  # noqa: PLC0415 - one of several
    from hostler.server.usermode.server import UserModeServer  # noqa: PLC0415 - as above

    path, key_path = os.environ["HOSTLER_TEST_CERTIFICATE"], os.environ["HOSTLER_TEST_KEY"]
    tls = TlsOptions(certificate=Certificate(path=path, key_path=key_path))
    return partial(UserModeServer, options=ServerOptions(timeouts=Timeouts(queue_restart=0), tls=tls))


def wine():
    """Return what makes the HTTP.sys server for a handler, on Wine, with more receives than a test has clients."""
    from hostler.server.httpsys.server import HttpSysServer  # noqa: PLC0415 - one of several
    from hostler.server.options import ServerOptions  # noqa: PLC0415 - as above
    from hostler.server.options.httpsys import HttpSysOptions  # noqa: PLC0415 - as above
    from tests.wine.programs import wine_api  # noqa: PLC0415 - Windows only

    windows, options = wine_api.load(), ServerOptions(httpsys=HttpSysOptions(receives=64))
    return partial(HttpSysServer, options=options, windows=windows)


SERVERS = {"usermode": usermode, "usermode-tls": usermode_tls, "wine": wine}
SCHEMES = {"usermode-tls": "https"}


async def main(name, port):
    """Be a process of nodes, one for each connection, until the connection to `port` ends."""
    make_server = SERVERS[name]()

    async def node(reader, writer):
        node = Node(make_server, SCHEMES.get(name, "http"))
        try:
            await obey(node, reader, writer)
        finally:
            await node.stop()
            writer.close()

    server = await asyncio.start_server(node, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(b"%d\n" % server.sockets[0].getsockname()[1])
    await reader.read()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""The handlers of the behaviour suite, by name.

A server under test may live in another process, or on another operating system. So a test names a handler, says what
it wants of it in the request's query, and learns what the handler saw from its response or from what it reported.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from hostler import TrustedProxies
from hostler.answering import begin_response, finish_response
from hostler.errors import DelegationError, ProtocolError
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Response
from hostler.outcome import Kind
from hostler.server.placing import place_anew
from hostler.stages.trusted import TrustProxies
from tests.server.contract.desk import as_json, asked, desk_of, pairs

PIECE = bytes(range(256)) * 256
"""64 KiB, the size of the pieces in which much is written."""

HANDLERS = {}


def named(handler):
    """Let tests ask for a handler by its name."""
    HANDLERS[handler.__name__] = handler
    return handler


def handler_of(name, desk):
    """Make the handler of that name for a server whose handlers share a desk."""
    handle = HANDLERS[name]

    async def handler(exchange):
        exchange.items["desk"] = desk
        return await handle(exchange)

    return handler


# -- what a request looks like ----------------------------------------------------------------------------------------


@named
async def facts(exchange):
    """Answer with everything that is known of a request's head."""
    request, target = exchange.request, exchange.target
    return await as_json(
        exchange,
        method=request.method,
        target=request.target.decode("latin-1"),
        version=request.version,
        headers=pairs(request.headers.pairs()),
        framing=request.framing,
        query=None if target.query is None else target.query.decode("latin-1"),
        path_base=exchange.path_base,
        path=exchange.path,
        scheme=exchange.scheme,
        tls=exchange.tls and exchange.tls.version,
        host=exchange.host,
        port=exchange.port,
        client=list(exchange.client),
        server=list(exchange.server),
    )


_BELIEVING = TrustProxies(TrustedProxies(networks=["127.0.0.0/8", "::1"], hosts=["*"]), place_anew)


@named
async def believing(exchange):
    """Answer with everything that is known of a request's head, by the word of proxies in front."""
    return await _BELIEVING(exchange, facts)


@named
async def hello(exchange):
    """Say which path was asked for."""
    return await exchange.respond(200, f"hello {exchange.path_base}|{exchange.path}")


# -- requests with bodies ---------------------------------------------------------------------------------------------


@named
async def echo(exchange):
    """Answer with the request's body."""
    return await exchange.respond(200, await exchange.read(1 << 26))


@named
async def digest(exchange):
    """Answer with a body's size, how it was framed, its trailers, and what the outcome counted."""
    size = checksum = 0
    async for piece in exchange.chunks():
        size += len(piece)
        checksum = (checksum + sum(piece)) % (1 << 32)
    trailers = pairs(exchange.channel().trailers)
    outcome = await as_json(
        exchange, size=size, checksum=checksum, framing=exchange.request.framing, trailers=trailers
    )
    desk_of(exchange).report("outcome", received=outcome.bytes_received, sent=outcome.bytes_sent)
    return outcome


@named
async def ping_pong(exchange):
    """Answer each piece of the body as it comes, before the next is read."""
    await exchange.start(200)
    async for piece in exchange.chunks():
        await exchange.write(piece.upper())
    return await exchange.end()


class Counting:
    """A Pump that counts, and answers with nothing."""

    def __init__(self, desk):
        self.desk = desk
        self.data = b""
        self.size = self.largest = 0
        self.fed, self.ended, self.stopping = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def feed(self, data):
        self.data += data[:64]
        self.size += len(data)
        self.largest = max(self.largest, len(data))
        self.fed.set()

    def feed_end(self, trailers):
        self.ended.set()

    def lost(self, failure):
        self.desk.report("lost", reason=failure.reason.name, side=failure.side.name)
        self.ended.set()

    def pause(self):
        pass

    def resume(self):
        pass

    def going_away(self):
        self.stopping.set()


@named
async def dam(exchange):
    """Stop the flow of the body at its first piece until the gate opens; say how much came all the same."""
    desk = desk_of(exchange)
    pump = Counting(desk)
    exchange.stream.attach(pump)
    exchange.stream.proceed()
    await pump.fed.wait()
    exchange.stream.pause()
    desk.report("paused")
    before = pump.size
    await desk.gate("flow").wait()
    through = pump.size - before
    exchange.stream.resume()
    await pump.ended.wait()
    return await as_json(exchange, through=through, size=pump.size, largest=pump.largest)


@named
async def relay(exchange):
    """Hand the body from one pump to another after its first piece."""
    first, second = Counting(desk_of(exchange)), Counting(desk_of(exchange))
    exchange.stream.attach(first)
    await first.fed.wait()
    exchange.stream.detach()
    between = first.size
    desk_of(exchange).report("detached")
    await desk_of(exchange).gate("attach").wait()
    exchange.stream.attach(second)
    await second.ended.wait()
    return await as_json(exchange, first=between, late=first.size - between, second=second.size)


# -- responses --------------------------------------------------------------------------------------------------------


@named
async def answer(exchange):
    """Answer whole: ?status=, ?size= bytes, every ?header=name:value."""
    query = parse_qs((exchange.target.query or b"").decode("ascii"))
    headers = [tuple(item.split(":", 1)) for item in query.get("header", [])]
    body = b"x" * asked(exchange, "size", 0)
    return await exchange.respond(asked(exchange, "status", 200), body, headers=headers)


@named
async def pieces(exchange):
    """Answer in pieces: ?count= of them, each ?size= bytes; ?length= announces it, ?trailer= follows them."""
    count, size = asked(exchange, "count", 3), asked(exchange, "size", 4)
    length, trailer = asked(exchange, "length"), asked(exchange, "trailer")
    await exchange.start(asked(exchange, "status", 200), length=int(length) if length else None)
    for number in range(count):
        await exchange.write(b"%d" % (number % 10) * size)
    outcome = await exchange.end([("x-sum", trailer)] if trailer else [])
    desk_of(exchange).report("outcome", received=outcome.bytes_received, sent=outcome.bytes_sent)
    return outcome


@named
async def forwarded(exchange):
    """Answer as a forwarder does: without waiting, framed by itself, the first bytes together with the head."""
    begin_response(exchange, Response(200, Headers([(b"x-kind", b"forwarded")]), CHUNKED), b"first ")
    exchange.stream.write(b"second")
    finish_response(exchange)
    return exchange.outcome(Kind.FORWARDED)


@named
async def river(exchange):
    """Answer with ?count= pieces of 64 KiB, as fast as the client takes them; report when it is told to wait."""
    desk, channel = desk_of(exchange), exchange.channel()
    count = asked(exchange, "count", 1024)
    await exchange.start(200, length=count * len(PIECE))
    told = False
    for number in range(count):
        exchange.stream.write(PIECE)
        if channel.paused and not told:
            told = True
            desk.report("paused", written=(number + 1) * len(PIECE))
        await channel.drained()
        if exchange.stream.closed:
            break
    desk.report("written", closed=exchange.stream.closed)
    return await exchange.end()


@named
async def hints(exchange):
    """Send two interim responses, then the final one."""
    exchange.stream.inform(103, [(b"link", b"</a>")])
    exchange.stream.inform(103, [(b"link", b"</b>")])
    return await exchange.respond(200, "final")


@named
async def settled(exchange):
    """Add a header by a callback."""
    exchange.on_response(lambda headers: headers.append((b"x-settled", b"yes")))
    return await exchange.respond(200, "settled")


# -- handlers that go wrong -------------------------------------------------------------------------------------------


@named
async def raises(exchange):
    """Fail before the response: a programming error."""
    raise LookupError("on purpose")


@named
async def silent(exchange):
    """Return without an answer."""
    return exchange.outcome(Kind.RESPONDED)


@named
async def twice(exchange):
    """Answer, and try to answer again."""
    outcome = await exchange.respond(200, "once")
    try:
        await exchange.respond(200, "twice")
    except RuntimeError as error:
        desk_of(exchange).report("refused", error=type(error).__name__)
    return outcome


@named
async def bad_header(exchange):
    """Try to send a header that would break the head, then answer properly."""
    try:
        begin_response(exchange, Response(200, Headers([(b"x", b"a\r\nset-cookie: b")]), 0))
    except ProtocolError:
        return await exchange.respond(200, "mended")
    return exchange.outcome(Kind.FAILED)


@named
async def half(exchange):
    """Send half of a response; when the gate opens do what ?then= says: end, abort, raise or return."""
    desk = desk_of(exchange)
    length = asked(exchange, "length")
    await exchange.start(200, length=int(length) if length else None)
    await exchange.write(b"half")
    desk.report("half")
    await desk.gate("go on").wait()
    then = asked(exchange, "then")
    if then == "abort":
        exchange.stream.abort()
    elif then == "raise":
        raise LookupError("on purpose")
    elif then == "end":
        return await exchange.end()
    return exchange.outcome(Kind.FAILED)


@named
async def short(exchange):
    """Announce ten bytes and send four."""
    await exchange.start(200, length=10)
    await exchange.write(b"four")
    return await exchange.end()


@named
async def long(exchange):
    """Announce four bytes and send ten."""
    await exchange.start(200, length=4)
    await exchange.write(b"four and more")
    return await exchange.end()


# -- handlers that wait -----------------------------------------------------------------------------------------------


@named
async def held(exchange):
    """Answer when the gate opens."""
    desk = desk_of(exchange)
    desk.report("held")
    try:
        await desk.gate("go on").wait()
    except asyncio.CancelledError:
        desk.report("cancelled")
        raise
    return await exchange.respond(200, f"held {exchange.path}")


@named
async def patient(exchange):
    """Wait for the client to go away; before it answers, or ?after= half of its answer."""
    desk, channel = desk_of(exchange), exchange.channel()
    if asked(exchange, "after"):
        await exchange.start(200)
        await exchange.write(b"half")
    desk.report("waiting")
    await channel.disconnected()
    failure = channel.failure
    desk.report("gone", side="" if failure is None else failure.side.name)
    if exchange.stream.started:
        await exchange.write(b"discarded")
        return await exchange.end()
    return await exchange.respond(200, "discarded")


@named
async def untaken(exchange):
    """Wait for the client to go away, and leave the body where it is."""
    desk, departed = desk_of(exchange), asyncio.Event()
    exchange.stream.when_departed(lambda _: departed.set())
    desk.report("waiting")
    await departed.wait()
    desk.report("gone", closed=exchange.stream.closed, received=exchange.stream.bytes_received)
    return await exchange.respond(200, "discarded")


@named
async def reader(exchange):
    """Read a body that may not come to its end."""
    desk, size = desk_of(exchange), 0
    try:
        async for piece in exchange.chunks():
            size += len(piece)
            desk.report("read", size=size)
    except ConnectionError as error:
        desk.report("broken", error=type(error).__name__, size=size)
        raise
    return await exchange.respond(200, str(size))


@named
async def long_poll(exchange):
    """Go on until the server says that it stops."""
    pump = Counting(desk_of(exchange))
    exchange.stream.attach(pump)
    begin_response(exchange, Response(200, Headers(), CHUNKED), b"begun ")
    desk_of(exchange).report("polling")
    await pump.stopping.wait()
    exchange.stream.write(b"ended")
    finish_response(exchange)
    return exchange.outcome(Kind.RESPONDED)


# -- upgrades ---------------------------------------------------------------------------------------------------------


class Upper(Counting):
    """The far end of an upgraded connection: gives back everything in capitals."""

    def __init__(self, desk, stream):
        super().__init__(desk)
        self._stream = stream

    def feed(self, data):
        super().feed(data)
        self._stream.write(data.upper())


@named
async def shouting(exchange):
    """Upgrade to a protocol in which everything comes back in capitals, and BYE at the end."""
    pump = Upper(desk_of(exchange), exchange.stream)
    exchange.stream.attach(pump)
    pump.ended.clear()  # that was the request's body, which it has not
    headers = [(b"connection", b"upgrade"), (b"upgrade", b"shouting")]
    begin_response(exchange, Response(101, Headers(headers)))
    await pump.ended.wait()
    exchange.stream.write(b"BYE")
    exchange.stream.end()
    desk_of(exchange).report("hung up", size=pump.size)
    return exchange.outcome(Kind.RESPONDED)


@named
async def farewell(exchange):
    """Upgrade, end our direction first, and report what the client sends after that."""
    pump = Counting(desk_of(exchange))
    exchange.stream.attach(pump)
    pump.ended.clear()  # as above
    headers = [(b"connection", b"upgrade"), (b"upgrade", b"farewell")]
    begin_response(exchange, Response(101, Headers(headers)))
    exchange.stream.write(b"that is all")
    exchange.stream.end()
    await pump.ended.wait()
    desk_of(exchange).report("heard", data=pump.data.decode())
    return exchange.outcome(Kind.RESPONDED)


# -- delegation -------------------------------------------------------------------------------------------------------


@named
async def delegating(exchange):
    """Delegate by the rule that the first segment of the path names; answer what names none."""
    desk = desk_of(exchange)
    rule = desk.rules.get(exchange.path.split("/")[1])
    if rule is None:
        return await exchange.respond(200, "here")
    if header := asked(exchange, "add"):
        exchange.on_response(lambda headers: headers.append((b"x-added", header.encode())))
    if user := asked(exchange, "user"):
        exchange.request.headers.set("X-User", user)
    outcome = await exchange.delegate(rule)
    desk.report(
        "outcome",
        kind=outcome.kind.name,
        status=outcome.status,
        queue=outcome.destination,
        received=outcome.bytes_received,
        sent=outcome.bytes_sent,
        failure=None if outcome.failure is None else outcome.failure.reason.name,
    )
    return outcome


@named
async def too_late(exchange):
    """Delegate what cannot be any more: ?after= body, response or delegation."""
    desk = desk_of(exchange)
    rule, after = desk.rules["d"], asked(exchange, "after")
    if after == "body":
        await exchange.read()
    elif after == "response":
        await exchange.start(200)
    elif after == "delegation":
        await exchange.delegate(rule)
    possible = exchange.stream.can_delegate
    try:
        await exchange.delegate(rule)
    except DelegationError as error:
        desk.report("refused", possible=possible, error=str(error))
    if after == "body":
        return await exchange.respond(200, "myself")
    if after == "response":
        await exchange.write(b"myself")
        return await exchange.end()
    return exchange.outcome(Kind.DELEGATED)


@named
async def narrow(exchange):
    """Answer with the request's body, of ten bytes at most."""
    exchange.max_request_body_size = 10
    return await exchange.respond(200, await exchange.read())

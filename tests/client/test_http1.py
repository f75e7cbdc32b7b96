"""An HTTP/1.1 connection to a destination: its states, and what its owner and its sink are told."""

from __future__ import annotations

import asyncio

import pytest

from hostler.client.http1 import Http1UpstreamConnection
from hostler.errors import ProtocolError
from hostler.http.h1 import MAX_INTERIM
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Request
from tests.client.peers import until
from tests.client.transports import Owner, Pipe

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"


class Sink:
    """Writes down what it is told."""

    def takes_plain(self):
        return False

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        if name == "on_answer":
            return lambda: None
        return lambda *arguments, **options: self._note(name, arguments, options)

    def _note(self, name, arguments, options):
        if name in {"informed", "answered"}:
            arguments = (arguments[0].status, *arguments[1:])
        self.told.append((name, *arguments, *options.values()))
        if name == "answered":
            self.on_answer()


class Wire:
    """A connection on a transport and a request on it."""

    def __init__(self, *, idle=60.0, half_close=True):
        self.owner, self.pipe = Owner(), Pipe(half_close=half_close)
        self.connection = Http1UpstreamConnection(self.owner, asyncio.get_running_loop(), idle)
        self.connection.connection_made(self.pipe)
        self.sink = Sink()

    def ask(self, method="GET", *, timeout=100.0, complete=True, **attributes):
        """Begin a request; return what its sink is told."""
        self.sink = Sink()
        self.connection.slots = 0
        request = Request(method, b"/", Headers([(b"Host", b"a")]), **attributes)
        self.connection.begin(request, self.sink, timeout)
        if complete:
            self.connection.end([])
        return self.sink.told

    def receive(self, *pieces):
        for piece in pieces:
            self.connection.data_received(piece)

    @property
    def kept(self):
        """Whether it waits for its next request."""
        states = (bool(self.owner.freed), not self.pipe.closing, self.connection.slots == 1)
        assert len(set(states)) == 1, states
        return states[0]


@pytest.fixture
async def wire():
    made = []

    def make(**options):
        made.append(Wire(**options))
        return made[-1]

    yield make
    for each in made:
        each.connection.close()
        assert each.owner.gone == [each.connection]


async def test_a_request_and_its_answer(wire):
    here = wire()
    told = here.ask()
    assert here.pipe.written == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert not here.connection.is_idle()
    here.receive(OK)
    assert told == [("answered", 200, b"ok"), ("complete", [])]
    assert here.connection.is_idle()
    assert here.kept


async def test_a_chunked_request_is_framed_here(wire):
    here = wire()
    here.ask("POST", complete=False, framing=CHUNKED)
    here.connection.send(b"abc")
    here.connection.end([(b"X", b"1")])
    assert here.pipe.written == (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n"
    )


async def test_the_pieces_of_an_answer(wire):
    here = wire()
    told = here.ask()
    here.receive(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        b"1\r\nb\r\n1\r\nc\r\n",
        b"0\r\nX: 1\r\n\r\n",
    )
    assert told == [
        ("informed", 103), ("answered", 200, b"a"), ("received", b"bc"), ("complete", [(b"X", b"1")]),
    ]  # fmt: skip
    assert here.kept


async def test_a_request_has_a_bounded_number_of_interim_answers(wire):
    here = wire()
    hints = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    for _ in range(2):  # each request for itself
        told = here.ask()
        here.receive(hints * MAX_INTERIM, OK)
        assert told == [("informed", 103)] * MAX_INTERIM + [("answered", 200, b"ok"), ("complete", [])]
    told = here.ask()
    here.receive(hints * (MAX_INTERIM + 1))
    assert told[:-1] == [("informed", 103)] * MAX_INTERIM
    name, error = told[-1]
    assert (name, str(error)) == ("broken", f"more than {MAX_INTERIM} interim responses to a request")
    assert here.pipe.aborted


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"x",
        OK.replace(b"200 OK", b"200 OK\r\nConnection: close"),
        OK.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
    ],
)
async def test_after_which_answers_a_connection_is_closed(wire, answer):
    here = wire()
    told = here.ask()
    here.receive(answer)
    assert told[-1] == ("complete", [])
    assert not here.kept


async def test_it_is_closed_after_an_answer_that_came_before_the_request_was_complete(wire):
    here = wire()
    told = here.ask("POST", complete=False, framing=5)
    here.receive(OK)
    assert told[-1] == ("complete", [])
    assert not here.kept


async def test_it_is_closed_when_some_of_the_request_waits_to_be_sent(wire):
    here = wire()
    told = here.ask()
    here.connection.pause_writing()
    here.receive(OK)
    assert told == [("pause_writing",), ("answered", 200, b"ok"), ("complete", [])]
    assert not here.kept
    assert here.pipe.aborted


async def test_it_reads_again_for_its_next_request(wire):
    here = wire()
    here.ask()
    here.receive(OK[:-1])
    here.connection.pause_reading()
    assert not here.pipe.reading
    here.receive(OK[-1:])
    assert here.pipe.reading


async def test_a_request_that_cannot_be_written_is_refused_before_a_byte_is_sent(wire):
    here = wire()
    with pytest.raises(ProtocolError):
        here.connection.begin(Request("GET", b"/", Headers([(b"A", b"\n")])), Sink(), 1)
    assert here.pipe.written == b""
    assert here.connection.is_idle()
    here.ask()
    here.receive(OK)
    assert here.kept


@pytest.mark.parametrize(
    ("served", "received", "stale"),
    [
        (True, b"", True),
        (False, b"", False),
        (True, b"H", False),
        (True, b"HTTP/1.1 103 Early Hints\r\n\r\n", False),
        (True, OK[:-1], False),
    ],
)
async def test_a_lost_connection_is_stale_if_it_had_served_and_nothing_came(wire, served, received, stale):
    here = wire()
    if served:
        here.ask()
        here.receive(OK)
    told = here.ask()
    here.receive(*[received] * bool(received))
    error = ConnectionResetError("reset")
    here.connection.connection_lost(error)
    assert told[-1] == ("disconnected", error, stale)


async def test_an_answer_that_is_not_http_breaks_the_stream(wire):
    here = wire()
    told = here.ask()
    here.receive(b"SSH-2.0\r\n")
    assert [name for name, *_ in told] == ["broken"]
    assert here.pipe.aborted


async def test_nobody_is_told_of_a_stream_that_was_cancelled(wire):
    here = wire()
    told = here.ask()
    here.connection.cancel()
    here.receive(OK)
    here.connection.connection_lost(None)
    assert told == []
    assert here.pipe.aborted


async def test_a_sink_that_cancels_in_the_middle_of_an_answer_is_told_no_more(wire):
    here = wire()
    told = here.ask()
    here.sink.on_answer = here.connection.cancel
    here.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
    assert told == [("answered", 200, b"ab")]


@pytest.mark.parametrize("answer", [b"", OK[:20], OK[:-1]])
async def test_a_stream_on_which_nothing_moves_times_out(wire, answer):
    here = wire()
    told = here.ask(timeout=0.01)
    if answer:
        here.receive(answer)
    await until(lambda: told and told[-1] == ("timed_out",))
    assert here.pipe.aborted


async def test_an_idle_connection_is_closed_after_its_time(wire):
    here = wire(idle=0.01)
    await until(here.connection.has_expired)
    assert (here.pipe.closing, here.pipe.aborted) == (True, False)


async def test_what_comes_unasked_closes_it(wire):
    here = wire()
    here.receive(OK)
    assert here.pipe.closing


# -- tunnels --------------------------------------------------------------------------------------------------------


async def tunnel(wire, **options):
    here = wire(**options)
    told = here.ask(upgrade=b"x")
    here.receive(SWITCHING + b"hi")
    assert told == [("answered", 101, b""), ("received", b"hi")]
    told.clear()
    return here, told


async def test_a_tunnel_ends_when_both_directions_have_ended(wire):
    here, told = await tunnel(wire)
    here.connection.end([])
    assert (told, here.pipe.ended, here.pipe.closing) == ([], True, False)
    here.receive(b"last")
    assert not here.connection.eof_received()
    assert told == [("received", b"last"), ("ended",), ("complete", [])]
    assert here.pipe.closing


async def test_a_destination_that_ends_its_direction_can_still_be_sent_to(wire):
    here, told = await tunnel(wire)
    assert here.connection.eof_received()
    here.connection.send(b"last")
    here.connection.end([])
    assert told == [("ended",), ("complete", [])]
    assert here.pipe.written.endswith(b"last")
    assert (here.pipe.closing, here.pipe.aborted) == (True, False)


async def test_a_tunnel_over_tls_ends_whole(wire):
    here, told = await tunnel(wire, half_close=False)
    here.connection.end([])
    assert told == [("complete", [])]
    assert here.pipe.closing


async def test_a_tunnel_whose_connection_is_closed_is_complete(wire):
    here, told = await tunnel(wire)
    here.connection.connection_lost(None)
    assert told == [("complete", [])]


async def test_a_tunnel_whose_connection_is_reset_is_broken_off(wire):
    here, told = await tunnel(wire)
    error = ConnectionResetError("reset")
    here.connection.connection_lost(error)
    assert told == [("disconnected", error, False)]


@pytest.mark.parametrize(
    "asked", [{}, {"upgrade": b"x", "complete": False}, {"method": "POST", "framing": 5, "complete": False}]
)
async def test_an_upgrade_that_nobody_asked_for_breaks_the_stream(wire, asked):
    here = wire()
    told = here.ask(**asked)
    here.receive(SWITCHING)
    assert [name for name, *_ in told] == ["broken"]


async def test_a_large_read_is_followed_by_a_rest(wire):
    here = wire()
    here.ask()
    here.receive(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1 << 18))
    assert not here.pipe.reading
    await asyncio.sleep(0)
    assert here.pipe.reading

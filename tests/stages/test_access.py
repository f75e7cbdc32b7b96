"""The line per exchange."""

from __future__ import annotations

import asyncio
import json

import pytest

from hostler.config.model import Route
from hostler.contract import Rejection
from hostler.errors import Failure, ProtocolError, Reason
from hostler.fleet import LiveRoute
from hostler.http.encode import encode_rejection
from hostler.http.headers import Headers
from hostler.http.message import Request
from hostler.outcome import Kind, Outcome
from hostler.stages.access import AccessLog, as_json
from hostler.testing import FakeClock, exchange


class Case:
    def __init__(self):
        self.written = []
        self.clock = FakeClock(100.0)
        self.log = AccessLog(self.written.append, clock=self.clock, now=lambda: 1.5)

    async def run(self, outcome, given=None, seconds=0.0):
        async def onward(_):
            self.clock.advance(seconds)
            return outcome

        return await self.log(
            given or exchange("GET", "/a%20b?c=d", host="here:8080", headers=[("X-Request-ID", "abc")]),
            onward,
        )


@pytest.fixture
def case():
    return Case()


@pytest.mark.parametrize(
    ("outcome", "became"),
    [
        (Outcome(Kind.RESPONDED, 200, None, 3, 4), "200 responded, 3 B in, 4 B out"),
        (Outcome(Kind.FORWARDED, 404, "http://a", 0, 9), "404 forwarded to http://a, 0 B in, 9 B out"),
        (Outcome(Kind.DELEGATED, 201, "reports", 1, 2), "201 delegated to reports, 1 B in, 2 B out"),
        (
            Outcome(Kind.FAILED, 502, "http://a", failure=Failure(Reason.REQUEST, "refused")),
            "502 failed at http://a (Request: refused), 0 B in, 0 B out",
        ),
        (
            Outcome(Kind.FAILED, 503, failure=Failure(Reason.NO_AVAILABLE_DESTINATIONS)),
            "503 failed (NoAvailableDestinations: no destination is available), 0 B in, 0 B out",
        ),
        (
            Outcome(Kind.FAILED, 0, failure=Failure(Reason.REQUEST_CANCELED, "gone")),
            "- failed (RequestCanceled: gone), 0 B in, 0 B out",
        ),
    ],
)
async def test_a_line_says_who_asked_what_and_what_became_of_it(case, outcome, became):
    assert await case.run(outcome, seconds=0.0125) is outcome
    case.log.flush()
    assert case.written == [
        f"1970-01-01T00:00:01.500Z 127.0.0.1 GET here:8080 /a%20b?c=d {became}, 12.5 ms, id abc\n"
    ]


async def test_lines_are_written_together_when_the_event_loop_has_time(case):
    for _ in range(3):
        await case.run(Outcome(Kind.RESPONDED, 200))
    assert case.written == []
    await asyncio.sleep(0)
    assert len(case.written) == 1
    assert case.written[0].count("\n") == 3
    await case.run(Outcome(Kind.RESPONDED, 200))
    await asyncio.sleep(0)
    assert len(case.written) == 2


async def test_flushing_writes_nothing_when_there_is_nothing(case):
    case.log.flush()
    assert case.written == []


async def test_a_line_break_cannot_get_into_a_line(case):
    failure = Failure(Reason.REQUEST, "first\nsecond\r\nthird")
    await case.run(Outcome(Kind.FAILED, 502, failure=failure))
    case.log.flush()
    assert case.written[0].count("\n") == 1
    assert "first\\nsecond\\r\\nthird" in case.written[0]


@pytest.mark.parametrize("character", ["\0", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"])
async def test_control_characters_in_a_failure_are_escaped(case, character):
    failure = Failure(Reason.REQUEST, f"a{character}b \N{LATIN SMALL LETTER O WITH DIAERESIS}")
    await case.run(Outcome(Kind.FAILED, 502, "http://a", failure=failure))
    case.log.flush()
    (line,) = case.written[0].splitlines()
    assert f"(Request: a{repr(character)[1:-1]}b \N{LATIN SMALL LETTER O WITH DIAERESIS})" in line


async def test_what_nobody_has_checked_cannot_get_into_a_line_as_a_control_character(case):
    request = Request("GET", b"/\x85\x1b[2J", Headers(), host=b"a\tb\n")
    case.log.rejected(Rejection(("192.0.2.1", 1), ProtocolError("no host\r\n"), request))
    case.log.flush()
    (line,) = case.written
    assert line == (
        "1970-01-01T00:00:01.500Z 192.0.2.1 GET a\\tb\\n /\\x85\\x1b[2J 400 rejected (no host\\r\\n), "
        "0 B in, 16 B out, 0.0 ms, id -\n"
    )


async def test_all_that_a_rejected_client_got_is_counted(case):
    error, text = ProtocolError("plain HTTP"), "Ask for https:// instead."
    case.log.rejected(Rejection(("192.0.2.1", 1), error, None, text=text))
    case.log.flush()
    sent = encode_rejection(400, text).partition(b"\r\n\r\n")[2]
    assert f" 0 B in, {len(sent)} B out," in case.written[0]
    assert text.encode() in sent


async def test_an_exchange_whose_handler_breaks_has_a_line_too(case):
    async def onward(_):
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        await case.log(exchange("GET", "/x"), onward)
    case.log.flush()
    assert len(case.written) == 1
    assert "LookupError('a bug')" in case.written[0]


class Breaking:
    """What a stage behind the log does before it breaks."""

    def __init__(self, error, begin=None):
        self.error, self.begin = error, begin

    async def __call__(self, given):
        if self.begin is not None:
            await self.begin(given)
        raise self.error


async def line_of(case, onward):
    """Return what becomes of an exchange that ends as `onward` does."""
    with pytest.raises(type(onward.error)):
        await case.log(exchange("GET", "/x", host="here:8080"), onward)
    case.log.flush()
    (line,) = case.written
    return line.removeprefix("1970-01-01T00:00:01.500Z 127.0.0.1 GET here:8080 /x ")


async def test_what_breaks_before_it_is_answered_is_a_500(case):
    line = await line_of(case, Breaking(LookupError("a\nbug")))
    assert line.startswith("500 failed (RequestCreation: LookupError('a\\nbug')), 0 B in, 0 B out")


async def test_what_breaks_in_its_answer_keeps_its_status(case):
    async def begin(given):
        await given.start(206)
        await given.write(b"abc")

    line = await line_of(case, Breaking(LookupError(), begin))
    assert line.startswith("206 failed (RequestCreation: LookupError()), 0 B in, 3 B out")


async def test_what_is_cancelled_has_no_status(case):
    line = await line_of(case, Breaking(asyncio.CancelledError()))
    assert line.startswith("- failed (RequestCanceled: it was stopped before it was over), 0 B in, 0 B out")


async def test_a_line_names_the_peer_beside_another_client(case):
    given = exchange("GET", "/", client=("203.0.113.9", 0))
    given.peer = ("10.0.0.2", 40000)
    await case.run(Outcome(Kind.RESPONDED, 200), given)
    given.peer = ("", 0)
    await case.run(Outcome(Kind.RESPONDED, 200), given)
    case.log.flush()
    first, second = "".join(case.written).splitlines()
    assert " 203.0.113.9 via 10.0.0.2 GET " in first
    assert " 203.0.113.9 via unix GET " in second


async def test_a_client_that_went_away_gets_no_500(case):
    async def begin(given):
        given.stream.abort()

    line = await line_of(case, Breaking(ConnectionError("gone"), begin))
    assert line.startswith("- failed (RequestCanceled: ConnectionError('gone')), 0 B in, 0 B out")


async def test_a_line_for_machines_has_the_same_fields():
    written = []
    log = AccessLog(written.append, as_json, clock=FakeClock(1.0), now=lambda: 1.5)
    failure = Failure(Reason.REQUEST, "first\nsecond")
    given = exchange("GET", "/a?b=c", host="here:8080", headers=[("X-Request-ID", "abc")])
    given.route = LiveRoute("the route", Route("/{**rest}", "api", id="the route"))

    async def onward(_):
        return Outcome(Kind.FAILED, 502, "http://a", 1, 2, failure)

    await log(given, onward)
    log.flush()
    (line,) = written
    assert (line.count("\n"), line[-1]) == (1, "\n")
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500Z",
        "id": "abc",
        "client": "127.0.0.1",
        "peer": "127.0.0.1",
        "method": "GET",
        "host": "here:8080",
        "target": "/a?b=c",
        "status": 502,
        "outcome": "failed",
        "destination": "http://a",
        "failure": "Request: first\nsecond",
        "bytes_received": 1,
        "bytes_sent": 2,
        "duration_ms": 0.0,
        "route": "the route",
    }


async def test_the_route_is_in_the_line(case):
    given = exchange("GET", "/")
    given.route = LiveRoute("the\nroute", Route("/{**rest}", "api", id="the\nroute"))
    await case.run(Outcome(Kind.RESPONDED, 200), given)
    case.log.flush()
    assert "ms, route the\\nroute, id " in case.written[0]

"""The line per exchange."""

from __future__ import annotations

import asyncio

import pytest

from hostler.errors import Failure, Reason
from hostler.exchange import Kind, Outcome
from hostler.stages.access import AccessLog
from hostler.testing import FakeClock, exchange


class Case:
    def __init__(self):
        self.written = []
        self.clock = FakeClock(100.0)
        self.log = AccessLog(self.written.append, self.clock)

    async def run(self, outcome, given=None, seconds=0.0):
        async def onward(_):
            self.clock.advance(seconds)
            return outcome

        return await self.log(given or exchange("GET", "/a%20b?c=d", host="here:8080"), onward)


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
    assert case.written == [f"127.0.0.1 GET here:8080 /a%20b?c=d {became}, 12.5 ms\n"]


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


@pytest.mark.xfail(reason="a failure's detail is written as it is", strict=True)
async def test_a_line_break_cannot_get_into_a_line(case):
    failure = Failure(Reason.REQUEST, "first\nsecond\r\nthird")
    await case.run(Outcome(Kind.FAILED, 502, failure=failure))
    case.log.flush()
    assert case.written[0].count("\n") == 1


@pytest.mark.xfail(reason="an exchange that ends with an exception has no line", strict=True)
async def test_an_exchange_whose_handler_breaks_has_a_line_too(case):
    async def onward(_):
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        await case.log(exchange("GET", "/x"), onward)
    case.log.flush()
    assert len(case.written) == 1
    assert "LookupError('a bug')" in case.written[0]

"""What a head that may be plain costs goes with its bytes: the time is measured, with room to spare."""

from __future__ import annotations

import pytest

from hostler.http import plain
from tests.http.plain_heads import compiled
from tests.http.test_h1_cost import LINE, RUNS, SIZE, seconds

TWINS = [twin for twin in (plain, compiled) if twin is not None]

RUNS_OF_BOTH = RUNS | {
    "queries": (b"GET /?", b"?", b" HTTP/1.0"),
    "segments": (b"GET /", b"a/", b" HTTP/1.0"),
    "a Host of many": (b"GET / HTTP/1.1\r\nHost: ", b"a", b"\r\nn"),
    "a Host of blanks": (b"GET / HTTP/1.1\r\nHost:", b" ", b""),
    "lines that are dropped": (LINE, b"te:a\r\n", b"n: v"),
    "lines that are dropped, every other": (LINE, b"te:a\r\nn:v\r\n", b"n: v"),
    "lines without an end": (LINE, b"n: v\r\n", b"n: v\n\n"),
}


@pytest.mark.parametrize("heads", TWINS)
@pytest.mark.parametrize("name", RUNS_OF_BOTH)
def test_of_a_request(heads, name):
    front, run, end = RUNS_OF_BOTH[name]
    data = front + run * (SIZE // len(run)) + end + b"\r\n\r\n"
    assert seconds(lambda: heads.read_request(data, 2 * SIZE, 2 * SIZE, 2 * SIZE)) < 2


@pytest.mark.parametrize("heads", TWINS)
@pytest.mark.parametrize("name", [name for name in RUNS_OF_BOTH if RUNS_OF_BOTH[name][0].startswith(LINE)])
def test_of_a_response(heads, name):
    front, run, end = RUNS_OF_BOTH[name]
    lines = front.removeprefix(LINE) + run * (SIZE // len(run)) + end
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + lines + b"\r\n\r\n"
    assert seconds(lambda: heads.read_response(data, 2 * SIZE, 2 * SIZE)) < 2


def test_lines_over_the_limit_are_not_looked_at():
    """They would be where the time goes, in Python: a microsecond for each."""
    data = LINE + b"a:\r\n" * SIZE
    assert seconds(lambda: [plain.read_request(data, len(data), 99, 99) for _ in range(100)]) < 2

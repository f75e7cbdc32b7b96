"""What a head costs goes with its bytes, however it is made and cut: the time is measured, with room to spare."""

from __future__ import annotations

import contextlib
import time

import pytest

from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader, ResponseReader, read_lines
from hostler.http.limits import Limits

SIZE = 1 << 18
"""Bytes of a head. What takes some milliseconds in linear time takes half a minute in quadratic time."""

PIECES = 1 << 16
"""Bytes of a head that comes byte by byte, each of them some microseconds."""

LIMITS = Limits(request_line=2 * SIZE, head=2 * SIZE, headers=2 * SIZE)
LINE = b"GET / HTTP/1.1\r\nHost: a\r\n"

RUNS = {
    "a method": (b"", b"M", b" / HTTP/1.1\r\nHost: a"),
    "a method without an end": (b"", b"M", b"\r\nHost: a"),
    "a target": (b"GET /", b"t", b" HTTP/1.1\r\nHost: a"),
    "a target without an end": (b"GET /", b"t", b"\r\nHost: a"),
    "spaces in front": (b"", b" ", b""),
    "spaces for a target": (b"GET ", b" ", b" HTTP/1.1"),
    "spaces before the version": (b"GET /", b" ", b"HTTP/1.1"),
    "versions": (b"GET / ", b"HTTP/1.1 ", b""),
    "a name": (LINE, b"n", b": v"),
    "a name without a colon": (LINE, b"n", b""),
    "names in one line": (LINE, b"n ", b": v"),
    "colons": (LINE, b":", b""),
    "a value": (LINE + b"n:", b"v", b""),
    "a value with a control at its end": (LINE + b"n:", b"v", b"\0"),
    "a value of colons": (LINE + b"n:", b"n:", b"\0"),
    "a value of blanks": (LINE + b"Connection:", b" \t", b"close"),
    "bare CR": (LINE + b"n:", b"\r", b""),
    "bare LF": (LINE + b"n:", b"\n", b""),
    "LF and CR": (LINE + b"n:", b"\n\r", b""),
    "lines": (LINE, b"n: v\r\n", b"n: v"),
    "lines without a value": (LINE, b"n:\r\n", b"n: v"),
    "lines, the last without a colon": (LINE, b"n: v\r\n", b"n"),
    "lines without a colon": (LINE, b"n\r\n", b"n: v"),
    "folded lines": (LINE + b"n: v\r\n", b" v\r\n", b"n: v"),
    "lines of one Connection": (LINE, b"Connection: a, b\r\n", b"n: v"),
}
"""Heads that are long in some part: what stands in front, what is repeated, and what ends it."""


def head(name: str, size: int) -> bytes:
    front, run, end = RUNS[name]
    return front + run * (size // len(run)) + end + b"\r\n\r\n"


def seconds(work) -> float:
    """Return how many seconds of processor time `work` takes, whether or not it refuses what it is given."""
    begun = time.process_time()
    with contextlib.suppress(ProtocolError):
        work()
    return time.process_time() - begun


@pytest.mark.parametrize("name", RUNS)
def test_of_a_request(name):
    data = head(name, SIZE)
    assert seconds(lambda: RequestReader(LIMITS).feed(data)) < 2


@pytest.mark.parametrize("name", RUNS)
def test_of_a_request_in_two_pieces(name):
    data, reader = head(name, SIZE), RequestReader(LIMITS)
    assert seconds(lambda: reader.feed(data[:-3])) < 2


@pytest.mark.parametrize("name", RUNS)
def test_of_a_request_byte_by_byte(name):
    data, reader = head(name, PIECES), RequestReader(LIMITS)

    def feed() -> None:
        for index in range(len(data)):
            reader.feed(data[index : index + 1])

    assert seconds(feed) < 2


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_of_a_reason_phrase_byte_by_byte(end):
    data, reader = b"HTTP/1.1 200 " + b"r" * PIECES + end + b"\r\n\r\n", ResponseReader("GET", LIMITS)

    def feed() -> None:
        for index in range(len(data)):
            reader.feed(data[index : index + 1])

    assert seconds(feed) < 2


@pytest.mark.parametrize("name", [name for name in RUNS if RUNS[name][0].startswith(LINE)])
def test_of_a_trailer_section(name):
    section = head(name, SIZE).removeprefix(LINE)
    assert seconds(lambda: read_lines(section)) < 2

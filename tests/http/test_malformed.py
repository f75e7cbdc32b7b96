"""What a refused head is said to have wrong: which line, which character; and never a value, which may be a secret."""

from __future__ import annotations

import re

import pytest

from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader, ResponseReader, read_lines
from tests.http.heads import get, head_of, read_by_the_byte

LINE = re.compile(r"(header line \d+(?: \(\w+\))?|the request line|the version)")
FORM = ": a request line is `METHOD target HTTP/1.1`"
REQUESTS = {
    get(first=b"GET / HTTP/2.0"): "the version is HTTP/2.0, not HTTP/1.1 or HTTP/1.0",
    get(first=b"G(T / HTTP/1.1"): "the request line has '(' in its method" + FORM,
    get(first=b"GET\t/ HTTP/1.1"): "the request line has a tab in its method" + FORM,
    get(first=b" / HTTP/1.1"): "the request line has a space where its method should begin" + FORM,
    get(first=b"GET  / HTTP/1.1"): "the request line has a space where its target should begin" + FORM,
    get(first=b"GET /\xe9 HTTP/1.1"): "the request line has the byte E9 in its target" + FORM,
    get(first=b"GET /\x7f HTTP/1.1"): "the request line has DEL in its target" + FORM,
    get(first=b"GET / HTTP/11"): "the request line ends in b'HTTP/11'" + FORM,
    b"\x16\x03\x01\x02": "the request line is a TLS handshake, and this port is for plain HTTP: ask for http://, or listen on https://",
    get(b"X : a"): "header line 2 (X) has a blank before its colon",
    get(b"X Y: a"): "header line 2 (X) has a space in its name",
    get(b"X\xe9: a"): "header line 2 (X) has the byte E9 in its name",
    get(b"X\0: a"): "header line 2 (X) has NUL in its name",
    get(b": a"): "header line 2 has no name",
    get(b"X: a", b" b"): "header line 3 begins with a blank: folded lines are obsolete",
    get(b"X: a\nY: b"): "header line 2 (X) holds a bare LF",
    get(b"X: a\rb"): "header line 2 (X) holds a bare CR",
    get(b"X: a", b"Authorization: secret\0"): "header line 3 (Authorization) holds NUL",
    get(b"X" * 50 + b": \x1b"): f"header line 2 ({'X' * 40}) holds the byte 1B",
}
WHOLE_LINES = {
    get(first=b"GET"): "the request line ends in its method" + FORM,
    get(first=b"GET "): "the request line has no target" + FORM,
    get(first=b"GET /"): "the request line ends in its target" + FORM,
    get(b"X"): "header line 2 (X) has no colon",
}
RESPONSES = {
    b"ICY 200 OK\r\n\r\n": "the destination does not answer in HTTP/1.1: its answer begins b'ICY 200 '",
    b"HTTP/1.1 200 O\x1bK\r\n\r\n": "the destination's reason phrase holds the byte 1B",
    b"HTTP/1.1 200OK\r\n\r\n": "the destination's status line has b' 200O' where a space and a status from 100 to 999 should be",
    b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n": "header line 1 (X) has a blank before its colon",
}  # fmt: skip


@pytest.mark.parametrize("data", [*REQUESTS, *WHOLE_LINES], ids=repr)
def test_of_a_request(data):
    with pytest.raises(ProtocolError) as caught:
        RequestReader().feed(data)
    assert str(caught.value) == (REQUESTS | WHOLE_LINES)[data]


@pytest.mark.parametrize("data", REQUESTS, ids=repr)
def test_of_a_request_that_comes_byte_by_byte(data):
    """The same line is named, by what has come of it: a blank in a name may have been one before the colon."""
    with pytest.raises(ProtocolError) as caught:
        read_by_the_byte(RequestReader(), data)
    (line,) = LINE.match(REQUESTS[data]).groups()
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize("data", RESPONSES, ids=repr)
def test_of_a_response(data):
    with pytest.raises(ProtocolError) as caught:
        ResponseReader("GET").feed(data)
    assert str(caught.value) == RESPONSES[data]


def test_of_a_trailer_section():
    with pytest.raises(ProtocolError, match=r"^trailer line 2 \(B\) holds NUL$"):
        read_lines(head_of(b"A: b", b"B: \0"))

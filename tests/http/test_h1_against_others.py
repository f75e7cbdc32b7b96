"""The readers of heads beside llhttp and h11: what ours accepts they accept, and it means the same.

Each head of which that does not hold, and each that one of them accepts and ours refuses, has its reason in a table here.
Both of them put up with more than RFC 9112 asks, and in different ways, which is how requests are smuggled.
"""

from __future__ import annotations

import re

import h11
import httptools
import pytest
from attrs import frozen
from hypothesis import example, given

from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader, ResponseReader
from tests.http.heads import get, head_of
from tests.http.mutations import REQUESTS, RESPONSES, composed_requests, composed_responses, mutated
from tests.http.test_h1_properties import many

OK = b"HTTP/1.1 200 OK"


@frozen
class Refused:
    """Why a head is refused, in the reader's own words."""

    why: str


@frozen
class Read:
    """What a head means: method and target, or status and reason; the version; and the header pairs."""

    first: tuple[object, bytes]
    version: str
    pairs: list[tuple[bytes, bytes]]


class _Llhttp:
    """What httptools calls when it parses a head."""

    def __init__(self, parser):
        self.parser = parser(self)
        self.text = b""
        self.pairs = []
        self.read = None

    def on_url(self, url):
        self.text += url

    def on_status(self, reason):
        self.text += reason

    def on_header(self, name, value):
        self.pairs.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self):
        code = getattr(self.parser, "get_method", None) or self.parser.get_status_code
        self.read = Read((code(), self.text), self.parser.get_http_version(), self.pairs[:])


def _llhttp(parser, data, **lenient):
    llhttp = _Llhttp(parser)
    if lenient:
        llhttp.parser.set_dangerous_leniencies(**lenient)
    try:
        llhttp.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        return llhttp.read or Refused(str(error))  # what is wrong behind a head is not the head's
    return llhttp.read


def _h11(connection, data):
    connection.receive_data(data)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        return Refused(str(error))
    match event:
        case h11.Request():
            first = event.method, event.target
        case h11.Response() | h11.InformationalResponse():
            first = event.status_code, event.reason
        case _:
            return None
    return Read(first, event.http_version.decode(), list(event.headers.raw_items()))


def _h11_client():
    connection = h11.Connection(h11.CLIENT)
    offer = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "a")]
    connection.send(h11.Request(method="GET", target="/", headers=offer))
    connection.send(h11.EndOfMessage())
    return connection


REQUEST_READERS = {
    "llhttp": lambda data: _llhttp(httptools.HttpRequestParser, data),
    "h11": lambda data: _h11(h11.Connection(h11.SERVER), data),
}
RESPONSE_READERS = {
    "llhttp": lambda data: _llhttp(httptools.HttpResponseParser, data, lenient_chunked_length=True),
    "h11": lambda data: _h11(_h11_client(), data),
}


def read_request(data):
    """Return what our reader makes of a head, and the head."""
    reader = RequestReader()
    try:
        request = reader.feed(data)
    except ProtocolError as error:
        return Refused(str(error)), b""
    if request is None:
        return None, b""
    version = f"{request.version / 10:.1f}"
    return Read((request.method.encode(), request.target), version, request.headers.pairs()), reader.head


def read_response(data):
    """Return what our reader makes of a head, and the head."""
    reader = ResponseReader("GET")
    try:
        response = reader.feed(data)
    except ProtocolError as error:
        return Refused(str(error)), b""
    if response is None:
        return None, b""
    version = f"{response.version / 10:.1f}"
    return Read((response.status, response.reason or b""), version, response.headers.pairs()), reader.head


def lowered(read):
    """Leave the case of a coding out of account: h11 gives it in lower case."""
    pairs = [
        (name, value.lower() if name.lower() == b"transfer-encoding" else value) for name, value in read.pairs
    ]
    return Read(read.first, read.version, pairs)


ONLY_OURS = {
    ("llhttp", r"Invalid method|Expected space after method|Expected HTTP/2 Connection Preface"): (
        "any token is a method; llhttp has a list",
        get(first=b"FOO / HTTP/1.1"),
        get(first=b"GETS / HTTP/1.1"),
        get(first=b"get / HTTP/1.1"),
        get(first=b"DESCRIBE / HTTP/1.1"),
        get(first=b"PRI / HTTP/1.1"),
    ),
    ("llhttp", r"Unexpected (start )?char in url|Invalid characters in url"): (
        "what a target may be is for hostler.http.target to say",
        get(first=b"GET a HTTP/1.1"),
        get(first=b"GET @ HTTP/1.1"),
        get(first=b"GET a.example:80 HTTP/1.1"),
    ),
}
"""What ours accepts and another refuses: who and with which words, and why; examples."""

CONTROLS = r"(DEL|the byte (0[1-8EF]|1[0-9A-F]))$"
ONLY_THEIRS = {
    ("h11", r"header line \d+ \(.*\) holds " + CONTROLS): (
        "a control in a value",
        get(b"X: \x01"),
        get(b"X: \x7f"),
    ),
    ("h11", r"(holds a bare LF|has a bare LF in its name|HTTP/\d\.\d\\n.*)"): (
        "lines that end in a bare LF",
        get(b"X: y\nY: z"),
        get()[:-2] + b"\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    ),
    ("h11", r"folded lines are obsolete"): ("a folded line", get(b"X: y", b" z")),
    ("llhttp", r"the request line has a bare (CR|LF) where its method should begin"): (
        "half of an empty line in front",
        b"\n" + get(),
        b"\r" + get(),
    ),
    ("llhttp", r"has a space where its target should begin|ends in b' +HTTP/"): (
        "several spaces between the parts of the request line",
        get(first=b"GET  / HTTP/1.1"),
        get(first=b"GET /  HTTP/1.1"),
    ),
    ("llhttp", r"the request line (ends in its target|has a bare LF in its target)"): (
        "HTTP/0.9, of which no head is over",
        b"GET /\r\nHost: a\r\n\r\n",
        b"GET /\nHost: a\r\n\r\n",
    ),
    ("llhttp h11", r"the version is HTTP/"): ("another version", get(first=b"GET / HTTP/0.9")),
    ("llhttp", r"ends in b' *(RTSP|ICE)/"): (
        "another protocol",
        get(first=b"SOURCE / ICE/1.0"),
        get(first=b"DESCRIBE / RTSP/1.0"),
    ),
    ("llhttp", r"no Host header|several Host headers"): (
        "RFC 9112 3.2",
        head_of(b"GET / HTTP/1.1"),
        get(b"Host: b"),
    ),
    ("llhttp h11", r"Transfer-Encoding in HTTP/1.0"): (
        "RFC 9112 6.1",
        get(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"),
    ),
    ("llhttp", r"Transfer-Encoding (is more than chunked|does not end in one chunked)"): (
        "codings that nobody decodes here, or that do not say where the body ends",
        get(b"Transfer-Encoding: gzip, chunked"),
    ),
    ("h11", r"Content-Length (is repeated|is not a number|beside Transfer-Encoding)"): (
        "lengths that are equal, and a coding that counts more, are no excuse in a request",
        get(b"Content-Length: 5", b"Content-Length: 5"),
        get(b"Content-Length: 5, 5"),
        get(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    ),
    ("llhttp", r"Content-Length is not a number, or larger than any body"): (
        "a length of 19 digits",
        get(b"Content-Length: 9999999999999999999"),
    ),
}
"""Requests that others accept and ours refuses: who, and with which words of ours; what they are; examples."""

ONLY_THEIR_RESPONSES = {
    ("llhttp h11", r"reason phrase holds " + CONTROLS): (
        "a control in the reason",
        OK[:-1] + b"\x1b\r\n\r\n",
    ),
    ("llhttp", r"reason phrase holds NUL|reason phrase holds the byte 0[BC]"): (
        "controls that h11 refuses in the reason too",
        OK + b"\0\r\n\r\n",
        OK + b"\x0b\r\n\r\n",
    ),
    ("h11", r"header line \d+ \(.*\) holds " + CONTROLS): ("a control in a value", head_of(OK, b"X: \x01")),
    ("h11", r"holds a bare LF|has a bare LF in its name|has b' \d\d\d\\n.*' where"): (
        "lines that end in a bare LF",
        OK + b"\nX: y\r\n\r\n",
        b"HTTP/1.1 200\nX: y\r\n\r\n",
        head_of(OK, b"X: y\nY: z"),
        OK + b"\r\n\n",
    ),
    ("h11", r"folded lines are obsolete"): ("a folded line", head_of(OK, b"X: y", b" z")),
    ("llhttp h11", r"does not answer in HTTP/1\.1"): (
        "another version, or another protocol",
        head_of(b"HTTP/0.9 200 OK"),
    ),
    ("llhttp", r"an empty line in front|its answer begins b'\\n"): (
        "something in front",
        b"\r\n" + head_of(OK),
        b"\n" + head_of(OK),
    ),
    ("llhttp", r"where a space and a status from 100"): ("a status below 100", head_of(b"HTTP/1.1 099 X")),
    ("llhttp", r"the response's Transfer-Encoding is not chunked"): (
        "codings that nobody decodes here",
        head_of(OK, b"Transfer-Encoding: gzip"),
    ),
    ("llhttp h11", r"Transfer-Encoding in an HTTP/1\.0 response"): (
        "RFC 9112 6.1",
        head_of(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked"),
    ),
    ("h11", r"the response's Content-Length is repeated|Content-Length is not a number"): (
        "lengths that are equal",
        head_of(OK, b"Content-Length: 5", b"Content-Length: 5"),
        head_of(OK, b"Content-Length: 5, 5"),
    ),
    ("llhttp h11", r"Content-Length is not a number, or larger than any body"): (
        "a length of 19 digits",
        head_of(OK, b"Content-Length: 9999999999999999999"),
    ),
}
"""Responses that others accept and ours refuses."""


def is_listed(table, name, reason):
    return any(name in names.split() and re.search(pattern, reason) for names, pattern in table)


def rows(table):
    return [
        pytest.param(name, pattern, data, id=f"{name}: {data!r}")
        for (names, pattern), (_, *examples) in table.items()
        for name in names.split()
        for data in examples
    ]


class TestRequest:
    @many
    @given(data=composed_requests | mutated(REQUESTS))
    @example(data=b"PRI / HTTP/1.0\r\n\r\n")
    def test_means_what_it_means_to_others_or_the_table_says_why(self, data):
        ours, head = read_request(data)
        for name, reader in REQUEST_READERS.items():
            theirs = reader(head or data)
            if isinstance(ours, Read):
                if isinstance(theirs, Read):
                    assert lowered(theirs) == lowered(ours)
                elif theirs is None:  # llhttp reads on for the preface of HTTP/2
                    assert (name, ours.first[0]) == ("llhttp", b"PRI")
                else:
                    assert is_listed(ONLY_OURS, name, theirs.why)
            elif isinstance(theirs, Read):
                assert ours is not None
                assert is_listed(ONLY_THEIRS, name, ours.why)

    @pytest.mark.parametrize(("name", "pattern", "data"), rows(ONLY_OURS))
    def test_that_only_ours_accepts(self, name, pattern, data):
        assert isinstance(read_request(data)[0], Read)
        assert re.search(pattern, REQUEST_READERS[name](data).why)

    @pytest.mark.parametrize(("name", "pattern", "data"), rows(ONLY_THEIRS))
    def test_that_only_theirs_accept(self, name, pattern, data):
        assert isinstance(REQUEST_READERS[name](data), Read)
        assert re.search(pattern, read_request(data)[0].why)


class TestResponse:
    @many
    @given(data=composed_responses | mutated(RESPONSES))
    def test_means_what_it_means_to_others_or_the_table_says_why(self, data):
        ours, head = read_response(data)
        for name, reader in RESPONSE_READERS.items():
            theirs = reader(head or data)
            if isinstance(ours, Read):
                # a Content-Length beside Transfer-Encoding is dropped (RFC 9112 6.3, rule 3)
                if b"transfer-encoding" in {key.lower() for key, _ in theirs.pairs}:
                    theirs.pairs[:] = [pair for pair in theirs.pairs if pair[0].lower() != b"content-length"]
                assert lowered(theirs) == lowered(ours)
            elif isinstance(theirs, Read):
                assert ours is not None
                assert is_listed(ONLY_THEIR_RESPONSES, name, ours.why)

    @pytest.mark.parametrize(("name", "pattern", "data"), rows(ONLY_THEIR_RESPONSES))
    def test_that_only_theirs_accept(self, name, pattern, data):
        assert isinstance(RESPONSE_READERS[name](data), Read)
        assert re.search(pattern, read_response(data)[0].why)

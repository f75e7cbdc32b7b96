"""Heads of HTTP/1.1 as hostler writes them: values in, bytes out (RFC 9112)."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.body import (
    encode_last_chunk,
)
from hostler.http.encode import encode_request, encode_response
from hostler.http.h1 import RequestReader
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Request


def encoded(method, target, raw):
    return encode_request(Request(method, target, Headers(raw)))


class TestEncoding:
    def test_request(self):
        raw = [(b"Host", b"a"), (b"X", b"caf\xe9"), (b"Empty", b"")]
        assert encoded("GET", b"/a?b", raw) == (
            b"GET /a?b HTTP/1.1\r\nHost: a\r\nX: caf\xe9\r\nEmpty: \r\n\r\n"
        )

    def test_lines_that_nobody_changed_are_written_as_they_came(self):
        head = b"GET / HTTP/1.0\r\nhOST:a\r\nX:  1 \r\n\r\n"
        request = RequestReader().feed(head)
        assert encode_request(request) == head
        assert request.headers.lines is not None

    @pytest.mark.parametrize(
        ("attributes", "lines"),
        [
            ({"framing": CHUNKED}, b"Transfer-Encoding: chunked\r\n"),
            ({"upgrade": b"websocket"}, b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
            ({"framing": 5}, b""),
            ({"keep_alive": False}, b""),
        ],
    )
    @pytest.mark.parametrize("headers", [Headers([(b"A", b"b")]), Headers(None, {b"a": b"A: b"})])
    def test_framing_and_upgrade_are_written_where_the_headers_do_not_say_them(
        self, headers, attributes, lines
    ):
        request = Request("GET", b"/", headers, **attributes)
        assert encode_request(request) == b"GET / HTTP/1.1\r\nA: b\r\n" + lines + b"\r\n"
        assert headers.pairs() == [(b"A", b"b")]

    def test_framing_and_upgrade_are_written_once(self):
        raw = [(b"transfer-encoding", b"Chunked"), (b"Connection", b"upgrade"), (b"UPGRADE", b"x")]
        request = Request("GET", b"/", Headers(raw), framing=CHUNKED, upgrade=b"x")
        assert RequestReader().feed(encode_request(request)[:-2] + b"Host: a\r\n\r\n").headers.raw[:3] == raw

    def test_an_upgrade_that_would_break_the_head_is_refused(self):
        with pytest.raises(ProtocolError):
            encode_request(Request("GET", b"/", Headers(None, {}), upgrade=b"x\r\nA: b"))

    def test_request_of_an_unusual_method(self):
        assert encoded("M-SEARCH", b"*", []) == b"M-SEARCH * HTTP/1.1\r\n\r\n"

    @pytest.mark.parametrize(
        ("status", "reason", "line"),
        [
            (200, None, b"HTTP/1.1 200 OK"),
            (404, b"Gone Fishing", b"HTTP/1.1 404 Gone Fishing"),
            (200, b"", b"HTTP/1.1 200 "),
            (299, None, b"HTTP/1.1 299 "),
            (999, None, b"HTTP/1.1 999 "),
        ],
        ids=repr,
    )
    def test_response(self, status, reason, line):
        assert encode_response(status, [(b"A", b"b")], reason) == line + b"\r\nA: b\r\n\r\n"

    def test_no_headers(self):
        assert encode_response(200, []) == b"HTTP/1.1 200 OK\r\n\r\n"

    @pytest.mark.parametrize("status", [-1, 0, 99, 1000])
    def test_status_has_three_digits(self, status):
        with pytest.raises(ProtocolError):
            encode_response(status, [])

    @pytest.mark.parametrize("reason", [b"a\r\nB: c", b"a\n", b"a\r", b"\0"], ids=repr)
    def test_reason_is_one_line(self, reason):
        with pytest.raises(ProtocolError):
            encode_response(200, [], reason)

    @pytest.mark.parametrize(
        "name",
        [b"", b" ", b"a b", b" a", b"a ", b"\ta", b"a:b", b"a:", b":a", b"a\r\nb", b"a\0", b"a\xe9", b"a(b", b"Transfer-Encoding\x0b"],
        ids=repr,
    )  # fmt: skip
    def test_a_name_is_a_token(self, name):
        for raw in ([(name, b"x")], [(b"A", b"b"), (name, b"x")]):
            with pytest.raises(ProtocolError):
                encode_response(200, raw)
            with pytest.raises(ProtocolError):
                encoded("GET", b"/", raw)
            with pytest.raises(ProtocolError):
                encode_last_chunk(raw)

    @pytest.mark.parametrize("value", [b"\r\n", b"a\r\nB: c", b"a\nb", b"a\rb", b"\0", b"\r\n b"], ids=repr)
    def test_a_value_is_one_line(self, value):
        with pytest.raises(ProtocolError):
            encode_response(200, [(b"A", value)])
        with pytest.raises(ProtocolError):
            encode_last_chunk([(b"A", value)])

    @pytest.mark.parametrize("method", ["", "G ET", "GET ", "G\r\nET", "G;ET", "G\u00c9T", "GET /"], ids=repr)
    def test_a_method_is_a_token(self, method):
        with pytest.raises(ProtocolError):
            encoded(method, b"/", [])

    @pytest.mark.parametrize(
        "target",
        [b"", b"/a b", b"/ HTTP/1.1\r\nA: b", b"/\t", b"/\0", b"/\xe9", b"/\n", b"/ HTTP/1.1"],
        ids=repr,
    )
    def test_a_target_is_visible_ascii(self, target):
        with pytest.raises(ProtocolError):
            encoded("GET", target, [])

    def test_names_are_accepted_however_many_there_were(self):
        for number in range(5000):
            encode_response(200, [(b"x-%d" % number, b"y")])
        with pytest.raises(ProtocolError):
            encode_response(200, [(b"x 1", b"y")])

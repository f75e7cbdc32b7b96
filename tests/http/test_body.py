"""Bodies as a playbook: bytes in, payload out, by the rules of RFC 9112 6 and 7."""

from __future__ import annotations

import re
import sys

import pytest

from hostler.errors import ProtocolError
from hostler.http.body import (
    ChunkedBody,
    ClosingBody,
    LengthBody,
    body_reader,
    encode_chunk,
    encode_last_chunk,
    measure_body,
    whole_chunks,
)
from hostler.http.headers import Headers
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED, UNTIL_CLOSE, Request


def body(reader, *pieces: bytes) -> bytes:
    """Feed pieces; return the payload."""
    return b"".join(map(reader.feed, pieces))


class TestLengthBody:
    def test_zero_is_no_body(self):
        assert LengthBody(0).complete

    def test_zero_leaves_everything(self):
        reader = LengthBody(0)
        assert reader.feed(b"next") == b""
        assert (reader.complete, reader.unread) == (True, b"next")

    def test_whole(self):
        reader = LengthBody(5)
        data = b"hello"
        assert reader.feed(data) is data
        assert (reader.complete, reader.unread, reader.trailers) == (True, b"", [])

    def test_in_pieces_with_rest(self):
        reader = LengthBody(5)
        assert body(reader, b"he", b"", b"l") == b"hel"
        assert (reader.complete, reader.remaining) == (False, 2)
        assert body(reader, b"lonext") == b"lo"
        assert (reader.complete, reader.unread) == (True, b"next")

    def test_nothing_in_nothing_out(self):
        assert LengthBody(0).feed(b"") == b""


CHUNKED_BODIES = [
    b"2\r\nok\r\n0\r\n\r\n",
    b"002\r\nok\r\n0\r\n\r\n",
    b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"2;a=b\r\nok\r\n0\r\n\r\n",
    b"2\r\nok\r\n0\r\na: b\r\n\r\n",
    b"2\r\nok\r\n0\r\n\r\nmore",
    b"2\r\nok\r\n00\r\n\r\n",
    b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    b"+2\r\nok\r\n0\r\n\r\n",
    b" 2\r\nok\r\n0\r\n\r\n",
    b"-1\r\nok\r\n0\r\n\r\n",
    b"\r\nok\r\n0\r\n\r\n",
    b"2\nok\r\n0\r\n\r\n",
    b"2\r\no\r\n0\r\n\r\n",
    b"2\r\n\r\n0\r\n\r\n",
    b"",
]


def check_whole_chunks(data, before=b"head"):
    """Hold it to what a reader says of the same bytes; return what it says."""
    reader = ChunkedBody()
    try:
        payload = whole_chunks(before + data, len(before))
    except ProtocolError as error:
        with pytest.raises(ProtocolError, match=re.escape(str(error))):
            reader.feed(data)
        return None
    if payload is not None:
        assert reader.feed(data) == payload
        assert (reader.complete, reader.unread, reader.trailers) == (True, b"", [])
    return payload


@pytest.mark.parametrize("data", CHUNKED_BODIES)
def test_a_whole_body_in_chunks_is_read_as_any_or_left_to_the_reader(data):
    check_whole_chunks(data)
    for position in range(len(data)):
        for byte in b"0123aF\r\n; \x00":
            check_whole_chunks(data[:position] + bytes([byte]) + data[position + 1 :])
        check_whole_chunks(data[:position] + data[position + 1 :])
        check_whole_chunks(data[:position])


@pytest.mark.parametrize("size", [1, 2, 15, 16, 255, 4096])
def test_a_whole_body_in_a_few_chunks_is_read_at_once(size):
    data = b"a" * size
    end = encode_last_chunk([])
    assert check_whole_chunks(end) == b""
    assert check_whole_chunks(encode_chunk(data) * 8 + end) == data * 8
    assert check_whole_chunks(encode_chunk(data) * 9 + end) is None
    assert check_whole_chunks(encode_chunk(data) + encode_last_chunk([])) == data
    assert check_whole_chunks(encode_chunk(data).upper() + encode_last_chunk([])) == data.upper()


class TestClosingBody:
    def test_ends_when_somebody_says_so(self):
        reader = ClosingBody()
        assert body(reader, b"a", b"", b"b") == b"ab"
        assert (reader.complete, reader.unread, reader.trailers) == (False, b"", [])


@pytest.mark.parametrize(
    ("framing", "kind"),
    [(0, LengthBody), (5, LengthBody), (CHUNKED, ChunkedBody), (UNTIL_CLOSE, ClosingBody)],
)
def test_a_framing_has_its_reader(framing, kind):
    assert type(body_reader(framing)) is kind


WELL_CHUNKED = {
    "nothing": (b"0\r\n\r\n", b""),
    "one": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "two": (b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"hello!"),
    "upper case": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "lower case": (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "leading zeros": (b"005\r\nhello\r\n0\r\n\r\n", b"hello"),
    "several zeros for the last": (b"1\r\nx\r\n000\r\n\r\n", b"x"),
    "payload like framing": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    "extension": (b"5;a\r\nhello\r\n0\r\n\r\n", b"hello"),
    "extension with a value": (b"5;a=b\r\nhello\r\n0;c=d\r\n\r\n", b"hello"),
    "extension in quotes": (b'5;a="b \\" ;\xe9"\r\nhello\r\n0\r\n\r\n', b"hello"),
    "extensions": (b'5;a;b=c;d="e"\r\nhello\r\n0\r\n\r\n', b"hello"),
}

ILL_CHUNKED = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"1_0\r\nhello",
    "blank before": b" 5\r\nhello\r\n0\r\n\r\n",
    "blank after": b"5 \r\nhello\r\n0\r\n\r\n",
    "tab after": b"5\t\r\nhello\r\n0\r\n\r\n",
    "no hex": b"g\r\nhello\r\n0\r\n\r\n",
    "16 digits": b"0000000000000005\r\nhello\r\n0\r\n\r\n",
    "over 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "no CRLF after the data": b"5\r\nhello0\r\n\r\n",
    "more data than the size": b"5\r\nhello!\r\n0\r\n\r\n",
    "CR only after the data": b"5\r\nhello\r0\r\n\r\n",
    "LF only after the data": b"5\r\nhello\n0\r\n\r\n",
    "LF only after the size": b"5\nhello\r\n0\r\n\r\n",
    "CR only after the size": b"5\rhello\r\n0\r\n\r\n",
    "two CRs after the size": b"5\r\r\nhello\r\n0\r\n\r\n",
    "LF only after the last": b"0\n\r\n",
    "LF only at the end": b"0\r\n\n",
    "CR only at the end": b"0\r\n\rx\r\n\r\n",
    "NUL in an extension": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "DEL in an extension": b'5;a="\x7f"\r\nhello\r\n0\r\n\r\n',
    "no extension after the semicolon": b"5;\r\nhello\r\n0\r\n\r\n",
    "blank before the extension": b"5; a\r\nhello\r\n0\r\n\r\n",
    "blank before the semicolon": b"5 ;a\r\nhello\r\n0\r\n\r\n",
    "no value in an extension": b"5;a=\r\nhello\r\n0\r\n\r\n",
    "open quotes in an extension": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "only an extension": b";a\r\nhello\r\n0\r\n\r\n",
    "overlong size line": b"5;" + b"a" * 1024 + b"\r\nhello\r\n0\r\n\r\n",
    "endless size line": b"5;" + b"a" * 1024,
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "space before a trailer's colon": b"0\r\nA : b\r\n\r\n",
    "trailer without a colon": b"0\r\nA\r\n\r\n",
    "LF after a trailer": b"0\r\nA: b\nC: d\r\n\r\n",
    "CR in a trailer": b"0\r\nA: b\rC: d\r\n\r\n",
    "NUL in a trailer": b"0\r\nA: \0\r\n\r\n",
}


class TestChunkedBody:
    @pytest.mark.parametrize("name", WELL_CHUNKED)
    def test_is_read_whole(self, name):
        data, payload = WELL_CHUNKED[name]
        reader = ChunkedBody()
        assert body(reader, data + b"GET") == payload
        assert (reader.complete, reader.unread, reader.trailers) == (True, b"GET", [])

    @pytest.mark.parametrize("name", WELL_CHUNKED)
    def test_is_read_wherever_it_is_cut(self, name):
        data, payload = WELL_CHUNKED[name]
        for cut in range(len(data)):
            reader = ChunkedBody()
            first = body(reader, data[:cut])
            assert not reader.complete
            assert first + body(reader, data[cut:] + b"next") == payload
            assert (reader.complete, reader.unread) == (True, b"next")

    @pytest.mark.parametrize("name", ILL_CHUNKED)
    def test_is_refused(self, name):
        with pytest.raises(ProtocolError):
            ChunkedBody().feed(ILL_CHUNKED[name])

    @pytest.mark.parametrize("name", ILL_CHUNKED)
    def test_is_refused_byte_by_byte(self, name):
        reader = ChunkedBody()
        with pytest.raises(ProtocolError):
            for index in range(len(ILL_CHUNKED[name])):
                reader.feed(ILL_CHUNKED[name][index : index + 1])

    @pytest.mark.parametrize(
        "data",
        [b"x", b"+", b" ", b"\r", b"5 ", b"5\rx", b"5\n", b";", b"1\r\nab", b"0\r\n\n", b"0\r\nA: b\n"],
        ids=repr,
    )
    def test_is_refused_at_once(self, data):
        with pytest.raises(ProtocolError):
            ChunkedBody().feed(data)

    def test_a_piece_within_a_chunk_is_not_copied(self):
        reader = ChunkedBody()
        reader.feed(b"ff\r\n")
        data = b"x" * 100
        assert reader.feed(data) is data

    @pytest.mark.parametrize("chunks", [b"1\r\nx\r\n", b"1\r\nx\r\n2\r\nyz\r\n", b"01\r\nx\r\n"], ids=repr)
    def test_small_chunks_cost_no_call_each(self, chunks):
        data, calls = chunks * 1000, []
        sys.setprofile(lambda frame, event, argument: calls.append(event))
        try:
            payload = ChunkedBody().feed(data)
        finally:
            sys.setprofile(None)
        assert len(payload) in {1000, 3000}
        assert len(calls) < 100

    def test_a_size_line_at_the_limit_passes(self):
        reader = ChunkedBody()
        line = b"1;" + b"a" * 1020
        assert body(reader, line, b"\r\nx\r\n0\r\n\r\n") == b"x"
        assert reader.complete

    def test_a_size_of_15_digits_passes(self):
        reader = ChunkedBody()
        assert body(reader, b"fffffffffffffff\r\nxy") == b"xy"
        assert not reader.complete

    def test_nothing_after_the_end_is_touched(self):
        reader = ChunkedBody()
        reader.feed(b"0\r\nA: b\r\n\r\n0\r\n\r\n")
        assert (reader.complete, reader.unread) == (True, b"0\r\n\r\n")


class TestTrailers:
    def test_come_with_the_end(self):
        reader = ChunkedBody()
        assert body(reader, b"1\r\nx\r\n0\r\nX-Sum: 1 \r\nVia:\r\n\r\nnext") == b"x"
        assert reader.trailers == [(b"X-Sum", b"1"), (b"Via", b"")]
        assert (reader.complete, reader.unread) == (True, b"next")

    def test_come_wherever_they_are_cut(self):
        data = b"0\r\nX-Sum: 1\r\nY: z\r\n\r\n"
        for cut in range(len(data)):
            reader = ChunkedBody()
            reader.feed(data[:cut])
            assert not reader.complete
            reader.feed(data[cut:])
            assert reader.complete
            assert reader.trailers == [(b"X-Sum", b"1"), (b"Y", b"z")]

    @pytest.mark.parametrize(
        "line",
        [b"Transfer-Encoding: gzip", b"transfer-encoding: chunked", b"Content-Length: 5", b"Host: b", b"Connection: close",
         b"Trailer: X", b"Set-Cookie: a=b", b"Authorization: x", b"Content-Type: a/b", b"Upgrade: h2c",
         b"Proxy-Authorization: x", b"proxy-connection: close", b"HTTP2-Settings: x", b"Cookie: a=b", b"Range: bytes=0-",
         b"If-Match: *", b"Cache-Control: no-store", b"Location: /", b"TE: trailers", b"Keep-Alive: 5", b"X-Forwarded-For: a",
         b"forwarded: for=a"],
        ids=repr,
    )  # fmt: skip
    def test_that_must_not_be_there_are_dropped(self, line):
        reader = ChunkedBody()
        reader.feed(b"0\r\nA: b\r\n" + line + b"\r\n\r\n")
        assert reader.complete
        assert reader.trailers == [(b"A", b"b")]

    def test_at_the_limit_pass_however_cut(self):
        line = b"A: " + b"b" * 17
        for size in range(1, 10):
            reader = ChunkedBody(Limits(trailers=20))
            data = b"0\r\n" + line + b"\r\n\r\n"
            for start in range(0, len(data), size):
                reader.feed(data[start : start + size])
            assert reader.complete

    @pytest.mark.parametrize("end", [b"\r\n\r\n", b"", b"\r\n\r"], ids=repr)
    def test_over_the_limit_are_431(self, end):
        data = b"0\r\nA: " + b"b" * (18 if end == b"\r\n\r\n" else 21) + end
        with pytest.raises(ProtocolError, match="trailer") as caught:
            ChunkedBody(Limits(trailers=20)).feed(data)
        assert caught.value.status == 431

    def test_too_many_are_431(self):
        with pytest.raises(ProtocolError) as caught:
            ChunkedBody(Limits(headers=2)).feed(b"0\r\n" + b"A: b\r\n" * 3 + b"\r\n")
        assert caught.value.status == 431

    def test_may_be_longer_than_a_head_may_be(self):
        reader = ChunkedBody(Limits(head=10, request_line=10))
        reader.feed(b"0\r\nA: %s\r\n\r\n" % (b"b" * 100))
        assert reader.complete

    def test_of_one_body_are_not_those_of_another(self):
        LengthBody(0).trailers.append((b"A", b"b"))
        assert LengthBody(0).trailers == []


class TestEncoding:
    def test_chunk(self):
        assert encode_chunk(b"hello world") == b"b\r\nhello world\r\n"

    def test_last_chunk(self):
        assert encode_last_chunk([]) == b"0\r\n\r\n"
        assert encode_last_chunk([(b"A", b"b"), (b"C", b"")]) == b"0\r\nA: b\r\nC: \r\n\r\n"

    def test_what_is_encoded_is_read(self):
        reader = ChunkedBody()
        data = encode_chunk(b"x" * 300) + encode_chunk(b"y") + encode_last_chunk([(b"A", b"b")])
        assert body(reader, data) == b"x" * 300 + b"y"
        assert reader.trailers == [(b"A", b"b")]


# -- the end of the connection ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framing", "data", "complete"),
    [
        (5, b"12345", True),
        (5, b"1234", False),
        (0, b"", True),
        (CHUNKED, b"1\r\na\r\n0\r\n\r\n", True),
        (CHUNKED, b"1\r\na\r\n0\r\n", False),
        (CHUNKED, b"", False),
        (UNTIL_CLOSE, b"", True),
        (UNTIL_CLOSE, b"any", True),
    ],
)
def test_the_end_of_the_connection_completes_a_body_or_breaks_it(framing, data, complete):
    reader = body_reader(framing)
    reader.feed(data)
    if complete:
        reader.end()
    else:
        with pytest.raises(ProtocolError, match="the body ends before its"):
            reader.end()
    assert reader.complete is complete


# -- a body among the bytes behind a head -----------------------------------------------------------------------------


def request(framing, upgrade=None):
    made = Request("POST", b"/", Headers(), 11)
    made.framing, made.upgrade = framing, upgrade
    return made


@pytest.mark.parametrize(
    ("framing", "data", "expected"),
    [
        (0, b"", (0, True)),
        (0, b"GET / HTTP/1.1", (0, True)),
        (4, b"bodyGET", (4, True)),
        (4, b"body", (4, True)),
        (4, b"bod", (3, False)),
        (CHUNKED, b"1\r\na\r\n0\r\n\r\nGET", (11, True)),
        (CHUNKED, b"1\r\na\r\n0\r\nX: y\r\n\r\nGET", (17, True)),
        (CHUNKED, b"1\r\na\r\n0\r", (8, False)),
        (CHUNKED, b"zz\r\nGET", (7, False)),
        (CHUNKED, b"", (0, False)),
    ],
)
def test_a_body_is_measured_among_the_bytes_that_came(framing, data, expected):
    assert measure_body(data, request(framing)) == expected


def test_all_that_follows_an_offer_to_upgrade_is_for_whoever_answers():
    assert measure_body(b"frames", request(0, b"websocket")) == (6, False)

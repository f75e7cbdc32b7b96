"""What holds for any bytes: cuts change nothing, only ProtocolError comes out, llhttp is never stricter than us."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hostler.errors import ProtocolError
from hostler.http.body import ChunkedBody, body_reader, encode_chunk, encode_last_chunk
from hostler.http.encode import encode_request, encode_response
from hostler.http.h1 import RequestReader, ResponseReader
from hostler.http.headers import Headers
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED, Request
from tests.http.mutations import REQUESTS, RESPONSES, SPICE, cuts, mutated, pieces

some = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
many = settings(some, max_examples=400)

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VALUE = '\t !"#,:;=()/0aZ~\x80\xa0\xff'


def drain(reader, fed):
    """Feed a reader of heads; return the message, and the pieces that are left."""
    for index, piece in enumerate(fed):
        if (message := reader.feed(piece)) is not None:
            return message, [reader.unread, *fed[index + 1 :]]
    return None, []


def outcome(make_reader, fed):
    """Read a head and its body; return all that they mean, or the status they are refused with."""
    reader = make_reader()
    try:
        message, left = drain(reader, fed)
    except ProtocolError as error:
        return "refused", error.status
    if message is None:
        return "more"
    raw = message.headers.raw
    head = (reader.head, raw, message.framing, message.keep_alive, message.version)
    body = body_reader(message.framing)
    payload, surplus = b"", b""
    for piece in left:
        if body.complete:
            surplus += piece
            continue
        try:
            payload += body.feed(piece)
        except ProtocolError as error:
            return head, "refused", error.status
    return head, payload, body.complete, body.trailers, body.unread + surplus


class TestCuts:
    """How bytes are cut never changes what they mean."""

    @many
    @given(data=mutated(REQUESTS), at=cuts)
    def test_of_a_request(self, data, at):
        whole = outcome(RequestReader, [data])
        assert outcome(RequestReader, pieces(data, at)) == whole

    @many
    @given(data=mutated(RESPONSES), at=cuts, method=st.sampled_from(["GET", "HEAD"]))
    def test_of_a_response(self, data, at, method):
        whole = outcome(lambda: ResponseReader(method), [data])
        assert outcome(lambda: ResponseReader(method), pieces(data, at)) == whole

    @some
    @given(
        data=mutated(REQUESTS),
        at=cuts,
        line=st.integers(10, 60),
        head=st.integers(20, 120),
        count=st.integers(0, 4),
    )
    def test_of_a_request_near_the_limits(self, data, at, line, head, count):
        def reader():
            return RequestReader(Limits(request_line=line, head=head, headers=count))

        whole, cut = outcome(reader, [data]), outcome(reader, pieces(data, at))
        # of two faults, a grammar's and a limit's, the one that is seen first gives the status
        assert (whole[0] == "refused") == (cut[0] == "refused")
        if whole[0] != "refused":
            assert cut == whole


class TestAnything:
    """Whatever comes, a reader returns a message, asks for more, or raises ProtocolError."""

    @many
    @given(data=mutated(REQUESTS) | st.binary(max_size=200), at=cuts)
    def test_as_a_request(self, data, at):
        outcome(RequestReader, pieces(data, at))

    @many
    @given(data=mutated(RESPONSES) | st.binary(max_size=200), at=cuts)
    def test_as_a_response(self, data, at):
        outcome(lambda: ResponseReader("GET"), pieces(data, at))

    @many
    @given(data=mutated(REQUESTS))
    def test_a_request_accepted_is_one_by_the_rules(self, data):
        reader = RequestReader()
        try:
            request = reader.feed(data)
        except ProtocolError:
            return
        if request is None:
            return
        lines = reader.head.split(b"\r\n")
        assert data.lstrip(b"\r\n").startswith(reader.head)
        assert reader.head + reader.unread == data[len(data) - len(reader.head) - len(reader.unread) :]
        assert len(request.headers) == len(lines) - 3
        assert reader.head.count(b"\n") == reader.head.count(b"\r") == len(lines) - 1
        assert lines[0] == b"%s %s HTTP/%.1f" % (
            request.method.encode(),
            request.target,
            request.version / 10,
        )
        names = [name.lower() for name, _ in request.headers.raw]
        assert names.count(b"host") == 1 or (request.version == 10 and b"host" not in names)
        assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
        assert (request.framing == CHUNKED) == (b"transfer-encoding" in names)


class Oracle:
    """llhttp reading the body of a request."""

    def __init__(self):
        self.payload = b""
        self.complete = False
        self.trailers = []
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.trailers.clear()

    def on_header(self, name, value):
        self.trailers.append((name, value.rstrip(b" \t")))

    def on_body(self, data):
        self.payload += data

    def on_message_complete(self):
        self.complete = True

    def read(self, data):
        """Return whether `data` is a body or the beginning of one."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            return self.complete  # what follows the body is no request: none of its business
        return True


CHUNKED_BODIES = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"A\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\n",
    b'1;a=b;c="d"\r\nx\r\n2;e\r\nyz\r\n000;f\r\n\r\n',
    b"0\r\n\r\n",
    b"000000000000001\r\nx\r\n0\r\n\r\n",
    b"1\r\nx\r\n" * 9 + b"0\r\n\r\n",
    b"1\r\n\n\r\n2\r\n\r\n\r\nb\r\n1\r\n1\r\n1\r\nXY\r\n003\r\n\r\nZ\r\n0\r\n\r\n",
]
STRICTER = {
    "size of 16 digits": b"0000000000000001\r\nx\r\n0\r\n\r\n",
    "extension without a name": b"1;;a\r\nx\r\n0\r\n\r\n",
    "extension of nothing but =": b"1;=\r\nx\r\n0\r\n\r\n",
    "extension without a value": b"1;a=;b\r\nx\r\n0\r\n\r\n",
    "size line over 1024 bytes": b"1;" + b"a" * 1022 + b"\r\nx\r\n0\r\n\r\n",
    "trailers over 8 KiB": b"0\r\nA: " + b"b" * 8192 + b"\r\n\r\n",
    "more than 100 trailers": b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n",
}
"""What llhttp reads and we refuse, on purpose."""


class TestAgainstLlhttp:
    """ChunkedBody reads what llhttp reads, or refuses it.

    Every deliberate difference is in STRICTER, but one: a trailer that would frame a message is dropped like any
    other that is forbidden (RFC 9110 6.5.1), where llhttp refuses it.
    """

    @many
    @given(data=mutated(CHUNKED_BODIES), at=cuts)
    @example(data=b"0\r\nHost: a\r\n\r\n", at=[])
    @example(data=b"0\r\nContent-Length: 5\r\n\r\n", at=[])
    def test_same_payload_or_a_refusal(self, data, at):
        ours, oracle = ChunkedBody(), Oracle()
        payload = b""
        try:
            for piece in pieces(data, at):
                if ours.complete:
                    break
                payload += ours.feed(piece)
        except ProtocolError:
            return
        agreed = oracle.read(data)
        if ours.complete and not agreed:
            assert b"content-length:" in data.lower() or b"transfer-encoding:" in data.lower()
            assert payload == oracle.payload
        elif ours.complete:
            assert oracle.complete
            assert payload == oracle.payload
            assert set(ours.trailers) <= set(oracle.trailers)
        else:
            assert not oracle.complete
            assert payload == oracle.payload

    @pytest.mark.parametrize("name", STRICTER)
    def test_the_deliberate_differences(self, name):
        oracle = Oracle()
        assert oracle.read(STRICTER[name])
        assert oracle.complete
        with pytest.raises(ProtocolError):
            ChunkedBody().feed(STRICTER[name])

    @some
    @given(
        chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
        trailers=st.lists(
            st.tuples(
                st.text(TOKEN, min_size=1, max_size=8).map(lambda name: b"x-" + name.encode()),
                st.text(VALUE, max_size=8).map(lambda value: value.strip(" \t").encode("latin-1")),
            ),
            max_size=3,
        ),
        at=cuts,
    )
    def test_what_is_encoded_both_read(self, chunks, trailers, at):
        data = b"".join(map(encode_chunk, chunks)) + encode_last_chunk(trailers)
        ours, oracle = ChunkedBody(), Oracle()
        payload = b"".join(ours.feed(piece) for piece in pieces(data, at))
        assert oracle.read(data)
        assert payload == oracle.payload == b"".join(chunks)
        assert ours.trailers == oracle.trailers == trailers
        assert ours.complete

    @some
    @given(
        chunks=st.lists(st.binary(min_size=1, max_size=18) | st.sampled_from([b"x", b"1\r\n", b"\r\n"])),
        copies=st.integers(1, 4),
        digits=st.integers(1, 3),
        at=cuts,
    )
    def test_small_chunks_are_read_one_after_another(self, chunks, copies, digits, at):
        data = (
            b"".join(b"%0*x\r\n%s\r\n" % (digits, len(chunk), chunk) * copies for chunk in chunks)
            + b"0\r\n\r\n"
        )
        ours = ChunkedBody()
        assert b"".join(map(ours.feed, pieces(data, at))) == b"".join(chunk * copies for chunk in chunks)
        assert ours.complete


names = st.text(TOKEN, min_size=1, max_size=10).map(lambda name: b"X" + name.encode())
values = st.text(VALUE, max_size=12).map(lambda value: value.strip(" \t").encode("latin-1"))
junk = st.binary(max_size=8) | st.lists(st.sampled_from(SPICE), max_size=4).map(b"".join)


class TestEncoding:
    @some
    @given(
        method=st.sampled_from(["GET", "POST", "DELETE", "M-SEARCH"]),
        path=st.text("abc/%?=&;.\\~", max_size=12),
        raw=st.lists(st.tuples(names, values), max_size=5),
    )
    def test_a_request_encoded_is_read_again(self, method, path, raw):
        raw = [(b"Host", b"a"), *raw]
        target = b"/" + path.encode()
        data = encode_request(Request(method, target, Headers(raw)))
        request = RequestReader().feed(data)
        assert (request.method, request.target, request.headers.raw) == (method, target, raw)
        assert encode_request(request) == data

    @some
    @given(data=mutated(REQUESTS[:5]))
    def test_a_request_read_is_encoded_again(self, data):
        try:
            first = RequestReader().feed(data)
        except ProtocolError:
            return
        if first is None:
            return
        second = RequestReader().feed(encode_request(first))
        assert (second.method, second.target, second.headers.raw) == (
            first.method,
            first.target,
            first.headers.raw,
        )
        assert (second.framing, second.host, second.keep_alive) == (
            first.framing,
            first.host,
            first.keep_alive,
        )
        assert (second.expect_continue, second.upgrade) == (first.expect_continue, first.upgrade)
        assert second.version == first.version

    @some
    @given(data=mutated(RESPONSES))
    def test_a_response_read_is_encoded_again(self, data):
        try:
            first = ResponseReader("GET").feed(data)
        except ProtocolError:
            return
        if first is None or first.version == 10:
            return
        second = ResponseReader("GET").feed(
            encode_response(first.status, first.headers.raw, first.reason or b"")
        )
        assert (second.status, second.reason, second.headers.raw) == (
            first.status,
            first.reason,
            first.headers.raw,
        )
        assert second.framing == first.framing

    @many
    @given(
        raw=st.lists(st.tuples(junk | names, junk | values), max_size=3), first=junk, which=st.integers(0, 3)
    )
    def test_no_line_is_smuggled_in(self, raw, first, which):
        try:
            head = (
                encode_response(200, raw)
                if which == 0
                else encode_response(200, raw, first)
                if which == 1
                else encode_request(Request("GET", first, Headers(raw)))
                if which == 2
                else encode_request(Request(first.decode("latin-1"), b"/", Headers(raw)))
            )
        except ProtocolError:
            return
        lines = head.split(b"\r\n")
        assert len(lines) == len(raw) + 3
        assert lines[-2:] == [b"", b""]
        assert head.count(b"\n") == head.count(b"\r") == len(raw) + 2
        assert [tuple(line.split(b": ", 1)) for line in lines[1:-2]] == raw
        if which >= 2:
            assert lines[0].count(b" ") == 2

    @some
    @given(raw=st.lists(st.tuples(junk | names, junk | values), min_size=1, max_size=3))
    def test_no_trailer_is_smuggled_in(self, raw):
        try:
            data = encode_last_chunk(raw)
        except ProtocolError:
            return
        assert data.count(b"\n") == data.count(b"\r") == len(raw) + 2
        assert data.startswith(b"0\r\n")
        assert data.find(b"\r\n\r\n") == len(data) - 4

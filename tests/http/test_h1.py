"""HTTP/1.1 as a playbook: bytes in, values out, by the rules of RFC 9112."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.body import (
    encode_last_chunk,
)
from hostler.http.h1 import RequestReader, ResponseReader, encode_request, encode_response
from hostler.http.headers import Headers
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED, UNTIL_CLOSE, Request

HOST = b"Host: a\r\n"


def head_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (*lines, b""))


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return head_of(first, b"Host: a", *lines)


def read(data: bytes, limits: Limits | None = None):
    reader = RequestReader(limits or Limits())
    return reader.feed(data), reader


def read_by_the_byte(reader, data: bytes):
    """Feed single bytes until something comes of it; return that and how many bytes it took."""
    for index in range(len(data)):
        if (message := reader.feed(data[index : index + 1])) is not None:
            return message, index + 1
    return None, len(data)


def meaning(request):
    return (
        request.method,
        request.target,
        request.version,
        request.headers.raw,
        request.framing,
        request.host,
        request.keep_alive,
        request.expect_continue,
        request.upgrade,
    )


def refusal(data: bytes, limits: Limits | None = None) -> int:
    """Return the status that `data` gets, whole and byte by byte; a head that hangs is a failed test."""
    statuses = set()
    for feed in (lambda reader: reader.feed(data), lambda reader: read_by_the_byte(reader, data)):
        with pytest.raises(ProtocolError) as caught:
            feed(RequestReader(limits or Limits()))
        statuses.add(caught.value.status)
    (status,) = statuses
    return status


def answer(data: bytes, to: str = "GET"):
    reader = ResponseReader(to)
    return reader.feed(data), reader


class TestRequestHead:
    def test_plain(self):
        data = b"GET /a?b=c HTTP/1.1\r\nHost: example.com:80\r\nX-Name: caf\xe9\r\n\r\n"
        request, reader = read(data)
        assert (request.method, request.target, request.version) == ("GET", b"/a?b=c", 11)
        assert request.headers.raw == [(b"Host", b"example.com:80"), (b"X-Name", b"caf\xe9")]
        assert (request.host, request.framing, request.keep_alive) == (b"example.com:80", 0, True)
        assert (request.expect_continue, request.upgrade) == (False, None)
        assert (reader.head, reader.unread) == (data, b"")

    def test_begins_with_its_first_byte(self):
        reader = RequestReader()
        assert not reader.begun
        reader.feed(b"G")
        assert reader.begun

    @pytest.mark.parametrize(
        "method", [b"GET", b"HEAD", b"POST", b"PATCH", b"M-SEARCH", b"PROPFIND", b"QUERY"]
    )
    def test_methods(self, method):
        assert read(get(first=method + b" / HTTP/1.1"))[0].method == method.decode()

    @pytest.mark.parametrize(
        ("line", "target"),
        [
            (b"GET http://b.example/c?d HTTP/1.1", b"http://b.example/c?d"),
            (b"OPTIONS * HTTP/1.1", b"*"),
            (b"CONNECT b:443 HTTP/1.1", b"b:443"),
            (b"GET /%2e%2E//\\?? HTTP/1.1", b"/%2e%2E//\\??"),
        ],
        ids=["absolute-form", "asterisk-form", "authority-form", "origin-form"],
    )
    def test_target_stays_raw(self, line, target):
        request, _ = read(get(first=line))
        assert (request.target, request.host) == (target, b"a")

    def test_blanks_around_a_value_are_not_part_of_it(self):
        data = get(
            b"X:\t y z \t ", b"Empty:", b"Blank: \t ", b"Content-Length: 5 ", b"Expect: 100-continue\t"
        )
        request, _ = read(data)
        assert request.headers.raw[1:4] == [(b"X", b"y z"), (b"Empty", b""), (b"Blank", b"")]
        assert (request.framing, request.expect_continue) == (5, True)

    def test_blanks_after_the_coding_are_not_part_of_it(self):
        assert read(get(b"Transfer-Encoding: chunked  "))[0].framing == CHUNKED

    @pytest.mark.parametrize(
        ("data", "kept"),
        [
            (get(), True),
            (get(b"Connection: close"), False),
            (head_of(b"GET / HTTP/1.0"), False),
            (head_of(b"GET / HTTP/1.0", b"Connection: Keep-Alive"), True),
        ],
        ids=["1.1", "1.1 close", "1.0", "1.0 keep-alive"],
    )
    def test_keep_alive(self, data, kept):
        assert read(data)[0].keep_alive is kept

    @pytest.mark.parametrize(
        ("lines", "framing"),
        [([], 0), ([b"Content-Length: 0"], 0), ([b"Content-Length: 12"], 12), ([b"Transfer-Encoding: chunked"], CHUNKED)],
        ids=["none", "zero", "length", "chunked"],
    )  # fmt: skip
    def test_framing(self, lines, framing):
        assert read(get(*lines, first=b"POST / HTTP/1.1"))[0].framing == framing

    def test_expect_continue(self):
        request, reader = read(get(b"Expect: 100-continue", b"Content-Length: 5"))
        assert request.expect_continue
        assert reader.unread == b""

    def test_pipelined_bytes_are_rest(self):
        first, second = get(b"Connection: close"), get(b"X: second")
        _, reader = read(first + second)
        assert (reader.head, reader.unread) == (first, second)

    def test_body_bytes_are_rest(self):
        request, reader = read(get(b"Content-Length: 5") + b"hello")
        assert (request.framing, reader.unread) == (5, b"hello")

    def test_several_connection_headers(self):
        request, _ = read(get(b"Connection: x", b"Connection: Upgrade, close", b"Upgrade: websocket"))
        assert request.upgrade == b"websocket"
        assert not request.keep_alive

    def test_offer_to_upgrade(self):
        request, reader = read(get(b"Connection: upgrade", b"Upgrade: websocket") + b"frames")
        assert (request.upgrade, request.framing, reader.unread) == (b"websocket", 0, b"frames")

    @pytest.mark.parametrize(
        ("line", "framing"), [(b"Content-Length: 5", 5), (b"Transfer-Encoding: chunked", CHUNKED)]
    )
    def test_offer_to_upgrade_beside_a_body(self, line, framing):
        data = get(b"Connection: upgrade", b"Upgrade: h2c", line, first=b"POST / HTTP/1.1")
        request, reader = read(data + b"hello")
        assert (request.upgrade, request.framing, reader.unread) == (b"h2c", framing, b"hello")

    @pytest.mark.parametrize("empty", [b"\r\n", b"\r\n\r\n\r\n"])
    def test_empty_lines_in_front_are_ignored(self, empty):
        _, reader = read(empty + get())
        assert reader.head == get()

    def test_empty_lines_begin_nothing(self):
        reader = RequestReader()
        assert reader.feed(b"\r\n\r\n") is None
        assert not reader.begun

    def test_feeding_nothing_changes_nothing(self):
        reader = RequestReader()
        for piece in (b"", b"GET", b"", b" / HTTP/1.1\r\nHost", b"", b": a\r\n\r", b""):
            assert reader.feed(piece) is None
        assert reader.feed(b"\n") is not None


CUT = {
    "plain": get(b"X: y ", b"Z:"),
    "empty lines": b"\r\n\r\n" + get(),
    "upgrade": get(b"Connection: x", b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: 3"),
    "absolute-form": get(first=b"GET http://b/c HTTP/1.1"),
    "1.0": head_of(b"POST / HTTP/1.0", b"Connection: keep-alive", b"Content-Length: 4"),
    "connect": get(first=b"CONNECT b:1 HTTP/1.1"),
    "chunked": get(b"Transfer-Encoding: Chunked", b"Expect: 100-continue"),
}


class TestCutHead:
    @pytest.mark.parametrize("name", CUT)
    def test_means_the_same_wherever_it_is_cut(self, name):
        data = CUT[name]
        whole, reader = read(data)
        for cut in range(len(data)):
            other = RequestReader()
            assert other.feed(data[:cut]) is None
            assert meaning(other.feed(data[cut:] + b"rest")) == meaning(whole)
            assert (other.head, other.unread) == (reader.head, b"rest")

    @pytest.mark.parametrize("name", CUT)
    def test_means_the_same_byte_by_byte(self, name):
        data = CUT[name]
        request, used = read_by_the_byte(RequestReader(), data)
        assert meaning(request) == meaning(read(data)[0])
        assert used == len(data)

    def test_of_a_response_means_the_same_byte_by_byte(self):
        data = b"HTTP/1.1 404 No Such Thing\r\nContent-Length: 5\r\nX: y \r\n\r\n"
        response, used = read_by_the_byte(ResponseReader("GET"), data)
        assert (response.status, response.reason, response.framing) == (404, b"No Such Thing", 5)
        assert response.headers.raw == [(b"Content-Length", b"5"), (b"X", b"y")]
        assert used == len(data)


MALFORMED = {
    "no Host": head_of(b"GET / HTTP/1.1"),
    "two Hosts": get(b"Host: a"),
    "length beside coding": get(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "coding beside length": get(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "1.0 with coding": get(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"),
    "repeated length": get(b"Content-Length: 5", b"Content-Length: 5"),
    "differing lengths": get(b"Content-Length: 5", b"Content-Length: 6"),
    "list of lengths": get(b"Content-Length: 5, 5"),
    "length with a plus": get(b"Content-Length: +5"),
    "negative length": get(b"Content-Length: -5"),
    "empty length": get(b"Content-Length:"),
    "hex length": get(b"Content-Length: 0x5"),
    "huge length": get(b"Content-Length: 9999999999999999999"),
    "length over 64 bits": get(b"Content-Length: 18446744073709551621"),
    "coding without chunked": get(b"Transfer-Encoding: gzip"),
    "chunked is not last": get(b"Transfer-Encoding: chunked, identity"),
    "chunked twice": get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "empty coding": get(b"Transfer-Encoding:"),
    "coding behind a control": get(b"Transfer-Encoding: \x0bchunked"),
    "bare LF after the line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "bare LF for the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare LF in front": b"\n" + get(),
    "bare CR in front": b"\r" + get(),
    "CR and LF exchanged": b"\n\r" + get(),
    "CR in a value": get(b"X: a\rb"),
    "CR after a value": get(b"X: a\r"),
    "NUL in a value": get(b"X: a\0b"),
    "NUL in a name": get(b"X\0: a"),
    "DEL in a value": get(b"X: \x7f"),
    "obs-fold": get(b"X: a", b" b"),
    "obs-fold with a tab": get(b"X: a", b"\tb"),
    "obs-fold of an empty value": get(b"X:", b" b"),
    "obs-fold of nothing": get(b"X: a", b" "),
    "blank before the first header": head_of(b"GET / HTTP/1.1", b" Host: a"),
    "space before the colon": get(b"X : a"),
    "tab before the colon": get(b"X\t: a"),
    "no colon": get(b"X"),
    "no name": get(b": x"),
    "space in a name": get(b"X Y: z"),
    "byte over 7F in a name": get(b"X\xe9: y"),
    "two spaces before the target": get(first=b"GET  / HTTP/1.1"),
    "two spaces before the version": get(first=b"GET /  HTTP/1.1"),
    "space after the version": get(first=b"GET / HTTP/1.1 "),
    "space in front": get(first=b" GET / HTTP/1.1"),
    "tab for a space": get(first=b"GET\t/ HTTP/1.1"),
    "space in the target": get(first=b"GET /a b HTTP/1.1"),
    "control in the target": get(first=b"GET /a\x01 HTTP/1.1"),
    "byte over 7F in the target": get(first=b"GET /\xe9 HTTP/1.1"),
    "no target": get(first=b"GET HTTP/1.1"),
    "target of no form": get(first=b"GET a HTTP/1.1"),
    "no version (HTTP/0.9)": b"GET /\r\n",
    "broken version": get(first=b"GET / HTTP/11"),
    "long version": get(first=b"GET / HTTP/1.10"),
    "version in lower case": get(first=b"GET / http/1.1"),
    "another protocol": get(first=b"GET / RTSP/1.0"),
    "a third protocol": get(first=b"SOURCE / ICE/1.0"),
    "method in lower case": get(first=b"get / HTTP/1.1"),
    "method in mixed case": get(first=b"Get / HTTP/1.1"),
    "unknown method in lower case": get(first=b"foo / HTTP/1.1"),
    "method with a separator": get(first=b"G(T / HTTP/1.1"),
    "no method": get(first=b" / HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "preface of HTTP/2 as HTTP/1.1": get(first=b"PRI * HTTP/1.1"),
}


class TestMalformedRequest:
    @pytest.mark.parametrize("name", MALFORMED)
    def test_is_400(self, name):
        assert refusal(MALFORMED[name]) == 400

    @pytest.mark.parametrize(
        "line",
        [b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/9.9", b"FOO / HTTP/2.0", b"PRI * HTTP/2.0"],
        ids=repr,
    )  # fmt: skip
    def test_another_version_is_505(self, line):
        assert refusal(get(first=line)) == 505

    def test_the_preface_of_http_2_is_505(self):
        assert refusal(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505

    @pytest.mark.parametrize(
        "method", [b"FOO", b"FOO-BAR", b"GETS", b"F", b"X_1", b"DESCRIBE", b"A" * 500], ids=repr
    )
    def test_an_unknown_method_is_501(self, method):
        assert refusal(get(first=method + b" / HTTP/1.1")) == 501

    @pytest.mark.parametrize("lines", [(b"Transfer-Encoding: gzip, chunked",),
                                       (b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked")], ids=repr)  # fmt: skip
    def test_a_coding_that_could_be_understood_is_501(self, lines):
        assert refusal(get(*lines)) == 501

    @pytest.mark.parametrize(
        "data",
        [b"\n", b"\rG", b"G\n", b"GET /\n", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nX: y\n", b"GET / HTTP/1.1\r\n\n",
         b"GET /\r\n", b"GET  ", b"g", b"\x16", b"\x00", b"GET / X", b"GET / HTTP/1.1\r\nHost: a\r\n b",
         b"GET / HTTP/1.1\r\nHost ", b"GET / HTTP/1.1\r\nHost: \0", b"GET / HTTP/2.0\r\n", b"FOO / HTTP/1.1\r\n"],
        ids=repr,
    )  # fmt: skip
    def test_is_refused_at_once_and_not_when_more_comes(self, data):
        with pytest.raises(ProtocolError):
            RequestReader().feed(data)


class TestLimits:
    LIMITS = Limits(request_line=40, head=100, headers=3)

    def test_a_line_at_the_limit_passes(self):
        data = get(first=b"GET /%s HTTP/1.1" % (b"a" * 26))
        assert read(data, self.LIMITS)[0] is not None
        assert read_by_the_byte(RequestReader(self.LIMITS), data)[0] is not None

    def test_a_longer_line_is_414(self):
        assert refusal(get(first=b"GET /%s HTTP/1.1" % (b"a" * 27)), self.LIMITS) == 414

    def test_a_line_that_never_ends_is_414(self):
        assert refusal(b"GET /" + b"a" * 36, self.LIMITS) == 414

    def test_a_longer_line_is_414_in_a_long_head_too(self):
        data = get(b"X: " + b"y" * 100, first=b"GET /%s HTTP/1.1" % (b"a" * 27))
        assert refusal(data, self.LIMITS) == 414

    def test_a_head_at_the_limit_passes(self):
        data = get(b"X: " + b"y" * (100 - len(get()) - 5))
        assert len(data) == 100
        assert read(data + b"rest", self.LIMITS)[0] is not None
        assert read_by_the_byte(RequestReader(self.LIMITS), b"\r\n" + data)[0] is not None

    def test_a_larger_head_is_431(self):
        data = get(b"X: " + b"y" * (100 - len(get()) - 4))
        assert len(data) == 101
        assert refusal(data, self.LIMITS) == 431

    def test_a_head_that_never_ends_is_431(self):
        assert refusal(b"GET / HTTP/1.1\r\nX: " + b"y" * 100, self.LIMITS) == 431

    def test_as_many_headers_as_allowed_pass(self):
        assert read(get(b"A: b", b"A: b"), self.LIMITS)[0] is not None

    def test_more_headers_are_431(self):
        assert refusal(get(b"A: b", b"A: b", b"A: b"), self.LIMITS) == 431

    def test_more_headers_are_431_before_the_head_is_complete(self):
        assert refusal(get(b"A: b", b"A: b", b"A: b", b"A: b")[:-2], self.LIMITS) == 431

    def test_endless_empty_lines_are_431(self):
        assert refusal(b"\r\n" * 51, self.LIMITS) == 431

    def test_endless_empty_lines_are_431_in_pieces_of_two(self):
        reader = RequestReader(self.LIMITS)
        for _ in range(50):
            assert reader.feed(b"\r\n") is None
        with pytest.raises(ProtocolError):
            reader.feed(b"\r\n")

    def test_of_a_response(self):
        with pytest.raises(ProtocolError):
            ResponseReader("GET", self.LIMITS).feed(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100)
        with pytest.raises(ProtocolError):
            ResponseReader("GET", self.LIMITS).feed(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 4 + b"\r\n")

    def test_the_defaults_are_those_of_large_servers(self):
        assert refusal(get(first=b"GET /%s HTTP/1.1" % (b"a" * 8200))) == 414
        assert read(get(b"X: " + b"y" * 32000))[0] is not None
        assert read(get(*[b"A: b"] * 99))[0] is not None
        with pytest.raises(ProtocolError, match="100 header lines"):
            read(get(*[b"A: b"] * 100))


class TestResponseHead:
    def test_plain(self):
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: caf\xe9 \r\n\r\n"
        response, reader = answer(data + b"hello")
        assert (response.status, response.reason, response.version) == (200, b"OK", 11)
        assert response.headers.raw == [(b"Content-Length", b"5"), (b"X", b"caf\xe9")]
        assert (response.framing, response.keep_alive) == (5, True)
        assert (reader.head, reader.unread) == (data, b"hello")

    @pytest.mark.parametrize(
        ("line", "reason"),
        [(b"HTTP/1.1 200", None), (b"HTTP/1.1 200 ", None), (b"HTTP/1.1 299 Fine, \xc3\xbc\tthanks", b"Fine, \xc3\xbc\tthanks")],
        ids=repr,
    )  # fmt: skip
    def test_reason(self, line, reason):
        assert answer(head_of(line))[0].reason == reason

    @pytest.mark.parametrize(
        ("lines", "to", "framing", "kept"),
        [
            ([b"HTTP/1.1 200 OK", b"Content-Length: 7"], "HEAD", 0, True),
            ([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"], "HEAD", 0, True),
            ([b"HTTP/1.1 304 Not Modified", b"Content-Length: 7"], "GET", 0, True),
            ([b"HTTP/1.1 204 No Content"], "GET", 0, True),
            ([b"HTTP/1.1 200 OK", b"Content-Length: 0"], "GET", 0, True),
            ([b"HTTP/1.1 200 OK", b"Transfer-Encoding: Chunked "], "GET", CHUNKED, True),
            ([b"HTTP/1.1 200 OK"], "GET", UNTIL_CLOSE, False),
            ([b"HTTP/1.1 200 OK", b"Content-Length: 7", b"Connection: close"], "GET", 7, False),
            ([b"HTTP/1.0 200 OK", b"Content-Length: 7"], "GET", 7, False),
            ([b"HTTP/1.0 200 OK", b"Content-Length: 7", b"Connection: keep-alive"], "GET", 7, True),
            ([b"HTTP/1.0 200 OK"], "GET", UNTIL_CLOSE, False),
        ],
        ids=["HEAD", "HEAD chunked", "304", "204", "zero", "chunked", "until close", "close", "1.0", "1.0 keep-alive",
             "1.0 until close"],
    )  # fmt: skip
    def test_framing(self, lines, to, framing, kept):
        response, _ = answer(head_of(*lines), to)
        assert (response.framing, response.keep_alive) == (framing, kept)

    def test_interim_heads_come_before_the_final_one(self):
        final = head_of(b"HTTP/1.1 200 OK", b"Content-Length: 2")
        interim = head_of(b"HTTP/1.1 103 Early Hints", b"Link: </a>")
        data = head_of(b"HTTP/1.1 100 Continue") + interim + final + b"hi"
        statuses = []
        while True:
            response, reader = answer(data)
            statuses.append(response.status)
            data = reader.unread
            if response.status >= 200:
                break
            assert response.framing == 0
        assert statuses == [100, 103, 200]
        assert data == b"hi"

    def test_switching_protocols(self):
        data = head_of(b"HTTP/1.1 101 Switching Protocols", b"Connection: upgrade", b"Upgrade: websocket")
        response, reader = answer(data + b"frames")
        assert (response.status, response.framing, reader.unread) == (101, 0, b"frames")

    @pytest.mark.parametrize("to", ["GET", "HEAD"])
    @pytest.mark.parametrize("turned", [False, True], ids=["length first", "coding first"])
    def test_content_length_beside_chunked_is_dropped(self, turned, to):
        lines = [b"Content-Length: 5", b"Transfer-Encoding: chunked"]
        response, _ = answer(head_of(b"HTTP/1.1 200 OK", *(lines[::-1] if turned else lines)), to)
        assert response.headers.raw == [(b"Transfer-Encoding", b"chunked")]
        assert response.framing == (CHUNKED if to == "GET" else 0)
        assert not response.keep_alive

    BROKEN = {  # noqa: RUF012 - a table
        "another protocol": b"ICY 200 OK\r\n\r\n",
        "RTSP": b"RTSP/1.0 200 OK\r\n\r\n",
        "HTTP/2.0": b"HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
        "lower case": b"http/1.1 200 OK\r\n\r\n",
        "two spaces": b"HTTP/1.1  200 OK\r\n\r\n",
        "status of two digits": b"HTTP/1.1 99 X\r\n\r\n",
        "status below 100": b"HTTP/1.1 099 X\r\n\r\n",
        "status of four digits": b"HTTP/1.1 1000 X\r\n\r\n",
        "status of letters": b"HTTP/1.1 2OO OK\r\n\r\n",
        "no space after the status": b"HTTP/1.1 200OK\r\n\r\n",
        "no status": b"HTTP/1.1 OK\r\n\r\n",
        "NUL in the reason": b"HTTP/1.1 200 O\0K\r\n\r\n",
        "control in the reason": b"HTTP/1.1 200 O\x1bK\r\n\r\n",
        "CR in the reason": b"HTTP/1.1 200 O\rK\r\n\r\n",
        "empty line in front": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        "bare LF in front": b"\nHTTP/1.1 200 OK\r\n\r\n",
        "bare LF after the line": b"HTTP/1.1 200 OK\nX: y\r\n\r\n",
        "bare LF after a header": b"HTTP/1.1 200 OK\r\nX: y\n\r\n",
        "folded header": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "folded with a tab": b"HTTP/1.1 200 OK\r\nX: y\r\n\tz\r\n\r\n",
        "space before the colon": b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "NUL in a value": b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        "repeated length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "another coding beside length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
        "more codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    }

    @pytest.mark.parametrize("name", BROKEN)
    def test_broken(self, name):
        with pytest.raises(ProtocolError):
            answer(self.BROKEN[name])
        with pytest.raises(ProtocolError):
            read_by_the_byte(ResponseReader("GET"), self.BROKEN[name])

    @pytest.mark.parametrize(
        "data",
        [b"I", b"\r", b"\n", b"HTTP/1.1 x", b"HTTP/1.1 2000", b"\x15\x03", b"HTTP/1.1 200 \0"],
        ids=repr,
    )
    def test_broken_at_once(self, data):
        with pytest.raises(ProtocolError):
            ResponseReader("GET").feed(data)


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

"""Request heads of HTTP/1.1: bytes in, values out, however they are cut and up to the limits (RFC 9112)."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader, ResponseReader
from hostler.http.limits import Limits
from hostler.http.message import CHUNKED
from tests.http.heads import get, head_of, meaning, read, read_by_the_byte, refusal


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
        "method",
        [b"GET", b"HEAD", b"POST", b"PATCH", b"M-SEARCH", b"PROPFIND", b"QUERY", b"FOO", b"GETS", b"F", b"X_1", b"DESCRIBE",
         b"UNKNOWN", b"PRI", b"get", b"Get", b"foo", b"!#$%&'*+-.^_`|~09azAZ", b"A" * 500],
        ids=repr,
    )  # fmt: skip
    def test_any_token_is_a_method(self, method):
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


class TestLimits:
    LIMITS = Limits(request_line=40, head=100, headers=3)

    def test_a_line_at_the_limit_passes(self):
        data = get(first=b"GET /%s HTTP/1.1" % (b"a" * 26))
        assert read(data, self.LIMITS)[0] is not None
        assert read_by_the_byte(RequestReader(self.LIMITS), data)[0] is not None

    def test_a_long_method_is_414(self):
        assert refusal(get(first=b"M" * 30 + b" / HTTP/1.1"), self.LIMITS) == 414
        assert read(get(first=b"M" * 29 + b" / HTTP/1.1"), self.LIMITS)[0].method == "M" * 29

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

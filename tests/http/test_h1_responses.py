"""Response heads of HTTP/1.1: bytes in, values out (RFC 9112)."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.h1 import ResponseReader
from hostler.http.message import CHUNKED, UNTIL_CLOSE
from tests.http.heads import answer, head_of, read_by_the_byte


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

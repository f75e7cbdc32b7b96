"""Malformed request heads of HTTP/1.1: refused, whole and byte by byte, with the status that says why (RFC 9112)."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader
from tests.http.heads import get, head_of, refusal

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
    "no version (HTTP/0.9)": b"GET /\r\n",
    "broken version": get(first=b"GET / HTTP/11"),
    "long version": get(first=b"GET / HTTP/1.10"),
    "version in lower case": get(first=b"GET / http/1.1"),
    "another protocol": get(first=b"GET / RTSP/1.0"),
    "a third protocol": get(first=b"SOURCE / ICE/1.0"),
    "method with a separator": get(first=b"G(T / HTTP/1.1"),
    "method with a byte over 7F": get(first=b"G\xc9T / HTTP/1.1"),
    "method in quotes": get(first=b'"GET" / HTTP/1.1'),
    "no method": get(first=b" / HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
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

    @pytest.mark.parametrize("lines", [(b"Transfer-Encoding: gzip, chunked",),
                                       (b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked")], ids=repr)  # fmt: skip
    def test_a_coding_that_could_be_understood_is_501(self, lines):
        assert refusal(get(*lines)) == 501

    @pytest.mark.parametrize(
        "data",
        [b"\n", b"\rG", b"G\n", b"GET /\n", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nX: y\n", b"GET / HTTP/1.1\r\n\n",
         b"GET /\r\n", b"GET  ", b"(", b"\x16", b"\x00", b"GET / X", b"GET / HTTP/1.1\r\nHost: a\r\n b",
         b"GET / HTTP/1.1\r\nHost ", b"GET / HTTP/1.1\r\nHost: \0", b"GET / HTTP/2.0\r\n"],
        ids=repr,
    )  # fmt: skip
    def test_is_refused_at_once_and_not_when_more_comes(self, data):
        with pytest.raises(ProtocolError):
            RequestReader().feed(data)

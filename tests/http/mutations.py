"""Messages of HTTP/1.1 with a few things wrong, and cuts, for the tests that hypothesis feeds."""

from __future__ import annotations

from hypothesis import strategies as st

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET http://b/c?d HTTP/1.1\r\nHost: a\r\nX: y \r\nConnection: close\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nGET",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 9 + b"0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
    b"PUT / HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nX: y\t\r\n\r\nuntil close",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\nframes",
    b"HTTP/1.1 304\r\nContent-Length: 7\r\n\r\n",
]
SPICE = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b",", b";", b"0", b"5", b"\xff", b"\r\n\r\n", b"\r\n ", b"+",
         b"Host: b\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"chunked", b"HTTP/1.0", b"HTTP/2.0"]  # fmt: skip


@st.composite
def mutated(draw, messages):
    """A plausible message with a few things wrong."""
    data = draw(st.sampled_from(messages))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        match draw(st.sampled_from(["flip", "insert", "delete", "truncate", "duplicate", "move"])):
            case "flip":
                data = data[:start] + bytes([draw(st.integers(0, 255))]) + data[start + 1 :]
            case "insert":
                data = data[:start] + draw(st.sampled_from(SPICE)) + data[start:]
            case "delete":
                data = data[:start] + data[end:]
            case "truncate":
                data = data[:start]
            case "duplicate":
                data = data[:end] + data[start:]
            case "move":
                data = data[:start] + data[end:] + data[start:end]
    return data


cuts = st.lists(st.integers(0, 200), max_size=8).map(sorted)


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    """Cut `data`; an empty `at` stands for single bytes, a zero for an empty piece."""
    if not at:
        return [data[index : index + 1] for index in range(len(data))]
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


def _mostly(good: list[bytes], odd: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return one of `good` nine times out of ten, so that few things are odd at once."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(good if n else odd))


_BREAKS = _mostly([b"\r\n"], [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b" \r\n", b"\0\r\n", b""])
_SPACES = _mostly([b" "], [b"  ", b"\t", b"", b" \t", b"\x0b", b"\xa0", b"\r\n "])
_VERSIONS = _mostly(
    [b"HTTP/1.1", b"HTTP/1.0"],
    [b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1", b"http/1.1", b"RTSP/1.0", b"ICE/1.0",
     b"HTTPS/1.1", b"HTTP /1.1", b""],
)  # fmt: skip
_METHODS = _mostly(
    [b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"PRI", b"M-SEARCH"],
    [
        b"get",
        b"FOO",
        b"GETT",
        b"X!#$%&'*+-.^_`|~9",
        b"G(T",
        b"G\xc9T",
        b"",
        b'"GET"',
        b"GET:",
        b"SOURCE",
        b"DESCRIBE",
    ],
)
_TARGETS = _mostly(
    [b"/", b"/a?b", b"*", b"http://b/c", b"a.example:80"],
    [
        b"",
        b"a",
        b"?",
        b"/\xe9",
        b"/a b",
        b"/\x01",
        b"/\x7f",
        b"//",
        b"http:/",
        b"http//",
        b"://",
        b"/%",
        b"/#",
        b"[::1]:80",
        b"1:2",
        b"@",
    ],
)
_STATUSES = _mostly(
    [b"200", b"404", b"101", b"304", b"103"], [b"099", b"99", b"1000", b"600", b"999", b"2x0", b"", b"+20"]
)
_REASONS = _mostly(
    [b" OK", b"", b" ", b" A b\tc"], [b" \xe9", b" \0", b" \x7f", b" \x1b", b" \n", b" \r", b"OK", b"  OK"]
)
_NAMES = _mostly(
    [b"A", b"X-Long-Name", b"Connection", b"Expect", b"Upgrade"],
    [
        b"",
        b" A",
        b"\tA",
        b"A ",
        b"A\t",
        b"A B",
        b"A\0",
        b"\xe9",
        b'"A"',
        b"A(",
        b"A\x7f",
        b"!#$%&'*+-.^_`|~",
        b"A\r",
        b"\n",
        b"\x0b",
    ],
)
_COLONS = _mostly([b": ", b":", b":\t "], [b"", b"=", b" : ", b"::", b";"])
_VALUES = _mostly(
    [b"", b"a", b"a b", b"close", b"upgrade", b"keep-alive", b"h2c", b"100-continue", b"a\t", b"\xe9"],
    [
        b"\0",
        b"\x01",
        b"\x0b",
        b"\x0c",
        b"\x1f",
        b"\x7f",
        b"a\rb",
        b"a\nb",
        b"\x85",
        b"a\r\n b",
        b"\r\n\t",
        b"\r\n ",
    ],
)
_FRAMING = st.sampled_from([
    b"Host: a\r\n", b"Host:\r\n", b"host: b, c\r\n", b"Content-Length: 5\r\n", b"Content-Length: 05\r\n", b"content-length: 6\r\n",
    b"Content-Length: 5, 5\r\n", b"Content-Length: +5\r\n", b"Content-Length:\r\n", b"Content-Length: 5 5\r\n",
    b"Content-Length: 9999999999999999999\r\n", b"Content-Length: 0x5\r\n", b"Content-Length: 5\xb2\r\n", b"Content-Length : 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: Chunked \r\n", b"transfer-encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding:\r\n",
    b"Transfer-Encoding: chunked;a=b\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding: xchunked\r\n",
    b"Transfer_Encoding: chunked\r\n",
])  # fmt: skip
"""Lines on which hangs where the next message begins."""

_LINES = st.lists(
    st.one_of(_FRAMING, st.tuples(_NAMES, _COLONS, _VALUES, _BREAKS).map(b"".join)), max_size=4
).map(b"".join)
_HOSTS = _mostly([b"Host: a\r\n"], [b"", b"Host: a\n", b"Host : a\r\n", b" Host: a\r\n"])
_BODIES = st.sampled_from([b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n"])

composed_requests = st.tuples(
    _mostly([b""], [b"\r\n", b"\n", b"\r", b" "]),
    _METHODS, _SPACES, _TARGETS, _SPACES, _VERSIONS, _BREAKS, _HOSTS, _LINES, _BREAKS, _BODIES,
).map(b"".join)  # fmt: skip
"""Requests put together of parts, most of them right."""

composed_responses = st.tuples(
    _mostly([b""], [b"\r\n", b"\n", b"\r", b" "]),
    _VERSIONS, _SPACES, _STATUSES, _REASONS, _BREAKS, _LINES, _BREAKS, _BODIES,
).map(b"".join)  # fmt: skip
"""Responses put together of parts, most of them right."""

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

"""Heads that are plain, or nearly, for the tests of http/heads.py and for fuzz_heads.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

compiled: Any
try:
    from hostler.http import _heads as compiled
except ImportError:
    compiled = None

LIMITS = {"max_head": 32768, "max_line": 8192, "max_headers": 100}

METHODS = [b"GET", b"GET", b"POST", b"HEAD", b"OPTIONS", b"PURGE", b"get", b"X" * 32]
UNUSUAL_METHODS = [b"CONNECT", b"X" * 33, b"", b"A(B"]
TARGETS = [
    b"/",
    b"/",
    b"/a/b-c",
    b"/a?b=c",
    b"/a/b.c;d?e=/../%2e&f",
    b"/~a/$b?",
    b"/?a?b",
    b"/" + b"long/" * 50,
]
UNUSUAL_TARGETS = [b"/.a", b"/a/..", b"//a", b"/%41", b"*", b"http://b/c", b"/a#b", b"/a\\b"]
VERSION = b" HTTP/1.1"
UNUSUAL_VERSIONS = [b" HTTP/1.0", b"  HTTP/1.1", b" HTTP/1.1 ", b""]
STATUSES = [b"200 OK", b"200 OK", b"404 Not Found", b"500 A  b", b"599 x", b"200 \xe9\t"]
UNUSUAL_STATUSES = [b"204 No Content", b"205 Reset Content", b"304 Not Modified", b"101 Switching Protocols", b"199 x", b"600 x", b"200 ", b"200"]  # fmt: skip
HARMLESS = [b"accept", b"cookie", b"set-cookie", b"user-agent", b"x-a", b"cache-control", b"trailer", b"via", b"date", b"x", b"content-type", b"!#$%&'*+-.^_`|~09az"]  # fmt: skip
SPECIAL = [
    b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade", b"te", b"alpn", b"close", b"alt-svc",
    b"keep-alive", b"forwarded", b"http2-settings", b"proxy-features", b"security-scheme", b"x-forwarded-for", b"proxy-connection",
    b"x-forwarded-host", b"proxy-instruction", b"x-forwarded-proto", b"proxy-authenticate", b"x-forwarded-prefix",
    b"proxy-authorization", b"proxy-authentication-info", b"upgrade-insecure-requests", b"hos", b"hostx", b"dates", b"content-lengt",
]  # fmt: skip
VALUES = {
    b"host": [b"a", b"example.com:80", b"[::1]:8080", b"A.b."],
    b"content-length": [b"0", b"5", b"123", b"9" * 18, b"007"],
    b"transfer-encoding": [b"chunked"],
    b"connection": [b"close", b"keep-alive", b"Keep-Alive"],
}
UNUSUAL_VALUES = {
    b"host": [b"a,b", b"a b", b"", b"a:b"],
    b"content-length": [b"9" * 19, b"+1", b"1,1", b"", b"1 1"],
    b"transfer-encoding": [b"Chunked", b"gzip, chunked", b"identity", b""],
    b"connection": [b"upgrade", b"close, x-a", b"te", b""],
}
ANY_VALUE = [b"a", b"b c", b"", b"x" * 7, b"x" * 8, b"x" * 70, b"\xe9", b"a\tb", b"a: b", b'"a", b;c', b"1"]
PADDING = [b" ", b" ", b" ", b"", b"\t", b" \t "]
SPICE = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x7f", b"\x1f", b":", b",", b"/", b".", b"%", b"?", b"#", b"0", b"\x80", b"\xff", b"\r\n\r\n",
         b"\r\n ", b"Host: b\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"HTTP/1.1"]  # fmt: skip


def head_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (*lines, b""))


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return head_of(first, b"Host: example.com", *lines)


def response(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head_of(first, *lines)


def spelled(random: Random, name: bytes) -> bytes:
    return random.choice([bytes.title, bytes.lower, bytes.upper, bytes.swapcase])(name)


def choose(random: Random, usual: list[bytes], unusual: list[bytes]) -> bytes:
    """Choose something usual, as a rule."""
    return random.choice(unusual if random.random() < 0.05 else usual)


def header_line(random: Random, name: bytes) -> bytes:
    value = choose(random, VALUES.get(name, ANY_VALUE), UNUSUAL_VALUES.get(name, ANY_VALUE))
    return b"%b:%b%b%b" % (spelled(random, name), random.choice(PADDING), value, random.choice(PADDING[3:]))


def header_lines(random: Random, likely: bytes) -> list[bytes]:
    """Make header lines, of which one is `likely` as a rule, and some are special."""
    names = [random.choice(HARMLESS) for _ in range(random.randint(0, 6))]
    names += [random.choice(SPECIAL) for _ in range(random.choice([0, 0, 0, 1, 2, 5]))]
    names += [random.choice(names)] if names and random.random() < 0.1 else []
    random.shuffle(names)
    names[:0] = [likely] if random.random() < 0.95 else []
    if random.random() < 0.3:
        random.shuffle(names)
    return [header_line(random, name) for name in names]


def any_request(random: Random) -> bytes:
    method = choose(random, METHODS, UNUSUAL_METHODS)
    target = choose(random, TARGETS, UNUSUAL_TARGETS)
    first = b"%b %b%b" % (method, target, choose(random, [VERSION], UNUSUAL_VERSIONS))
    return head_of(first, *header_lines(random, b"host"))


def any_response(random: Random) -> bytes:
    likely = random.choice([b"content-length", b"transfer-encoding"])
    return head_of(b"HTTP/1.1 " + choose(random, STATUSES, UNUSUAL_STATUSES), *header_lines(random, likely))


def any_block(random: Random) -> bytes:
    return b"".join(line + b"\r\n" for line in header_lines(random, b"x-a"))


def any_pairs(random: Random) -> list[Any]:
    """Make a list of what a header of an application's may be, mostly pairs of bytes."""
    lines = [line.partition(b":") for line in header_lines(random, b"content-length")]
    pairs: list[Any] = [(name, value.strip(b" \t")) for name, _, value in lines]
    if pairs and random.random() < 0.2:
        at = random.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at] = random.choice([
            (name,), [name, value], (name, value, b""), (name.decode("latin-1"), value), (name, bytearray(value)), None,
            (mutated(random, name), value), (name, mutated(random, value)), (name, b" " + value),
        ])  # fmt: skip
    return pairs


def mutated(random: Random, data: bytes) -> bytes:
    """Change a few bytes, in most cases none."""
    for _ in range(random.choice([0, 0, 0, 0, 1, 1, 2, 4])):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.randint(0, 12))
        match random.randint(0, 5):
            case 0:
                data = data[:start] + bytes([random.randint(0, 255)]) + data[start + 1 :]
            case 1:
                data = data[:start] + random.choice(SPICE) + data[start:]
            case 2:
                data = data[:start] + data[end:]
            case 3:
                data = data[:end] + data[start:]
            case 4:
                data = data[:start] + data[end:] + data[start:end]
            case 5:
                data = data[:start] + random.choice([b"", b"GET / HTTP/1.1\r\n", data[end:]])
    return data


def any_limits(random: Random, data: bytes) -> tuple[int, int, int]:
    """Choose `max_head`, `max_line` and `max_headers`, at times so that `data` just fits them or does not."""
    if random.random() < 0.7:
        return 32768, 8192, 100
    size, line, lines = len(data), data.find(b"\r\n"), data.count(b"\r\n") - 2
    return (
        max(0, random.choice([32768, size, size - 1, random.randint(0, size)])),
        max(0, random.choice([8192, line, line - 1])),
        max(0, random.choice([100, lines, lines - 1])),
    )

"""Plain heads: what is one, and what is returned of it, by both twins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hostler.client.outgoing import REPLACED
from hostler.errors import ProtocolError
from hostler.http import plain
from hostler.http.fields import HOP_BY_HOP
from hostler.http.message import CHUNKED
from hostler.http.target import parse_target
from tests.http.plain_heads import LIMITS, compiled, request, response

TWINS = [
    pytest.param(plain, id="pure"),
    pytest.param(
        compiled,
        id="compiled",
        marks=pytest.mark.skipif(compiled is None, reason="hostler was built without a C compiler"),
    ),
]

both = pytest.mark.parametrize("heads", TWINS)


def read(heads, data, **limits):
    return heads.read_request(data, *(LIMITS | limits).values())


def answer(heads, data, **limits):
    limits = LIMITS | limits
    return heads.read_response(data, limits["max_head"], limits["max_headers"])


@both
class TestRequests:
    def test_facts_and_the_lines_that_a_destination_gets(self, heads):
        data = request(b"Accept: */*", b"X-A:  b ", b"content-length: 3", first=b"POST /a/b?c=%20&d HTTP/1.1")
        kept = b"Accept: */*\r\nX-A:  b \r\ncontent-length: 3\r\n"
        expected = ("POST", b"/a/b?c=%20&d", "/a/b", b"c=%20&d", b"example.com", 3, True, kept, len(data))
        assert read(heads, data + b"abcGET /") == expected

    def test_no_query_is_none_and_an_empty_one_is_empty(self, heads):
        assert read(heads, request(first=b"GET / HTTP/1.1"))[3] is None
        assert read(heads, request(first=b"GET /? HTTP/1.1"))[3] == b""
        assert read(heads, request(first=b"GET /?? HTTP/1.1"))[3] == b"?"

    def test_a_body_in_chunks(self, heads):
        data = request(b"Transfer-Encoding: chunked", b"A: b")
        assert read(heads, data)[5:8] == (CHUNKED, True, b"A: b\r\n")

    def test_no_body(self, heads):
        assert read(heads, request())[5] == 0

    @pytest.mark.parametrize(
        ("value", "stays_open"), [(b"close", False), (b"Keep-Alive", True), (b"CLOSE", False)]
    )
    def test_whether_the_connection_stays_open(self, heads, value, stays_open):
        assert read(heads, request(b"Connection: \t" + value + b" "))[6] is stays_open

    @pytest.mark.parametrize("method", [b"GET", b"get", b"M-SEARCH", b"UNKNOWN", b"X" * 32])
    def test_any_token_is_a_method(self, heads, method):
        assert read(heads, request(first=method + b" / HTTP/1.1"))[0] == method.decode()

    @pytest.mark.parametrize("method", [b"CONNECT", b"", b"X" * 33, b"G(T", b"G\xc3T", b" GET"])
    def test_methods_that_are_not_plain(self, heads, method):
        assert read(heads, request(first=method + b" / HTTP/1.1")) is None

    @pytest.mark.parametrize(
        "target",
        [b"*", b"//", b"/a//b", b"/.", b"/./a", b"/a/../b", b"/a/.b", b"/%41", b"/a\\b", b"http://a/", b"/a#b", b"/?#", b"/\x7f", b"/\xe9", b"", b"a", b"?a"],
    )  # fmt: skip
    def test_targets_that_are_not_plain(self, heads, target):
        assert read(heads, request(first=b"GET " + target + b" HTTP/1.1")) is None

    @pytest.mark.parametrize(
        "first",
        [b"GET / HTTP/1.0", b"GET / HTTP/2.0", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /", b"GET / http/1.1", b"\r\nGET / HTTP/1.1", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\nA: b"],
    )  # fmt: skip
    def test_request_lines_that_are_not_plain(self, heads, first):
        assert read(heads, request(first=first)) is None

    @pytest.mark.parametrize(
        "line",
        [b"Host: a", b"host:a", b"Expect: 100-continue", b"Upgrade: websocket", b"Connection: upgrade", b"Connection: close, te", b"Connection:", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding:"],
    )  # fmt: skip
    def test_lines_with_which_no_request_is_plain(self, heads, line):
        assert read(heads, request(line)) is None

    @pytest.mark.parametrize("value", [b"", b"+1", b"-1", b"1,1", b"1 1", b"0x1", b"1" * 19, b"\xb2"])
    def test_lengths_that_are_not_plain(self, heads, value):
        data = b"Content-Length: " + value
        assert read(heads, request(data)) is None
        assert answer(heads, response(data)) is None

    def test_the_longest_length(self, heads):
        assert read(heads, request(b"Content-Length: " + b"9" * 18))[5] == 10**18 - 1

    @pytest.mark.parametrize(
        "lines",
        [(b"Content-Length: 1", b"Content-Length: 1"), (b"Content-Length: 1", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Content-Length: 1"), (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), (b"Connection: close", b"Connection: close")],
    )  # fmt: skip
    def test_what_may_be_said_once_is_said_twice(self, heads, lines):
        assert read(heads, request(*lines)) is None
        assert answer(heads, response(*lines)) is None

    @pytest.mark.parametrize("host", [b"", b"Host:\r\n", b"Host: \t \r\n", b"Hos: a\r\n"])
    def test_a_request_without_a_host(self, heads, host):
        assert read(heads, b"GET / HTTP/1.1\r\n" + host + b"A: b\r\n\r\n") is None

    @pytest.mark.parametrize("name", sorted(REPLACED))
    def test_what_is_replaced_does_not_get_through(self, heads, name):
        for spelling in (name, name.title(), name.upper()):
            facts = read(heads, request(b"A: b", spelling + b":close", b"C: d"))
            assert facts is None or facts[7] == b"A: b\r\nC: d\r\n"

    def test_nothing_else_is_replaced(self, heads):
        for name in REPLACED:
            for other in (name + b"x", name[:-1], b"x" + name, name[1:], name.replace(b"-", b"_")):
                if other and other not in REPLACED | {b"content-length", b"expect"}:
                    line = other + b": close\r\n"
                    assert read(heads, request(line[:-2]))[7] == line

    def test_more_gaps_than_are_usual(self, heads):
        lines = [b"X-%d: a" % number for number in range(90)]
        mixed = [part for line in lines for part in (b"Keep-Alive: 1", line)]
        kept = b"".join(line + b"\r\n" for line in lines)
        assert read(heads, request(*mixed), max_headers=200)[7] == kept


@both
class TestResponses:
    def test_facts_and_the_lines_that_a_client_gets(self, heads):
        head = b"HTTP/1.1 404 Not  Found\r\nSet-Cookie: a\r\nset-cookie:b\r\nContent-Length: 5\r\nConnection: close\r\nA: b\r\n\r\n"
        block = head.replace(b"Connection: close\r\n", b"")[:-2]
        assert answer(heads, head + b"hello") == (404, 5, False, block, False, len(head))

    def test_a_body_in_chunks(self, heads):
        data = response(b"Transfer-Encoding: chunked", b"Date: now")
        expected = (200, CHUNKED, True, b"HTTP/1.1 200 OK\r\nDate: now\r\n", True, len(data))
        assert answer(heads, data) == expected

    def test_a_length_of_nothing(self, heads):
        assert answer(heads, response(b"Content-Length: 0"))[1] == 0

    def test_a_body_that_ends_with_the_connection(self, heads):
        assert answer(heads, response(b"Date: now")) is None

    @pytest.mark.parametrize(
        "status",
        [b"100", b"101", b"199", b"204", b"205", b"304", b"600", b"999", b"20", b"2000", b"2x0", b""],
    )
    def test_statuses_that_are_not_plain(self, heads, status):
        data = response(b"Content-Length: 1", first=b"HTTP/1.1 " + status + b" OK")
        assert answer(heads, data) is None

    @pytest.mark.parametrize("reason", [b"", b" ", b" \0", b" a\x7f", b" \n", b" " + b"x" * 129])
    def test_reasons_that_are_not_plain(self, heads, reason):
        data = response(b"Content-Length: 1", first=b"HTTP/1.1 200" + reason)
        assert answer(heads, data) is None

    @pytest.mark.parametrize("reason", [b"O", b"x" * 128, b" \t", b"\xe9"])
    def test_any_reason_stays(self, heads, reason):
        data = response(b"Content-Length: 1", first=b"HTTP/1.1 200 " + reason)
        assert answer(heads, data)[3] == data[:-2]

    @pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
    def test_what_concerns_one_hop_does_not_get_through(self, heads, name):
        facts = answer(heads, response(b"Content-Length: 1", name.title() + b": close"))
        assert facts is None or facts[3] == b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"

    @pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for", b"host", b"expect", b"alpn-x"])
    def test_the_rest_does(self, heads, name):
        data = response(b"Content-Length: 1", name + b": a")
        assert answer(heads, data)[3] == data[:-2]


@both
class TestBoth:
    def test_the_names_that_are_dropped(self, heads):
        dropped = heads.DROPPED_FROM_REQUESTS
        assert dropped == REPLACED - {b"upgrade"}
        assert heads.DROPPED_FROM_RESPONSES == HOP_BY_HOP

    def test_every_byte_in_a_value(self, heads):
        for byte in range(256):
            line = b"A: b%cc" % byte
            is_text = byte == 9 or (byte >= 0x20 and byte != 0x7F)
            assert (read(heads, request(line)) is not None) is is_text
            assert (answer(heads, response(b"Content-Length: 1", line)) is not None) is is_text

    def test_every_byte_in_a_name(self, heads):
        for byte in range(256):
            line = b"A%c: b" % byte
            is_name = byte < 0x80 and (chr(byte).isalnum() or chr(byte) in "!#$%&'*+-.^_`|~:")
            assert (read(heads, request(line)) is not None) is is_name
            assert (answer(heads, response(b"Content-Length: 1", line)) is not None) is is_name

    def test_every_byte_in_a_target_is_judged_as_in_any_other(self, heads):
        for byte in range(256):
            for target in (b"/a%cb" % byte, b"/a?b%cc" % byte):
                try:
                    parsed = parse_target("GET", target)
                except ProtocolError:
                    plain_one = False
                else:
                    plain_one = (
                        parsed.forward_path == parsed.path.encode() == parsed.raw_path and byte != 0x20
                    )
                assert (read(heads, request(first=b"GET %b HTTP/1.1" % target)) is not None) is plain_one

    def test_a_control_character_anywhere_in_a_long_value(self, heads):
        for at in range(40):
            value = b"\x80" * at + b"\t\x7f" + b"\xff" * (39 - at)
            assert read(heads, request(b"A: " + value)) is None
            assert read(heads, request(b"A: " + value.replace(b"\x7f", b"~"))) is not None

    @pytest.mark.parametrize(
        "line", [b" a: b", b": b", b"a : b", b"a", b"a\r: b", b"a: \r", b"a: b\nc: d", b"a: b\r\r", b"a:\0"]
    )
    def test_lines_that_are_not_plain(self, heads, line):
        assert read(heads, request(b"C: d", line, b"E: f")) is None
        assert answer(heads, response(b"Content-Length: 1", line, b"E: f")) is None

    def test_a_head_that_is_not_whole(self, heads):
        data = request(b"A: b", b"Content-Length: 3", first=b"POST /a?b HTTP/1.1")
        assert [end for end in range(len(data)) if read(heads, data[:end]) is not None] == []
        data = response(b"A: b", b"Content-Length: 3")
        assert [end for end in range(len(data)) if answer(heads, data[:end]) is not None] == []

    def test_limits(self, heads):
        data = request(b"A: b", b"C: d", first=b"GET /abc?d HTTP/1.1")
        line = len(b"GET /abc?d HTTP/1.1")
        assert read(heads, data + b"x" * 99, max_head=len(data), max_line=line, max_headers=3) is not None
        assert read(heads, data, max_head=len(data) - 1) is None
        assert read(heads, data, max_line=line - 1) is None
        assert read(heads, data, max_headers=2) is None
        assert read(heads, data, max_head=0) is None
        assert read(heads, data, max_head=-1) is None
        data = response(b"Content-Length: 1", b"C: d")
        assert answer(heads, data + b"x" * 99, max_head=len(data), max_headers=2) is not None
        assert answer(heads, data, max_head=len(data) - 1) is None
        assert answer(heads, data, max_headers=1) is None


@both
class TestPairs:
    @pytest.mark.parametrize(
        ("block", "pairs"),
        [
            (b"", []),
            (b"A: b\r\nc:d\r\n", [(b"A", b"b"), (b"c", b"d")]),
            (b"A: \t b c\t\r\nEmpty:\r\n", [(b"A", b"b c"), (b"Empty", b"")]),
            (b"A: b:c\r\n", [(b"A", b"b:c")]),
            (b"A: b\r\nleft out", [(b"A", b"b")]),
            (b"Nothing else\r\n", [(b"Nothing else", b"")]),
            (b"\r\n\r\n", [(b"", b""), (b"", b"")]),
            (b"A: b\rc\r\r\n\n\r\n", [(b"A", b"b\rc\r"), (b"\n", b"")]),
        ],
    )
    def test_of_lines(self, heads, block, pairs):
        assert heads.split_lines(block, False) == pairs

    def test_of_lines_with_names_in_lower_case(self, heads):
        assert heads.split_lines(b"Content-TYPE: A\r\n\xc9: B\r\n", True) == [
            (b"content-type", b"A"),
            (b"\xc9", b"B"),
        ]

    @pytest.mark.parametrize(
        ("raw", "lines"),
        [
            ([], (b"", -1, False)),
            ([(b"a", b"b"), (b"C", b"")], (b"a: b\r\nC: \r\n", -1, False)),
            ([(b"Content-Length", b"12"), (b"DATE", b"")], (b"Content-Length: 12\r\nDATE: \r\n", 12, True)),
            ([(b"date", b"a"), (b"date", b"\xe9\t")], (b"date: a\r\ndate: \xe9\t\r\n", -1, True)),
            ([(b"expect", b"1"), (b"host", b"")], (b"expect: 1\r\nhost: \r\n", -1, False)),
        ],
    )
    def test_to_lines(self, heads, raw, lines):
        assert heads.write_lines(raw) == lines

    @pytest.mark.parametrize(
        "raw",
        [
            [[b"a", b"b"]], [("a", b"b")], [(b"a", "b")], [(b"a", None)], [(b"a",)], [(b"a", b"b", b"c")], [None], [()],
            [(bytearray(b"a"), b"b")], [(b"a", memoryview(b"b"))], ((b"a", b"b"),), None, b"", {},
            [(b"", b"b")], [(b"a:", b"b")], [(b"a b", b"c")], [(b"a\r\nb", b"c")], [(b"\xe9", b"c")], [(b"a\0", b"")],
            [(b"a", b"b\r\nc: d")], [(b"a", b"\n")], [(b"a", b"\0")], [(b"a", b"\x7f")], [(b"a", b"\x1b")],
            [(b"a", b"b\n"), (b"c", b"\r")],
            *([(change(name), b"x")] for name in sorted(HOP_BY_HOP) for change in (bytes.lower, bytes.title)),
            [(b"content-length", b"1"), (b"Content-Length", b"1")], [(b"content-length", b"")],
            [(b"content-length", b" 1")], [(b"content-length", b"+1")], [(b"content-length", b"1" * 19)],
        ],
    )  # fmt: skip
    def test_what_is_not_plain(self, heads, raw):
        assert heads.write_lines(raw) is None
        if type(raw) is list:
            assert heads.write_lines([(b"a", b"b"), *raw, (b"c", b"d")]) is None

    def test_a_generator_is_left_alone(self, heads):
        pairs = iter([(b"a", b"b")])
        assert heads.write_lines(pairs) is None
        assert next(pairs) == (b"a", b"b")

    def test_a_list_of_pairs_comes_back(self, heads):
        pairs = [(b"%d" % number, b"x" * number) for number in range(3000)]
        assert heads.split_lines(heads.write_lines(pairs)[0], False) == pairs


@pytest.mark.skipif(compiled is None, reason="hostler was built without a C compiler")
@pytest.mark.parametrize(
    "call", [("read_request", bytearray(b"GET"), 1, 1, 1), ("read_request", b"", "1", 1, 1), ("read_request", b""),
             ("read_response", b"", 1), ("split_lines", "a", True), ("split_lines",), ("write_lines",)]
)  # fmt: skip
def test_arguments_that_the_compiled_ones_refuse(call):
    name, *arguments = call
    with pytest.raises(TypeError):
        getattr(compiled, name)(*arguments)


@pytest.mark.parametrize(
    ("value", "is_pure"), [(None, False), ("", False), ("0", False), ("1", True), ("yes", True)]
)
def test_the_environment_chooses(value, is_pure):
    environment = {name: text for name, text in os.environ.items() if name != "HOSTLER_PURE"}
    if value is not None:
        environment["HOSTLER_PURE"] = value
    program = "from hostler.http import heads; print(heads.COMPILED, heads.split_lines.__module__)"
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    chosen = plain if is_pure or compiled is None else compiled
    assert said.stdout.split() == [str(chosen is not plain), chosen.__name__]

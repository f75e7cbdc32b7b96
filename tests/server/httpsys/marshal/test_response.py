"""Responses: what HTTP.sys is told to send is what was asked for, and nothing that would break a message."""

import gc
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler import ProtocolError
from hostler.http.message import reason_phrase
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    BYTE_RANGE_TO_EOF,
    RESPONSE_HEADER_IDS,
    RESPONSE_HEADERS,
    ResponseInfoFlag,
)
from hostler.server.httpsys.marshal.response import Chunks, NativeResponse
from tests.server.httpsys.marshal import native_responses as sent


def headers_of(raw):
    response = NativeResponse(200, None, raw)
    return sent.headers(response.pointer)


class TestStatus:
    @pytest.mark.parametrize("status", [101, 200, 204, 404, 503, 999])
    def test_the_reason_is_the_registered_one(self, status):
        response = NativeResponse(status, None, [])
        assert response.pointer.StatusCode == status
        assert sent.reason(response.pointer) == reason_phrase(status)

    @pytest.mark.parametrize("reason", [b"Very OK", b"", b"\xe9t\xe9"])
    def test_another_reason(self, reason):
        response = NativeResponse(200, reason, [(b"Via", b"x")])
        assert sent.reason(response.pointer) == reason
        assert sent.headers(response.pointer) == [(b"Via", b"x")]

    def test_the_rest_is_as_http_sys_wants_it(self):
        native = NativeResponse(200, None, []).pointer
        assert (native.Version.MajorVersion, native.Version.MinorVersion) == (1, 1)
        assert (native.Flags, native.EntityChunkCount, native.ResponseInfoCount) == (0, 0, 0)
        assert (native.Headers.TrailerCount, native.Headers.UnknownHeaderCount) == (0, 0)
        assert native.pEntityChunks == native.pResponseInfo == native.Headers.pUnknownHeaders == ffi.NULL

    @pytest.mark.parametrize("status", [0, 99, 1000, -1])
    def test_what_is_no_status(self, status):
        with pytest.raises(ProtocolError) as caught:
            NativeResponse(status, None, [])
        assert caught.value.status == 500


class TestHeaders:
    def test_known_ones_have_their_places(self):
        raw = [(name, b"value of " + name) for name in RESPONSE_HEADERS]
        response = NativeResponse(200, None, raw)
        assert sent.headers(response.pointer) == raw
        assert response.pointer.Headers.UnknownHeaderCount == 0

    def test_names_are_known_in_any_case(self):
        assert headers_of([(b"eTAG", b'"a"'), (b"CONTENT-TYPE", b"text/plain"), (b"server", b"s")]) == [
            (b"Content-Type", b"text/plain"), (b"ETag", b'"a"'), (b"Server", b"s"),
        ]  # fmt: skip

    def test_unknown_ones_keep_name_order_and_number(self):
        raw = [(b"x-b", b"1"), (b"X-A", b"2"), (b"X-B", b"3"), (b"Accept", b"a request's header")]
        assert headers_of(raw) == raw

    def test_several_of_a_known_one_stay_apart(self):
        raw = [
            (b"Set-Cookie", b"a=1; Path=/"),
            (b"X-Between", b"y"),
            (b"set-cookie", b"b=2"),
            (b"Set-Cookie", b"c=3"),
        ]
        response = NativeResponse(200, None, raw)
        assert sent.multiple(response.pointer) == [
            (RESPONSE_HEADER_IDS[b"set-cookie"], 0, [b"a=1; Path=/", b"b=2", b"c=3"])
        ]
        assert sent.headers(response.pointer)[-1] == (b"X-Between", b"y")

    def test_authentication_schemes_keep_their_order(self):
        raw = [
            (b"WWW-Authenticate", b"Negotiate"),
            (b"WWW-Authenticate", b"NTLM"),
            (b"Via", b"a"),
            (b"Via", b"b"),
        ]
        response = NativeResponse(401, None, raw)
        assert sent.multiple(response.pointer) == [
            (
                RESPONSE_HEADER_IDS[b"www-authenticate"],
                ResponseInfoFlag.PRESERVE_ORDER,
                [b"Negotiate", b"NTLM"],
            ),
            (RESPONSE_HEADER_IDS[b"via"], 0, [b"a", b"b"]),
        ]

    def test_ones_without_a_value(self):
        response = NativeResponse(200, None, [(b"Vary", b""), (b"X-Empty", b"")])
        assert sent.headers(response.pointer) == [(b"Vary", b""), (b"X-Empty", b"")]

    def test_long_and_many_ones(self):
        raw = [
            (b"Location", b"l" * 65535),
            (b"X" * 65535, b"name"),
            *[(b"X-%d" % at, b"v" * at) for at in range(2000)],
        ]
        assert headers_of(raw) == raw

    @pytest.mark.parametrize("name", [b"", b"X Y", b"X:Y", b"X\r\nY", b"X\0", b"\xe9"])
    def test_what_is_no_name(self, name):
        self.refused(None, [(b"Via", b"a"), (name, b"value")])

    @pytest.mark.parametrize("value", [b"a\r\nX-Smuggled: b", b"a\nb", b"a\rb", b"a\0b"])
    @pytest.mark.parametrize("name", [b"Location", b"X-Other"])
    def test_a_value_that_would_break_the_head(self, name, value):
        self.refused(None, [(name, value)])

    @pytest.mark.parametrize("reason", [b"a\r\nX-Smuggled: b", b"a\nb", b"a\0b"])
    def test_a_reason_that_would_break_the_head(self, reason):
        self.refused(reason, [])

    @pytest.mark.parametrize(
        "raw", [[(b"Location", b"l" * 65536)], [(b"X-A", b"l" * 65536)], [(b"X" * 65536, b"")]]
    )
    def test_what_does_not_fit_into_16_bits(self, raw):
        assert "65535" in self.refused(None, raw)
        assert "65535" in self.refused(None, [(b"Via", b"")] + raw * 2)

    def test_a_reason_that_does_not_fit_into_16_bits(self):
        assert "65535" in self.refused(b"r" * 65536, [])

    @staticmethod
    def refused(reason, raw):
        with pytest.raises(ProtocolError) as caught:
            NativeResponse(200, reason, raw)
        assert caught.value.status == 500
        return str(caught.value)


class TestChunks:
    def test_bytes_are_not_copied(self):
        data = b"a" * 1000
        chunks = Chunks()
        chunks.memory(data)
        assert chunks.array()[0].FromMemory.pBuffer == ffi.from_buffer(data)
        assert sent.chunks(chunks.array(), len(chunks)) == [data]

    def test_pieces_of_every_kind_in_order(self):
        chunks = Chunks()
        chunks.memory(b"first")
        chunks.file(ffi.cast("HANDLE", 0x1234), 1 << 40, 17)
        chunks.file(0x1234, 0, BYTE_RANGE_TO_EOF)
        chunks.memory(b"last")
        chunks.trailers([(b"Expires", b"0"), (b"X-Checksum", b"abc"), (b"X-Checksum", b"")])
        assert len(chunks) == 5
        assert sent.chunks(chunks.array(), 5) == [
            b"first",
            (0x1234, 1 << 40, 17),
            (0x1234, 0, BYTE_RANGE_TO_EOF),
            b"last",
            [(b"Expires", b"0"), (b"X-Checksum", b"abc"), (b"X-Checksum", b"")],
        ]

    def test_what_is_empty_is_left_out(self):
        chunks = Chunks()
        chunks.memory(b"")
        chunks.file(0x1234, 5, 0)
        chunks.trailers([])
        assert len(chunks) == 0

    def test_trailers_are_checked_as_headers_are(self):
        for raw in ([(b"X Y", b"")], [(b"X-A", b"a\r\nX-B: b")], [(b"X-A", b"a" * 65536)]):
            with pytest.raises(ProtocolError) as caught:
                Chunks().trailers(raw)
            assert caught.value.status == 500

    def test_a_call_takes_9999(self):
        chunks = Chunks()
        for number in range(9999):
            chunks.memory(b"%d" % number)
        assert sent.chunks(chunks.array(), 9999)[-1] == b"9998"
        with pytest.raises(ValueError, match="9999"):
            chunks.memory(b"one more")

    def test_a_head_takes_the_first_ones_along(self):
        response, chunks = NativeResponse(200, None, []), Chunks()
        response.put(chunks)
        assert (response.pointer.EntityChunkCount, response.pointer.pEntityChunks) == (0, ffi.NULL)
        chunks.memory(b"body")
        response.put(chunks)
        assert sent.chunks(response.pointer.pEntityChunks, response.pointer.EntityChunkCount) == [b"body"]


def test_what_a_response_points_to_lives_as_long_as_it():
    raw = [(b"X-%d" % at, bytes((at,)) * 100) for at in range(65, 91)] + [
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]
    response, chunks = NativeResponse(200, b"Reason", list(raw)), Chunks()
    for number in range(100):
        chunks.memory(bytes([65 + number % 26]) * 1000)
    response.put(chunks)
    del chunks
    gc.collect()
    rubbish = [bytearray(b"\xff" * size) for size in range(64, 4096, 64)]
    assert sent.reason(response.pointer) == b"Reason"
    assert sent.headers(response.pointer) == [*raw[-2:], *raw[:-2]]
    bodies = sent.chunks(response.pointer.pEntityChunks, response.pointer.EntityChunkCount)
    assert bodies == [bytes([65 + number % 26]) * 1000 for number in range(100)]
    assert rubbish


TOKEN = st.text(string.ascii_letters + string.digits + "-_!#", min_size=1, max_size=12).map(str.encode)
VALUE = st.binary(max_size=40).map(lambda value: value.translate(None, b"\r\n\0"))


@given(st.lists(st.tuples(st.one_of(TOKEN, st.sampled_from(RESPONSE_HEADERS)), VALUE), max_size=30), VALUE)
def test_headers_arrive_as_they_were_given(raw, reason):
    response = NativeResponse(200, reason, raw)
    assert sent.reason(response.pointer) == reason
    known = sorted(
        (
            (RESPONSE_HEADER_IDS[name.lower()], value)
            for name, value in raw
            if name.lower() in RESPONSE_HEADER_IDS
        ),
        key=lambda pair: pair[0],
    )
    unknown = [pair for pair in raw if pair[0].lower() not in RESPONSE_HEADER_IDS]
    expected = [(RESPONSE_HEADERS[number], value) for number, value in known] + unknown
    assert sent.headers(response.pointer) == expected

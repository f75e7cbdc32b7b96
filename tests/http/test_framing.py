"""The rules of framing hold for any head, whatever read it."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.framing import frame_request, frame_response, outgoing_framing
from hostler.http.headers import Headers
from hostler.http.message import BODILESS, CHUNKED, UNTIL_CLOSE, Request, Response


def framed(*lines: tuple[bytes, bytes], version: int = 11, host: bool = True) -> Request:
    raw = [(b"Host", b"a")] if host else []
    request = Request("POST", b"/", Headers([*raw, *lines]), version)
    frame_request(request)
    return request


def answered(*lines: tuple[bytes, bytes], status: int = 200, version: int = 11, to: str = "GET") -> Response:
    response = Response(status, Headers(list(lines)), version=version)
    frame_response(response, to)
    return response


def refusal(*lines: tuple[bytes, bytes], version: int = 11, host: bool = True) -> int:
    with pytest.raises(ProtocolError) as caught:
        framed(*lines, version=version, host=host)
    return caught.value.status


LENGTH = (b"Content-Length", b"5")
CODED = (b"Transfer-Encoding", b"chunked")


class TestHost:
    def test_is_taken_from_the_header(self):
        assert framed().host == b"a"

    def test_may_be_empty(self):
        assert framed((b"host", b""), host=False).host == b""

    def test_is_needed_in_http_1_1(self):
        assert refusal(host=False) == 400

    def test_is_not_needed_in_http_1_0(self):
        assert framed(version=10, host=False).host is None

    @pytest.mark.parametrize("version", [10, 11])
    @pytest.mark.parametrize("second", [b"a", b"b", b""])
    def test_comes_once(self, version, second):
        assert refusal((b"HOST", second), version=version) == 400


class TestRequestFraming:
    def test_no_header_no_body(self):
        assert framed().framing == 0

    @pytest.mark.parametrize(
        ("value", "length"),
        [(b"0", 0), (b"5", 5), (b"0005", 5), (b"9" * 18, 10**18 - 1)],
        ids=["zero", "five", "leading zeros", "largest"],
    )
    def test_content_length_is_the_length(self, value, length):
        assert framed((b"content-length", value)).framing == length

    @pytest.mark.parametrize(
        "value",
        [b"", b"+5", b"-5", b"5 5", b"5, 5", b"0x5", b"5_0", b"5.0", b"\xb2", b" 5", b"1" + b"0" * 18, b"9" * 5000],
        ids=["empty", "plus", "minus", "two", "list", "hex", "underscore", "float", "superscript", "blank", "huge", "vast"],
    )  # fmt: skip
    def test_content_length_is_digits_and_of_this_world(self, value):
        assert refusal((b"Content-Length", value)) == 400

    @pytest.mark.parametrize("second", [b"5", b"6"])
    def test_content_length_comes_once(self, second):
        assert refusal(LENGTH, (b"content-length", second)) == 400

    @pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED"])
    def test_chunked_is_the_one_coding(self, value):
        assert framed((b"transfer-encoding", value)).framing == CHUNKED

    @pytest.mark.parametrize(
        "lines", [(LENGTH, CODED), (CODED, LENGTH)], ids=["length first", "coding first"]
    )
    def test_both_are_refused(self, lines):
        assert refusal(*lines) == 400

    def test_http_1_0_has_no_transfer_encoding(self):
        assert refusal(CODED, version=10) == 400

    @pytest.mark.parametrize(
        "values", [[b"gzip, chunked"], [b"gzip", b"chunked"], [b"identity,Chunked"]], ids=repr
    )
    def test_a_coding_that_could_be_understood_is_501(self, values):
        assert refusal(*[(b"Transfer-Encoding", value) for value in values]) == 501

    @pytest.mark.parametrize(
        "values",
        [[b""], [b"gzip"], [b"chunked, gzip"], [b"chunked", b"chunked"], [b"chunked,"], [b", chunked"], [b"xchunked"],
         [b"chunked", b"identity"], [b"chunked, chunked"], [b"gzip chunked"], [b"chunked;q=1"]],
        ids=repr,
    )  # fmt: skip
    def test_a_coding_that_leaves_the_end_open_is_400(self, values):
        assert refusal(*[(b"Transfer-Encoding", value) for value in values]) == 400


class TestRequestConnection:
    @pytest.mark.parametrize(
        ("version", "values", "kept"),
        [
            (11, [], True),
            (11, [b"close"], False),
            (11, [b"Keep-Alive"], True),
            (11, [b""], True),
            (11, [b"x", b"CLOSE"], False),
            (11, [b"keep-alive, close"], False),
            (10, [], False),
            (10, [b"keep-alive"], True),
            (10, [b"x", b"Keep-Alive"], True),
            (10, [b"keep-alive", b"close"], False),
        ],
        ids=repr,
    )
    def test_is_kept_or_not(self, version, values, kept):
        lines = [(b"Connection", value) for value in values]
        assert framed(*lines, version=version).keep_alive is kept
        assert answered(*lines, LENGTH, version=version).keep_alive is kept

    @pytest.mark.parametrize(
        ("version", "value", "waits"),
        [(11, b"100-continue", True), (11, b"100-Continue", True), (11, b"200-ok", False), (10, b"100-continue", False)],
        ids=repr,
    )  # fmt: skip
    def test_expectation(self, version, value, waits):
        assert framed((b"Expect", value), version=version).expect_continue is waits

    def test_upgrade_is_an_offer_when_connection_names_it(self):
        upgrade = (b"Upgrade", b"websocket")
        assert framed((b"Connection", b"keep-alive, Upgrade"), upgrade).upgrade == b"websocket"
        assert framed(upgrade, (b"Connection", b"x"), (b"Connection", b"upgrade")).upgrade == b"websocket"

    def test_several_offers_are_one_list(self):
        lines = [(b"Upgrade", b"a"), (b"Upgrade", b"b"), (b"Connection", b"upgrade")]
        assert framed(*lines).upgrade == b"a, b"

    @pytest.mark.parametrize(
        ("lines", "version"),
        [
            ([(b"Upgrade", b"a")], 11),
            ([(b"Upgrade", b"a"), (b"Connection", b"close")], 11),
            ([(b"Connection", b"upgrade")], 11),
            ([(b"Upgrade", b"a"), (b"Connection", b"upgrade")], 10),
        ],
        ids=["no Connection", "Connection names another", "no Upgrade", "HTTP/1.0"],
    )
    def test_upgrade_is_ignored_otherwise(self, lines, version):
        assert framed(*lines, version=version).upgrade is None


class TestResponseFraming:
    @pytest.mark.parametrize(
        ("lines", "framing"),
        [([LENGTH], 5), ([(b"content-length", b"0")], 0), ([CODED], CHUNKED), ([], UNTIL_CLOSE)],
        ids=["length", "zero", "chunked", "neither"],
    )
    def test_is_by_header(self, lines, framing):
        assert answered(*lines).framing == framing

    def test_until_close_ends_the_connection(self):
        assert not answered((b"Connection", b"keep-alive")).keep_alive

    @pytest.mark.parametrize("lines", [[], [LENGTH], [CODED]], ids=["neither", "length", "chunked"])
    @pytest.mark.parametrize(
        ("status", "to"),
        [(100, "GET"), (101, "GET"), (103, "GET"), (199, "POST"), (204, "GET"), (304, "GET"), (200, "HEAD")],
    )
    def test_is_nothing_where_there_is_no_body(self, status, to, lines):
        response = answered(*lines, status=status, to=to)
        assert response.framing == 0
        assert response.keep_alive
        assert response.headers.raw == lines

    @pytest.mark.parametrize("to", ["GET", "HEAD"])
    @pytest.mark.parametrize(
        "lines", [(LENGTH, CODED), (CODED, LENGTH)], ids=["length first", "coding first"]
    )
    def test_content_length_beside_chunked_is_dropped_and_the_connection_not_kept(self, lines, to):
        response = answered(*lines, to=to)
        assert response.headers.raw == [CODED]
        assert response.framing == (CHUNKED if to == "GET" else 0)
        assert not response.keep_alive

    @pytest.mark.parametrize(
        "lines",
        [
            [(b"Transfer-Encoding", b"gzip, chunked")],
            [(b"Transfer-Encoding", b"gzip"), LENGTH],
            [CODED, CODED],
            [LENGTH, LENGTH],
            [(b"Content-Length", b"+5")],
            [(b"Content-Length", b"x"), CODED],
        ],
        ids=["more codings", "another coding", "chunked twice", "length twice", "sign", "no number"],
    )
    def test_cannot_be_trusted(self, lines):
        with pytest.raises(ProtocolError):
            answered(*lines)

    def test_http_1_0_has_no_transfer_encoding(self):
        with pytest.raises(ProtocolError):
            answered(CODED, version=10)

    def test_of_http_1_0_by_length(self):
        assert answered(LENGTH, version=10).framing == 5

    def test_headers_of_the_same_length_are_others(self):
        response = answered(
            (b"Content-Lengti", b"x"), (b"Transfer-Encodinh", b"x"), (b"Connectiom", b"close"), LENGTH
        )
        assert response.framing == 5
        assert response.keep_alive


class TestOutgoingFraming:
    @pytest.mark.parametrize("version", [10, 11, 20, 30])
    def test_a_length_that_is_known_is_kept(self, version):
        assert outgoing_framing(Response(200, framing=5), "GET", version) == 5

    @pytest.mark.parametrize(
        ("version", "framing"), [(10, UNTIL_CLOSE), (11, CHUNKED), (20, UNTIL_CLOSE), (30, UNTIL_CLOSE)]
    )
    @pytest.mark.parametrize("unknown", [CHUNKED, UNTIL_CLOSE])
    def test_only_http_1_1_has_chunks(self, unknown, version, framing):
        assert outgoing_framing(Response(200, framing=unknown), "GET", version) == framing

    @pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "GET"), (304, "GET")])
    @pytest.mark.parametrize("framing", [5, CHUNKED])
    def test_some_answers_have_no_body(self, status, method, framing):
        assert outgoing_framing(Response(status, framing=framing), method, 11) == BODILESS

"""Heads are plain values: what a request or a response is, before anything is known about it."""

from __future__ import annotations

import pytest

from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, UNTIL_CLOSE, Request, Response, reason_phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(100, b"Continue"), (200, b"OK"), (404, b"Not Found"), (418, b"I'm a Teapot"), (599, b""), (299, b"")],
)
def test_a_status_has_its_registered_phrase_or_none(status, phrase):
    assert reason_phrase(status) == phrase


def test_the_framings_without_a_length_are_no_lengths():
    assert CHUNKED < 0
    assert UNTIL_CLOSE < 0
    assert CHUNKED != UNTIL_CLOSE


def test_a_request_is_http_1_1_without_a_body_unless_said_otherwise():
    request = Request("GET", b"/", Headers())
    assert (request.version, request.framing, request.host) == (11, 0, None)
    assert (request.keep_alive, request.expect_continue, request.upgrade) == (True, False, None)


def test_a_response_has_its_own_headers_and_the_registered_reason():
    response = Response(200)
    response.headers.add("A", "b")
    assert Response(200).headers.raw == []
    assert (response.reason, response.version, response.framing, response.keep_alive) == (None, 11, 0, True)


def test_heads_are_compared_by_identity():
    assert Response(200) != Response(200)

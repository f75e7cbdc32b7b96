"""Heads of HTTP/1.1 as bytes, and what the readers make of them, for the tests of http/h1.py."""

from __future__ import annotations

import pytest

from hostler.errors import ProtocolError
from hostler.http.h1 import RequestReader, ResponseReader
from hostler.http.limits import Limits

HOST = b"Host: a\r\n"


def head_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (*lines, b""))


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return head_of(first, b"Host: a", *lines)


def read(data: bytes, limits: Limits | None = None):
    reader = RequestReader(limits or Limits())
    return reader.feed(data), reader


def read_by_the_byte(reader, data: bytes):
    """Feed single bytes until something comes of it; return that and how many bytes it took."""
    for index in range(len(data)):
        if (message := reader.feed(data[index : index + 1])) is not None:
            return message, index + 1
    return None, len(data)


def meaning(request):
    return (
        request.method,
        request.target,
        request.version,
        request.headers.raw,
        request.framing,
        request.host,
        request.keep_alive,
        request.expect_continue,
        request.upgrade,
    )


def refusal(data: bytes, limits: Limits | None = None) -> int:
    """Return the status that `data` gets, whole and byte by byte; a head that hangs is a failed test."""
    statuses = set()
    for feed in (lambda reader: reader.feed(data), lambda reader: read_by_the_byte(reader, data)):
        with pytest.raises(ProtocolError) as caught:
            feed(RequestReader(limits or Limits()))
        statuses.add(caught.value.status)
    (status,) = statuses
    return status


def answer(data: bytes, to: str = "GET"):
    reader = ResponseReader(to)
    return reader.feed(data), reader

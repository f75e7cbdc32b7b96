"""Heads that are plain, or nearly, for the tests of http/heads.py and for fuzz_heads.py."""

from __future__ import annotations

from typing import Any

compiled: Any
try:
    from hostler.http import _heads as compiled
except ImportError:
    compiled = None

LIMITS = {"max_head": 32768, "max_line": 8192, "max_headers": 100}


def head_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (*lines, b""))


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return head_of(first, b"Host: example.com", *lines)


def response(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head_of(first, *lines)

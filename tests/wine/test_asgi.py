"""An ASGI application (Starlette) served on Windows CPython."""

from __future__ import annotations

import httpx
import pytest

from tests.wine.limits import MAX_BODY
from tests.wine.program import PATIENCE


@pytest.fixture(scope="module")
def url(serve):
    with serve(what="application") as program:
        yield program.ready["url"]


def test_a_request_with_the_lifespans_state(url):
    answer = httpx.get(f"{url}/greet/J%C3%BCrgen?a=1&b=%20", trust_env=False, timeout=PATIENCE)
    assert answer.json() == {"greeting": "hello", "who": "Jürgen", "query": {"a": "1", "b": " "}}


def test_an_upload(url):
    answer = httpx.post(f"{url}/upload", content=b"x" * MAX_BODY, trust_env=False, timeout=PATIENCE)
    assert answer.json() == {"size": MAX_BODY}


def test_an_answer_that_streams(url):
    answer = httpx.get(f"{url}/count", trust_env=False, timeout=PATIENCE)
    assert answer.text == "0\n1\n2\n3\n4\n"


def test_what_the_application_refuses(url):
    assert httpx.get(f"{url}/nowhere", trust_env=False, timeout=PATIENCE).status_code == 404
    assert httpx.get(f"{url}/upload", trust_env=False, timeout=PATIENCE).status_code == 405


def test_a_websocket_is_accepted(url):
    """No further: "upgrades" in tests/wine/limits.py."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "whisper, shout",
        # the key and its answer of RFC 6455 1.3
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with httpx.stream("GET", f"{url}/socket", headers=headers, trust_env=False, timeout=PATIENCE) as answer:
        assert answer.status_code == 101
        assert answer.headers["upgrade"].lower() == "websocket"
        assert answer.headers["connection"].lower() == "upgrade"
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.headers["sec-websocket-protocol"] == "shout"

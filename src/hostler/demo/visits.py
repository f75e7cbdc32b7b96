"""A client that tries everything the demo has, and knows the right answers."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Expected", "visit"]

_TIMEOUT: Final = 20.0
_BODY: Final = bytes(range(256)) * 4096
"""1 MiB."""


@frozen
class Expected:
    """Which processes may answer."""

    forwarded: Collection[int]
    delegated: Collection[int]


@frozen
class _Request:
    method: str
    path: str
    status: int = 200
    body: bytes | None = None


_VISITS: Final = (
    ("forwarded", [_Request("GET", "/forwarded/hello")]),
    ("delegated", [_Request("GET", "/delegated/hello")]),
    ("an upload, forwarded", [_Request("POST", "/forwarded/upload", body=_BODY[:65536])]),
    ("an upload of 1 MiB, delegated", [_Request("POST", "/delegated/upload", body=_BODY)]),
    (
        "one connection, forwarded and delegated in turn",
        [_Request("GET", "/forwarded/1"), _Request("GET", "/delegated/2"),
         _Request("GET", "/forwarded/3"), _Request("GET", "/delegated/4")],
    ),
    ("no route", [_Request("GET", "/nowhere", 404)]),
)  # fmt: skip


def visit(url: str, expected: Expected, write: Callable[[str], object]) -> bool:
    """Send every request to the demo at `url`, write what came of it; returns whether every answer was right."""
    good = True
    for title, requests in _VISITS:
        write(f"# {title}\n")
        for line, wrong in _on_one_connection(url, requests, expected):
            write(f"{line}\n" + "".join(f"    WRONG: {text}\n" for text in wrong))
            good = good and not wrong
    return good


def _on_one_connection(url: str, requests: list[_Request], expected: Expected) -> list[tuple[str, list[str]]]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    results: list[tuple[str, list[str]]] = []
    first: Any = None
    try:
        for request in requests:
            line = f"{request.method} {parts.path}{request.path}"
            connection.request(request.method, parts.path + request.path, request.body)
            used = connection.sock
            first = first or used
            response = connection.getresponse()
            text = response.read()
            wrong = _mistakes(request, response.status, text, expected)
            if used is not first:
                wrong.append("the connection was not kept")
            results.append((f"{line} -> {response.status} {text.decode('utf-8', 'replace').strip()}", wrong))
    except (OSError, http.client.HTTPException) as error:
        results.append((f"{line} -> {type(error).__name__}", [str(error)]))
    finally:
        connection.close()
    return results


def _mistakes(request: _Request, status: int, text: bytes, expected: Expected) -> list[str]:
    if status != request.status:
        return [f"the status should be {request.status}"]
    if status != 200:
        return []
    try:
        answer = json.loads(text)
    except ValueError:
        return ["the answer should be JSON"]
    delegated = request.path.startswith("/delegated/")
    body = request.body or b""
    right: dict[str, set[Any]] = {
        "answered_by": {"worker"} if delegated else {"destination one", "destination two"},
        "process": set(expected.delegated if delegated else expected.forwarded),
        "received": {len(body)},
        "sha256": {hashlib.sha256(body).hexdigest()[:16]},
    }
    return [
        f"{key} should be {' or '.join(map(str, sorted(values)))}"
        for key, values in right.items()
        if answer.get(key) not in values
    ]

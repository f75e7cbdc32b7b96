"""One line per exchange: what was asked, what became of it, and how long that took; for people or for machines."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attrs import asdict, frozen

from hostler.errors import Failure, Reason
from hostler.http.encode import rejection_body
from hostler.outcome import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Rejection
    from hostler.exchange import Exchange
    from hostler.pipeline import Next

__all__ = ["LOG_FORMATS", "AccessEntry", "AccessLog", "as_json", "as_text"]


@frozen
class AccessEntry:
    """What is logged of an exchange; the fields of every format."""

    time: str
    """When it ended: ISO 8601, UTC, in milliseconds."""

    id: str
    """The request's id (`Exchange.id`); `-` for what was rejected."""

    client: str
    """The address of whom it is from; `unix` for one on a Unix socket."""

    peer: str
    """The same of who is connected: another one where a trusted proxy stands between."""

    method: str
    host: str
    """The host and port that were asked for."""

    target: str
    """The request target as the client wrote it."""

    status: int | None
    """What the client got; None when it got nothing, or nobody knows."""

    outcome: str
    """`responded`, `forwarded`, `delegated` or `failed` (`Kind`); `rejected` by the server itself (`AccessLog.rejected`)."""

    destination: str | None
    """The address that it was forwarded to, or the queue that it was delegated to."""

    failure: str | None
    bytes_received: int
    bytes_sent: int
    duration_ms: float
    route: str | None


def as_text(entry: AccessEntry) -> str:
    """Return an entry as a line for people, control characters escaped."""
    became = entry.outcome
    if entry.destination is not None:
        became += f" {'at' if entry.failure is not None else 'to'} {_one_line(entry.destination)}"
    if entry.failure is not None:
        became += f" ({_one_line(entry.failure)})"
    route = "" if entry.route is None else f"route {_one_line(entry.route)}, "
    client = entry.client if entry.client == entry.peer else f"{entry.client} via {entry.peer}"
    return (
        f"{entry.time} {client} {entry.method} {entry.host} {entry.target} {entry.status or '-'} {became}, "
        f"{entry.bytes_received} B in, {entry.bytes_sent} B out, {entry.duration_ms:.1f} ms, {route}id {entry.id}\n"
    )


def _one_line(text: str) -> str:
    return text if text.isprintable() else text.translate(_ESCAPED)


def as_json(entry: AccessEntry) -> str:
    """Return an entry as one line of JSON, an object with the names of `AccessEntry`."""
    return json.dumps(asdict(entry), separators=(",", ":")) + "\n"


LOG_FORMATS: Final[dict[str, Callable[[AccessEntry], str]]] = {"text": as_text, "json": as_json}
"""The formats of access lines, by name."""


class AccessLog:
    """A stage that writes a line when an exchange is over; put it first.

    `write` gets whole lines, newline included, several at once when the server is busy: they are collected until the
    event loop has time. `render` makes a line of an entry. `clock` is seconds for durations, `now` the time of day.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        render: Callable[[AccessEntry], str] = as_text,
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._render = render
        self._clock = clock
        self._now = now
        self._lines: list[str] = []

    async def __call__(self, exchange: Exchange, onward: Next, /) -> Outcome:
        """Time the exchange, and write its line."""
        began = self._clock()
        try:
            outcome = await onward(exchange)
        except BaseException as error:
            self._keep(exchange, _broken(exchange, error), began)
            raise
        self._keep(exchange, outcome, began)
        return outcome

    def _keep(self, exchange: Exchange, outcome: Outcome, began: float) -> None:
        self._add(_entry(exchange, outcome, self._clock() - began, self._now()))

    def rejected(self, rejection: Rejection) -> None:
        """Write a line for what the server answered itself; what is not known of it is `-`."""
        self._add(_rejected_entry(rejection, self._now()))

    def _add(self, entry: AccessEntry) -> None:
        lines = self._lines
        lines.append(self._render(entry))
        if len(lines) == 1:
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what has been collected."""
        lines, self._lines = self._lines, []
        if lines:
            self._write("".join(lines))


def _broken(exchange: Exchange, error: BaseException) -> Outcome:
    """Sum up an exchange that ended with an exception: whoever called will answer 500 if a client still waits."""
    stream = exchange.stream
    if not isinstance(error, Exception) or (stream.closed and not stream.started):
        detail = (
            "it was stopped before it was over" if isinstance(error, asyncio.CancelledError) else repr(error)
        )
        return exchange.outcome(Kind.FAILED, Failure(Reason.REQUEST_CANCELED, detail))
    outcome = exchange.outcome(Kind.FAILED, Failure(Reason.REQUEST_CREATION, repr(error), status=500))
    if not stream.started:
        outcome.status = 500
    return outcome


_ESCAPED: Final = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""Control characters, and whatever else ends a line, as a string literal has them."""


def _entry(exchange: Exchange, outcome: Outcome, seconds: float, now: float) -> AccessEntry:
    route = exchange.route
    return AccessEntry(
        _timestamp(now),
        exchange.id,
        exchange.client[0] or "unix",
        exchange.peer[0] or "unix",
        exchange.method,
        f"{exchange.host}:{exchange.port}",
        exchange.raw_target.decode("latin-1"),  # visible ASCII, or the request would have been rejected
        outcome.status or None,
        "failed" if outcome.failure is not None else outcome.kind.value,
        outcome.destination,
        None if outcome.failure is None else str(outcome.failure),
        outcome.bytes_received,
        outcome.bytes_sent,
        round(seconds * 1000, 3),
        None if route is None else route.config.id,
    )


def _rejected_entry(rejection: Rejection, now: float) -> AccessEntry:
    request, error = rejection.request, rejection.error
    method, host, target = (
        ("-", b"", b"") if request is None else (request.method, request.host, request.target)
    )
    return AccessEntry(
        _timestamp(now),
        "-",
        rejection.client[0] or "unix",
        (rejection.peer or rejection.client)[0] or "unix",
        method,
        _text(host),
        _text(target),
        error.status,
        "rejected",
        None,
        str(error),
        0,
        len(rejection_body(error.status, rejection.text)),
        0.0,
        None,
    )


def _text(raw: bytes | None) -> str:
    """Return what a client wrote and nobody has checked, as one word."""
    return raw.decode("latin-1").translate(_ESCAPED) if raw else "-"


def _timestamp(now: float) -> str:
    milliseconds = int(now * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=8)
def _second(now: int) -> str:
    """Return a second in ISO 8601; most lines are of the same few."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")

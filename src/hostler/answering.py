"""How servers and clients answer an exchange: the synchronous face, beside the coroutines of `Exchange`.

Whoever frames a response itself (the forwarder, the ASGI side, a server's last resort) uses these functions. They run
the callbacks of `Exchange.on_response`, and tell the coroutines that wait on the exchange's `Channel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Protocol, Self

from hostler.errors import DelegationError
from hostler.http.headers import Headers
from hostler.http.message import Response, reason_phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.channel import Channel
    from hostler.contract import Stream
    from hostler.errors import Failure
    from hostler.http.headers import RawHeaders

__all__ = [
    "TEXT",
    "AddedHeaders",
    "Answerable",
    "answer_failure",
    "apply_response_callbacks",
    "begin_response",
    "failure_response",
    "finish_response",
    "limit_body",
]

TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
"""The header of the answers that hostler words itself."""


class Answerable(Protocol):
    """An exchange as these functions know it; `hostler.exchange.Exchange`."""

    stream: Stream
    _response_callbacks: list[Callable[[RawHeaders], None]] | None
    _channel: Channel | None

    @property
    def intercept_failure(self) -> Callable[[Failure], bool] | None:
        """Asked before a failure is answered; True keeps it from the client."""
        ...

    @property
    def max_request_body_size(self) -> int | None:
        """Bytes that the request's body may have."""
        ...


class AddedHeaders(list[tuple[bytes, bytes]]):
    """What callbacks get of an answer that another process gives: it takes headers, and refuses anything else.

    A list in name only, for those who add without looking; `added` is the list of what they added.
    """

    def __init__(self) -> None:
        super().__init__()
        self.added: RawHeaders = []

    def append(self, header: tuple[bytes, bytes], /) -> None:
        """Add a header."""
        self.added.append(header)

    def extend(self, headers: Iterable[tuple[bytes, bytes]], /) -> None:
        """Add headers."""
        self.added.extend(headers)

    def __iadd__(self, headers: Iterable[tuple[bytes, bytes]], /) -> Self:  # type: ignore[override,misc]
        self.added.extend(headers)
        return self

    def _refuse(self, *_: object) -> NoReturn:
        raise DelegationError(
            "another process gives this answer: a callback of on_response may add headers to it (append, extend), but "
            "neither see nor change those that it has; let that process do so, or forward the request"
        )


for _name in (
    "__add__", "__contains__", "__delitem__", "__eq__", "__getitem__", "__iter__", "__len__", "__ne__", "__reversed__",
    "__setitem__", "clear", "copy", "count", "index", "insert", "pop", "remove", "reverse", "sort",
):  # fmt: skip
    setattr(AddedHeaders, _name, AddedHeaders._refuse)


def limit_body(exchange: Answerable) -> Failure | None:
    """Hold the request's body to its limit; whoever takes a body calls this first. Returns why it is refused."""
    size = exchange.max_request_body_size
    return None if size is None else exchange.stream.limit_body(size)


def apply_response_callbacks(exchange: Answerable, headers: RawHeaders) -> None:
    """Run the callbacks of `Exchange.on_response` on a response's headers, once."""
    callbacks = exchange._response_callbacks
    if callbacks is not None:
        exchange._response_callbacks = None
        for callback in callbacks:
            callback(headers)


def begin_response(exchange: Answerable, response: Response, data: bytes = b"") -> None:
    """Hand over a response's head, callbacks applied, and the body's first bytes.

    Raises RuntimeError when a response has begun, ValueError when its status is not a final one, ProtocolError when a
    header cannot be sent.
    """
    stream = exchange.stream
    if stream.started:
        raise RuntimeError(f"a response has begun already (status {stream.status})")
    if not 200 <= response.status <= 999 and response.status != 101:
        raise ValueError(f"{response.status} is not the status of a final response")
    if exchange._response_callbacks is not None:
        apply_response_callbacks(exchange, response.headers.raw)
    stream.start(response, data)


def finish_response(exchange: Answerable, trailers: RawHeaders | None = None) -> None:
    """Finish the response, without waiting."""
    exchange.stream.end(trailers)
    if exchange._channel is not None:
        exchange._channel.over()


def answer_failure(exchange: Answerable, failure: Failure) -> None:
    """Answer a failure with its status if no response has begun, else abort the response; without waiting.

    A stage that goes onward again may intercept it (`Exchange.intercept_failure`).
    """
    stream = exchange.stream
    if stream.closed:
        exchange._response_callbacks = None  # which hold the exchange, for an answer that nobody gets
        return
    if stream.started:
        stream.abort()
        if exchange._channel is not None:
            exchange._channel.over()
        return
    if exchange.intercept_failure is not None and exchange.intercept_failure(failure):
        return
    response, body = failure_response(failure)
    begin_response(exchange, response, body)
    finish_response(exchange)


def failure_response(failure: Failure) -> tuple[Response, bytes]:
    """Return the answer to a failure, and its body."""
    body = b"%d %s\n" % (failure.status, reason_phrase(failure.status))
    return Response(failure.status, Headers([TEXT, (b"content-length", b"%d" % len(body))]), len(body)), body

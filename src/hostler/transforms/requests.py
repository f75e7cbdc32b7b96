"""Outgoing requests with transforms: what transforms get of a request, and the request that is made of it afterwards.

What goes wrong here is a `Failure` with the reason RequestCreation: a function that raises, a path that climbs, a header
that would break the message.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.client.outgoing import check_length, nominated
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.encode import encode_request
from hostler.http.fields import HOP_BY_HOP, has_token
from hostler.http.headers import Headers
from hostler.http.message import Request
from hostler.http.target import check_path, escape, join, parse_host, parse_target
from hostler.transforms.contexts import MANAGED, RequestTransformContext
from hostler.transforms.query import Query

if TYPE_CHECKING:
    from hostler.client.address import DestinationAddress
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.transforms.compiled import Copied, Transforms

__all__ = ["copied_headers", "delegated_request", "forwarded_request", "refuse_managed", "transform_request"]

_log: Final = logging.getLogger("hostler.transforms")

_OWN: Final = MANAGED | {b"host", b"expect"}
"""What the proxy itself passes on of a request, in lower case, whatever is copied."""

_NOT_COPIED: Final = HOP_BY_HOP | _OWN
_FORWARDED: Final = frozenset({b"content-length", b"expect"})
_DELEGATED: Final = _OWN - {b"host"}
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


async def transform_request(
    exchange: Exchange, transforms: Transforms, destination_prefix: str
) -> RequestTransformContext | Outcome | Failure:
    """Run the transforms of a request; an Outcome where one of them has answered, a Failure where one has raised."""
    request = exchange.request
    try:
        check_length(request)
        context = RequestTransformContext(
            exchange=exchange,
            method=request.method,
            path=exchange.target.forward_after(exchange.path_base).decode("ascii"),
            query=Query(exchange.target.query),
            headers=copied_headers(request.headers, transforms.request_headers, _NOT_COPIED, _OWN),
            destination_prefix=destination_prefix,
            headers_copied=transforms.request_headers.all,
        )
        answered = await transforms.change_request(context)
    except ProtocolError as error:
        return Failure(Reason.REQUEST_CREATION, str(error), error)
    except Exception as error:  # noqa: BLE001 - whatever a transform raises is no fault of anybody else
        _log.exception("%s %s: a transform of the request failed", request.method, exchange.path)
        return Failure(Reason.REQUEST_CREATION, f"a transform failed: {error!r}", error)
    if answered is not None:
        return answered
    if exchange.body_taken:
        return Failure(Reason.REQUEST_CREATION, "a transform has read of the request's body")
    return context


def copied_headers(
    headers: Headers, copied: Copied, dropped: frozenset[bytes], own: frozenset[bytes]
) -> Headers:
    """Return the headers that are passed on: without what is `dropped`, unless it is allowed, and never those in `own`."""
    allowed = copied.allowed - own
    if copied.all:
        return headers.without((dropped | nominated(headers)) - allowed)
    return Headers(headers.only(allowed))


def refuse_managed(headers: Headers) -> None:
    """Refuse what frames a message, or manages its connection: raises ProtocolError."""
    for name, _ in headers.only(MANAGED):
        raise ProtocolError(
            f"a transform set {name.decode('latin-1')}, which frames the message or manages its connection: leave it "
            "to the proxy"
        )


def forwarded_request(context: RequestTransformContext, address: DestinationAddress) -> Request:
    """Return the request that is sent to `address`; raises ProtocolError where it cannot be sent."""
    exchange = context.exchange
    came, host = exchange.request, _take_host(context)
    upgrade = came.upgrade
    if upgrade is not None and (came.framing or has_token(upgrade, b"h2c")):
        upgrade = None  # a tunnel begins where the request ends; HTTP/2 ends at the proxy
    authority = address.authority if host is None else host
    headers = _headers(context, authority, _FORWARDED)
    if address.proxy_authorization is not None:
        headers.raw.insert(1, (b"Proxy-Authorization", address.proxy_authorization))
    target = join(address.base_path, _path(context), _query(context))
    return Request(context.method, target, headers, framing=came.framing, host=authority, upgrade=upgrade)


def delegated_request(context: RequestTransformContext) -> Request:
    """Return the request that a process is to answer; raises ProtocolError where it cannot be sent.

    Host stays as the client asked for it, and the path base in front of the path, since the process knows both.
    """
    exchange = context.exchange
    came = exchange.request
    _take_host(context)
    context.headers.remove(b"x-forwarded-prefix")
    whole, rest = exchange.target.forward_path, exchange.target.forward_after(exchange.path_base)
    base = whole[: len(whole) - len(rest)]
    request = Request(
        context.method,
        join(base or b"/", _path(context), _query(context)),
        _headers(context, came.host, _DELEGATED),
        came.version,
        came.framing,
        came.host,
        upgrade=came.upgrade,
    )
    encode_request(request)
    return request


def _headers(context: RequestTransformContext, host: bytes | None, own: frozenset[bytes]) -> Headers:
    """Return the headers that go out: Host first, the transformed ones, and the proxy's `own` as they came."""
    refuse_managed(context.headers)
    came = context.exchange.request
    headers = Headers(None, {} if host is None else {b"host": b"Host: " + host})
    headers.extend(context.headers)
    for name, value in _kept(came.headers, own):
        headers.add(name, value)
    if (
        context.method in _WITH_BODY
        and context.method != came.method
        and not came.framing
        and b"content-length" not in came.headers
    ):
        headers.add(b"Content-Length", b"0")
    return headers


def _kept(headers: Headers, own: frozenset[bytes]) -> RawHeaders:
    """Return the fields in `own` as they came, but for what Connection says of fields that are not passed on.

    A transform may have set one of these anew, which no client is to have dropped on the way.
    """
    kept = headers.only(own)
    if b"connection" in own and (dropped := nominated(headers) - HOP_BY_HOP):
        value = b",".join(headers.get_all_raw(b"connection"))
        options = [
            option for part in value.split(b",") if (option := part.strip()) and option.lower() not in dropped
        ]
        kept = [pair for pair in kept if pair[0].lower() != b"connection"]
        if options:
            kept.append((b"Connection", b", ".join(options)))
    return kept


def _take_host(context: RequestTransformContext) -> bytes | None:
    """Return the Host that transforms want, and take it out of the headers; raises ProtocolError for what is none."""
    found = context.headers.get_all_raw(b"host")
    context.headers.remove(b"host")
    if found:  # a request that is made once more has the same
        context.host = found[-1].decode("latin-1")
    host = (
        found[-1]
        if found
        else None
        if context.host is None
        else context.host.encode("utf-8", "surrogatepass")
    )
    if host is not None and not parse_host(host)[0]:
        raise ProtocolError("a transform set an empty Host")
    return host


def _path(context: RequestTransformContext) -> bytes:
    """Return the path that goes out, empty or with its slash; raises ProtocolError for one that cannot."""
    came = context.exchange.request.method
    if context.method in {"HEAD", "CONNECT"} and context.method != came:
        raise ProtocolError(f"a transform made {came} a {context.method}, which the client does not wait for")
    if context.path in {"", "*"}:
        return context.path.encode("ascii")
    path = escape(context.path if context.path.startswith("/") else f"/{context.path}")
    check_path(path)
    return path


def _query(context: RequestTransformContext) -> bytes | None:
    query = context.query.raw
    if query is not None:
        parse_target("GET", b"/?" + query)
    return query

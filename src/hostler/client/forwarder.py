"""Forwarding: an exchange, an address, and what became of it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import evolve

from hostler.answering import answer_failure, limit_body
from hostler.client.address import DestinationAddress
from hostler.client.connector import Connector
from hostler.client.forwarding import Forwarding
from hostler.client.outgoing import outgoing_request, plain_request_head
from hostler.client.pool import Pool
from hostler.client.probe import ask
from hostler.client.tls.contexts import DestinationTls, tls_context
from hostler.client.transfer import RETRY, SUPERSEDED, Transfer
from hostler.client.web_proxy import find_proxy, in_absolute_form
from hostler.config.model import HttpClient, HttpRequest
from hostler.context import within
from hostler.errors import CertificateError, Failure, ProtocolError, Reason, Side
from hostler.http.proxy_protocol import encode_proxy_header
from hostler.outcome import Kind, Outcome

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable

    from hostler.client.probe import ProbeRequest, ProbeResponse
    from hostler.client.tls.following import FollowedFiles
    from hostler.client.transformed_transfer import TransformedTransfer
    from hostler.client.upstream import Connecting, ConnectionOpener, UpstreamConnection
    from hostler.config.model import Destination
    from hostler.contract import Address, Stream
    from hostler.exchange import Exchange
    from hostler.fleet import LiveDestination
    from hostler.http.message import Request
    from hostler.http.plain_request import PlainRequest
    from hostler.transforms.compiled import Transforms
    from hostler.transforms.contexts import RequestTransformContext

    _Key: TypeAlias = tuple[str, str | None]
    """A destination's address, and its host."""

    _Ends: TypeAlias = tuple[Address, Address] | None
    """For whom a connection is that says so: the client, and where that arrived."""

__all__ = ["Forwarder"]

_log = logging.getLogger("hostler.forwarder")

PRIVATE_IDLE_TIMEOUT: Final = 5.0
"""Seconds for which an idle connection is kept that is one client's alone, at most."""

_FORWARDED = Kind.FORWARDED


class Forwarder:
    """Forwards exchanges over pooled connections; one per set of client settings (IHttpForwarder).

    Belongs to the event loop that it is used in. `context` replaces the TLS settings for https destinations; with
    `ssl.OP_IGNORE_UNEXPECTED_EOF` in its options, as Python's own have it, what is cut off is taken for complete.
    `connector` is what opens connections.
    """

    def __init__(
        self,
        http_client: HttpClient | None = None,
        http_request: HttpRequest | None = None,
        context: ssl.SSLContext | None = None,
        connector: Connecting = Connector,
    ) -> None:
        self._client = http_client or HttpClient()
        self._request = http_request or HttpRequest()
        self._tls = None if context is None else DestinationTls(context)
        self._files: FollowedFiles | None = None
        """There once they have been read."""
        self._connecting = connector
        self._timeout = self._request.activity_timeout
        self._pools: dict[tuple[str, str | None] | tuple[_Key, _Ends], tuple[DestinationAddress, Pool]] = {}
        """By address and host; where connections say whose they are, by these and by client."""

        self._version = {"v1": 1, "v2": 2}.get(self._client.proxy_protocol or "")
        """Of the PROXY protocol, where connections begin with its header."""
        if self._version is not None:
            # a client that is gone leaves connections behind which are of use to nobody
            idle = min(self._client.pooled_connection_idle_timeout, PRIVATE_IDLE_TIMEOUT)
            self._client = evolve(self._client, pooled_connection_idle_timeout=idle)
        self._closed = False
        self._contexts = contextvars.copy_context()
        """What connections are made in: not in that of the exchange which happened to need one."""

    def send(self, exchange: Exchange, destination: LiveDestination | str) -> Awaitable[Outcome]:
        """Forward the exchange to a destination, or to an address; the outcome says how it went.

        It may begin before it is awaited. It counts among the destination's exchanges in flight meanwhile. Raises, when
        it is awaited, ValueError when the address is not an http or https URL, RuntimeError when a response has begun, or
        a stage has read of the body.
        """
        if isinstance(destination, str):
            return self._send(exchange, destination, None)
        plain = exchange._plain
        if exchange._request is not None or exchange._target is not None:
            plain = exchange.plain  # unless it was changed
        forwarding = None if plain is None else self._begin_plain(exchange, plain, destination)
        return self._send_counted(exchange, destination) if forwarding is None else forwarding

    def _begin_plain(
        self, exchange: Exchange, plain: PlainRequest, destination: LiveDestination
    ) -> Forwarding | None:
        """Begin to forward a plain head, where a connection waits for it; else None."""
        config, stream = destination.config, exchange.stream
        pooled = self._pools.get((config.address, config.host))
        if pooled is None or exchange._channel is not None or stream.started or stream.closed:
            return None
        framing = plain.framing
        if framing:
            limit = exchange.max_request_body_size
            # a length that is within the limit needs no watching
            if limit is not None and not 0 < framing <= limit and limit_body(exchange) is not None:
                return None  # `_send` says why
        address, pool = pooled
        try:
            head = plain_request_head(exchange, plain, address)
        except ProtocolError:  # `_send` says for what
            return None
        connection = pool.take()
        if connection is None:
            return None
        forwarding = Forwarding(self, exchange, destination, config, self._timeout, plain.method)
        forwarding.begin_plain(connection, head, framing)
        return forwarding

    async def _send_counted(self, exchange: Exchange, destination: LiveDestination) -> Outcome:
        destination.in_flight += 1
        try:
            return await self.send_again(exchange, destination.config)
        finally:
            destination.in_flight -= 1

    async def send_again(self, exchange: Exchange, config: Destination) -> Outcome:
        """Forward to a destination that counts the exchange already, on connections that may have to be opened."""
        return await self._send(exchange, config.address, config.host)

    async def _send(self, exchange: Exchange, name: str, host: str | None) -> Outcome:
        stream = exchange.stream
        if stream.started:
            raise RuntimeError("a response has begun already; the exchange cannot be forwarded")
        if exchange._channel is not None and exchange.body_taken:
            raise RuntimeError(
                "the request's body was read by a stage; the exchange cannot be forwarded any more"
            )
        failure: Failure | None
        made: RequestTransformContext | Outcome | Failure | None = limit_body(exchange)
        if made is None and exchange.transforms is not None:
            made = await exchange.transforms.apply_to_forwarded(exchange, name)
        if isinstance(made, Outcome):
            return made
        if isinstance(made, Failure):
            failure = made
        else:
            failure = await self._transfer(exchange, (name, host), made)
        if failure is None:
            return Outcome(_FORWARDED, stream.status, name, stream.bytes_received, stream.bytes_sent)
        if exchange.transforms is None or failure is SUPERSEDED:
            return self.answer_failure(exchange, name, failure)
        _log_failure(exchange, name, failure)
        await exchange.transforms.answer_failure(exchange, failure)
        return exchange.outcome(Kind.FAILED, failure, name)

    async def _transfer(
        self, exchange: Exchange, key: _Key, context: RequestTransformContext | None
    ) -> Failure | None:
        """Send the exchange over connections until one takes it, and wait until it is over."""
        stream = exchange.stream
        failure: Failure | None = RETRY
        while failure is RETRY:
            try:
                # each time anew: an empty pool is not kept
                pool, request, head = self._make_request(exchange, key, context)
            except (ProtocolError, CertificateError) as error:  # for what a stage or a transform made of it
                return Failure(Reason.REQUEST_CREATION, str(error), error)
            connection = pool.take() or await self._acquire(pool, stream)
            if isinstance(connection, Failure):
                failure = connection
            elif stream.closed:
                pool.put_back(connection)
                failure = Failure(Reason.REQUEST_CANCELED)
            else:
                failure = await self._try(exchange, pool, connection, request, head)
        return failure

    def _make_request(
        self, exchange: Exchange, key: _Key, context: RequestTransformContext | None
    ) -> tuple[Pool, Request | None, bytes]:
        """Return the pool of a destination with what it is sent: a request, or the head of a plain one.

        Raises ProtocolError.
        """
        if context is not None and exchange.transforms is not None:
            return self._make_transformed(exchange, exchange.transforms, key, context)
        address, pool = self._find_pool(exchange, key)
        plain = exchange.plain
        if plain is None:
            return pool, outgoing_request(exchange, address), b""
        return pool, None, plain_request_head(exchange, plain, address)

    def _make_transformed(
        self, exchange: Exchange, transforms: Transforms, key: _Key, context: RequestTransformContext
    ) -> tuple[Pool, Request, bytes]:
        """Return the same for what transforms have made of it, which may be another destination.

        Over TLS each Host has a pool of its own, since it is whom the certificate must be for, as with .NET's
        SocketsHttpHandler.
        """
        if context.destination_prefix != key[0]:
            key = context.destination_prefix, None
        try:
            address, pool = self._find_pool(exchange, key)
            request = transforms.forwarded_request(context, address)
            host = request.host
            if address.scheme == "https" and host is not None and host != address.authority:
                key = key[0], host.decode("latin-1")
                _, pool = self._find_pool(exchange, key)
        except CertificateError:
            raise
        except ValueError as error:
            raise ProtocolError(f"a transform set the destination prefix or the Host: {error}") from error
        return pool, request, b""

    def _find_pool(self, exchange: Exchange, key: _Key) -> tuple[DestinationAddress, Pool]:
        if self._version is None:
            return self._pools.get(key) or self._add_pool(key, key)
        ends = exchange.client, exchange.server
        return self._pools.get((key, ends)) or self._add_pool((key, ends), key, ends)

    async def _try(
        self,
        exchange: Exchange,
        pool: Pool,
        connection: UpstreamConnection,
        request: Request | None,
        head: bytes,
    ) -> Failure | None:
        """Send the exchange over a connection, and wait until it is over."""
        transforms, plain = exchange.transforms, exchange.plain
        method = exchange.method if request is None else request.method
        transformed: TransformedTransfer | None = None
        if transforms is None or not transforms.concern_responses:
            transfer = Transfer(exchange, self._timeout, method)
        else:
            transfer = transformed = _transformed(exchange, self._timeout, method, transforms)
        try:
            if request is not None:
                transfer.begin(connection, request)
            elif plain is not None:
                transfer.begin_plain(connection, head, plain.framing)
        except ProtocolError as error:  # the request cannot be written
            pool.put_back(connection)
            return Failure(Reason.REQUEST_CREATION, str(error), error)
        if transformed is not None:
            return await transformed.run()
        await transfer
        failure: Failure | None = transfer.result()
        return failure

    async def _acquire(self, pool: Pool, stream: Stream) -> UpstreamConnection | Failure:
        """Wait for a slot, or say why there is none; a request whose client has left waits no longer."""
        patience = self._request.activity_timeout
        departure: Failure | None = None

        def depart(failure: Failure) -> None:
            nonlocal departure
            departure = failure
            if not limit.expired():
                limit.reschedule(0)

        try:
            async with asyncio.timeout(patience) as limit:
                stream.when_departed(depart)
                return await pool.acquire()
        except TimeoutError as error:
            if stream.closed:
                return Failure(Reason.REQUEST_CANCELED)
            if departure is not None:
                return departure
            detail = str(error) or f"no connection within {patience:g} s"
            return Failure(Reason.REQUEST_TIMED_OUT, detail, error)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver can be asked for
            return Failure(Reason.REQUEST, str(error) or repr(error), error)
        finally:
            stream.when_departed(None)

    def answer_failure(self, exchange: Exchange, name: str, failure: Failure) -> Outcome:
        """Answer a failure, unless there is an answer, and log it."""
        _log_failure(exchange, name, failure)
        if failure is not SUPERSEDED:
            answer_failure(exchange, failure)
        return exchange.outcome(Kind.FAILED, failure, name)

    def _add_pool(
        self, at: _Key | tuple[_Key, _Ends], key: _Key, ends: _Ends = None
    ) -> tuple[DestinationAddress, Pool]:
        """Make a pool, and keep it until it is empty."""
        connector = self._connector(*key, ends)
        pool = Pool(
            lambda owner: within(self._contexts.copy(), connector.connect(owner)),
            self._client,
            lambda: self._forget(at),
        )
        if self._closed:
            pool.close()  # an exchange of before a reload still comes through; what it opens is not kept
        pooled = self._pools[at] = connector.address, pool
        return pooled

    def _forget(self, at: _Key | tuple[_Key, _Ends]) -> None:
        """Let go of a pool that is empty, unless another one has taken its place."""
        if at in self._pools and self._pools[at][1].is_empty:
            del self._pools[at]

    def _connector(self, name: str, host: str | None, ends: _Ends = None) -> ConnectionOpener:
        """Return what opens connections; without `ends` they are for nobody but this proxy."""
        address = DestinationAddress.parse(name, host)
        tls = None
        if address.scheme == "https":
            tls = self._tls = self._tls or self._load_tls()
        proxy = find_proxy(self._client.web_proxy, address)
        if proxy is not None and tls is None:
            address = in_absolute_form(address, proxy)
        if self._version is None:
            return self._connecting(address, self._client, tls, proxy)
        header = encode_proxy_header(self._version, *(ends or (None, None)))
        return Connector(address, self._client, tls, header=header)

    def _load_tls(self) -> DestinationTls:
        """Read what the client settings name. Raises CertificateError."""
        client = self._client
        made = DestinationTls(tls_context(client))
        if client.client_certificate is not None or client.certificate_authority is not None:
            from hostler.client.tls.following import FollowedFiles  # noqa: PLC0415 - for who names files

            self._files = FollowedFiles(client)
        return made

    def renew(self, now: float) -> None:
        """Use the files of certificates that have changed, for new connections; `now` is in seconds.

        Connections that were made with what the files held before take no more requests.
        """
        context = None if self._files is None else self._files.look(now)
        if context is None:
            return
        self._tls = DestinationTls(context)
        for key, (address, pool) in list(self._pools.items()):
            if address.scheme == "https":
                del self._pools[key]
                pool.close()

    async def probe(self, request: ProbeRequest, timeout: float) -> ProbeResponse:
        """Ask a destination something on a connection of its own, made with the same settings (`client.probe.ask`).

        It needs no place among those that MaxConnectionsPerServer allows.
        """
        return await ask(self._connector(request.origin, request.host), request, timeout)

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange is over."""
        self._closed = True
        for _, pool in list(self._pools.values()):
            pool.close()


def _transformed(
    exchange: Exchange, timeout: float, method: str, transforms: Transforms
) -> TransformedTransfer:
    from hostler.client.transformed_transfer import TransformedTransfer  # noqa: PLC0415 - where there are transforms

    return TransformedTransfer(exchange, timeout, method, transforms)


def _log_failure(exchange: Exchange, name: str, failure: Failure) -> None:
    level = logging.DEBUG if failure.side is Side.CLIENT else logging.WARNING
    _log.log(level, "%s %s to %s: %s", exchange.request.method, exchange.path, name, failure)

"""Forwarding: an exchange, an address, and what became of it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

from hostler.answering import answer_failure
from hostler.client.heads import request_head
from hostler.client.pool import CONNECT_TIMEOUT, Pool
from hostler.client.transfer import RETRY, Transfer
from hostler.client.upstream import Upstream
from hostler.config.model import HttpClient, HttpRequest
from hostler.errors import Failure, ProtocolError, Reason, Side
from hostler.exchange import Kind

if TYPE_CHECKING:
    from hostler.client.connection import DestinationConnection
    from hostler.exchange import Exchange, Outcome
    from hostler.fleet import LiveDestination

__all__ = ["Forwarder"]

_log = logging.getLogger("hostler.forwarder")


class Forwarder:
    """Forwards exchanges over pooled connections; one per set of client settings (IHttpForwarder).

    Belongs to the event loop that it is used in. `context` replaces the TLS settings for https destinations.
    """

    def __init__(
        self,
        http_client: HttpClient | None = None,
        http_request: HttpRequest | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._client = http_client or HttpClient()
        self._request = http_request or HttpRequest()
        self._context = context
        self._pools: dict[tuple[str, str | None], tuple[Upstream, Pool]] = {}
        self._closed = False

    async def send(self, exchange: Exchange, destination: LiveDestination | str) -> Outcome:
        """Forward the exchange to a destination, or to an address; the outcome says how it went.

        Raises ValueError when the address is not an http or https URL, RuntimeError when a response has
        begun, or a stage has read of the body.
        """
        if isinstance(destination, str):
            address, host = destination, None
        else:
            address, host = destination.config.address, destination.config.host
        pooled = self._pools.get((address, host))
        if pooled is None:
            pooled = self._pools[address, host] = self._pool(address, host)
        upstream, pool = pooled
        if exchange.stream.started:
            raise RuntimeError("a response has begun already; the exchange cannot be forwarded")
        if exchange.body_taken:
            raise RuntimeError(
                "the request's body was read by a stage; the exchange cannot be forwarded any more"
            )
        try:
            head = request_head(exchange, upstream)
        except ProtocolError as error:
            return self._failed(exchange, address, Failure(Reason.REQUEST_CREATION, str(error), error))
        failure = await self._exchange(exchange, pool, head)
        if failure is None:
            return exchange.outcome(Kind.FORWARDED, None, address)
        return self._failed(exchange, address, failure)

    async def _exchange(self, exchange: Exchange, pool: Pool, head: bytes) -> Failure | None:
        loop = asyncio.get_running_loop()
        while True:
            connection = pool.take() or await self._connect(pool)
            if isinstance(connection, Failure):
                return connection
            if exchange.stream.closed:
                connection.give_up()
                return Failure(Reason.REQUEST_CANCELED)
            transfer = Transfer(exchange, connection, self._request.activity_timeout, loop.create_future())
            transfer.begin(head)
            try:
                result = await transfer.done
            except asyncio.CancelledError:
                if connection.transfer is transfer:  # else the connection is idle, or another's
                    connection.close(flush=False)
                raise
            if result is not RETRY:
                return result

    async def _connect(self, pool: Pool) -> DestinationConnection | Failure:
        patience = self._request.activity_timeout
        try:
            async with asyncio.timeout(patience):
                return await pool.connect()
        except TimeoutError as error:
            detail = f"no connection within {min(patience, CONNECT_TIMEOUT):g} s"
            return Failure(Reason.REQUEST_TIMED_OUT, detail, error)
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver can be asked for
            return Failure(Reason.REQUEST, str(error) or repr(error), error)

    @staticmethod
    def _failed(exchange: Exchange, address: str, failure: Failure) -> Outcome:
        if failure.side is Side.CLIENT:
            _log.debug("%s %s to %s: %s", exchange.request.method, exchange.path, address, failure)
        else:
            _log.warning("%s %s to %s: %s", exchange.request.method, exchange.path, address, failure)
        answer_failure(exchange, failure)
        return exchange.outcome(Kind.FAILED, failure, address)

    def _pool(self, address: str, host: str | None) -> tuple[Upstream, Pool]:
        upstream = Upstream.parse(address, host)
        context = None
        if upstream.scheme == "https":
            if self._context is None:
                self._context = _tls_context(self._client)
            context = self._context
        pool = Pool(upstream, context, self._client.max_connections_per_server)
        if self._closed:
            pool.close()  # an exchange of before a reload still comes through; what it opens is not kept
        return upstream, pool

    def close(self) -> None:
        """Close the idle connections; those in use close when their exchange is over."""
        self._closed = True
        for _, pool in self._pools.values():
            pool.close()


def _tls_context(client: HttpClient) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if client.dangerous_accept_any_server_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

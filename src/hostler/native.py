"""What a server knows of a request beyond HTTP, and can do for it: HTTP.sys much, the others what they know of TLS.

A `Stream` has it as `native`. Stages reach it through the exchange: `exchange.connection`, `exchange.cache_response`,
`exchange.reset`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.connection import QuicStatistics, ServerName, TcpStatistics
    from hostler.http.security import Tls

__all__ = ["NOTHING_NATIVE", "Caching", "Connection", "EncryptedRequest", "NativeRequest"]


def _always() -> bool:
    return True


@frozen(eq=False)
class Caching:
    """That a response is to be kept for others."""

    seconds: float | None = None
    """For how long; math.inf until it is flushed, None as its headers say."""

    allowed: Callable[[], bool] = _always
    """Asked when the response begins: whether nothing stands in the way by then."""


class Connection(Protocol):
    """What can be asked about a client's connection, while the exchange is under way.

    Every answer is None where there is no such thing, or the server does not know it. Each is asked anew. Raises
    ConnectionResetError when the client is gone, and OSError for what Windows makes of it otherwise.
    """

    async def server_name(self) -> ServerName | None:
        """Return the host that the client named when the connection was encrypted (SNI)."""
        ...

    async def client_hello(self) -> bytes | None:
        """Return the TLS ClientHello, as it came (RFC 8446 4.1.2); Windows keeps it where a certificate's binding says so."""
        ...

    async def tcp(self) -> TcpStatistics | None:
        """Return what TCP has counted and measured; None for QUIC."""
        ...

    async def quic(self) -> QuicStatistics | None:
        """Return what QUIC has counted and measured; None for TCP."""
        ...

    async def client_certificate(self) -> bytes | None:
        """Return the client's certificate, in DER; asks the client for it, once, where that has not been done yet.

        None when it has none, or does not give it. It is asked in HTTP/1.1 alone, and only when its request's body has
        been read, which may stand in the way of its answer: RuntimeError before that. In HTTP/2 and 3 it can only have
        been asked when it connected (RFC 9113 9.2.1): UnsupportedError where it was not.
        """
        ...


class NativeRequest(Connection, Protocol):
    """What the server can do for one request besides."""

    @property
    def can_cache(self) -> bool:
        """Whether the server can answer other requests with this one's response."""

    def cache(self, caching: Caching) -> None:
        """Keep the response for others, if it and the request allow that."""

    def set_reset_code(self, code: int) -> None:
        """Have an abort reset the stream with this error code, where there are streams: in HTTP/2 and 3."""


class _Nothing:
    """A server that knows nothing but HTTP."""

    can_cache = False

    async def server_name(self) -> ServerName | None:
        """Know of no name."""
        return None

    async def client_hello(self) -> None:
        """Know of no ClientHello."""

    async def tcp(self) -> None:
        """Know nothing of TCP."""

    async def quic(self) -> None:
        """Know nothing of QUIC."""

    async def client_certificate(self) -> bytes | None:
        """Know of no certificate."""
        return None

    def cache(self, caching: Caching) -> None:
        """Keep nothing."""

    def set_reset_code(self, code: int) -> None:
        """Do nothing: there are no streams that could be reset with a code."""


NOTHING_NATIVE: Final[NativeRequest] = _Nothing()
"""What the servers have that are not Windows'."""


class EncryptedRequest(_Nothing):
    """A request on a connection that such a server has encrypted itself."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    async def server_name(self) -> ServerName:
        """Return the host that the client named."""
        from hostler.connection import ServerName  # noqa: PLC0415 - for who asks

        name = self._tls.server_name
        return ServerName(host=name, chose_certificate=bool(name))

    async def client_certificate(self) -> bytes | None:
        """Return the client's certificate; who did not show one in the handshake is not asked again."""
        return self._tls.client_certificate

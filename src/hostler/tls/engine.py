"""OpenSSL for one connection, on memory: the same on every event loop, with neither a task nor a future."""

from __future__ import annotations

import ssl

__all__ = ["TlsEngine"]


class TlsEngine:
    """What makes records of bytes, and bytes of records."""

    __slots__ = ("incoming", "outgoing", "tls")

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_name: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """Begin a handshake by `context`, as the server, or as a client of `server_name` that resumes `session`."""
        self.incoming = ssl.MemoryBIO()
        """Where the peer's records are put."""
        self.outgoing = ssl.MemoryBIO()
        """Where our records are taken from."""
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side, server_name, session)

    def shake_hands(self) -> bool:
        """Go on with the handshake; returns whether it is complete. Raises ssl.SSLError when it has failed.

        In each case there may be records to send.
        """
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

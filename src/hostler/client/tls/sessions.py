"""TLS sessions that a later connection can resume (RFC 8446 2.2, RFC 5077), for one context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import ssl

    Peer: TypeAlias = tuple[str | None, str, int, str]
    """A Unix socket, a host, a port, and the name that the certificate was verified for."""

__all__ = ["MAX_SESSIONS", "Sessions"]

MAX_SESSIONS: Final = 256
"""Sessions that are kept; the one that was renewed longest ago goes first."""


class Sessions:
    """One session for each peer: that of the newest connection, as soon as it can be resumed.

    With TLS 1.3 that is later than the end of the handshake, when a ticket has come. So that no reading of a connection
    has to look for one, it is asked for when the next connection is made.
    """

    __slots__ = ("_newest", "_sessions")

    def __init__(self) -> None:
        self._newest: dict[Peer, ssl.SSLObject] = {}
        """The newest connection to each, until its session has been taken."""
        self._sessions: dict[Peer, ssl.SSLSession] = {}

    def find(self, peer: Peer) -> ssl.SSLSession | None:
        """Return the session to resume with a peer."""
        newest = self._newest.get(peer)
        session = None if newest is None else newest.session
        if session is not None and (session.has_ticket or session.id):
            self._sessions[peer] = session
        return self._sessions.get(peer)

    def note(self, peer: Peer, tls: ssl.SSLObject) -> None:
        """Take the session of a connection whose handshake is complete, instead of the one before."""
        self._newest.pop(peer, None)
        self._newest[peer] = tls
        if len(self._newest) > MAX_SESSIONS:
            self.forget(next(iter(self._newest)))

    def forget(self, peer: Peer) -> None:
        """Have the next handshake with a peer be a full one."""
        self._newest.pop(peer, None)
        self._sessions.pop(peer, None)

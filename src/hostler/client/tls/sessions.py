"""TLS sessions that a later connection can resume (RFC 8446 2.2, RFC 5077), for one context."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import define

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    Peer: TypeAlias = tuple[str | None, str, int, str]
    """A Unix socket, a host, a port, and the name that the certificate was verified for."""

__all__ = ["LOOK_INTERVAL", "MAX_LOOKS", "MAX_SESSIONS", "Sessions"]

MAX_SESSIONS: Final = 256
"""Peers whose sessions are kept; the one whose handshake was full longest ago goes first."""

MAX_LOOKS: Final = 8
"""How often connections to one peer are asked for their session in a row."""

LOOK_INTERVAL: Final = 300.0
"""Seconds after which they may be asked once more."""


@define(eq=False)
class _Known:
    """What is known of one peer."""

    newest: ssl.SSLObject | None = None
    """The newest connection whose handshake was full, until its session has been taken."""
    session: ssl.SSLSession | None = None
    looks: float = float(MAX_LOOKS)
    looked: float = 0.0


class Sessions:
    """One session for each peer: that of the newest full handshake, as soon as it can be resumed.

    With TLS 1.3 that is later than the end of the handshake, when a ticket has come. So that no reading of a connection
    has to look for one, it is asked for when the next connection is made. Nor is every connection asked: CPython loses
    a copy of the session, some 6 KiB, whenever `SSLObject.session` is read (seen in 3.11 to 3.13).
    """

    __slots__ = ("_clock", "_known")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._known: dict[Peer, _Known] = {}

    def find(self, peer: Peer) -> ssl.SSLSession | None:
        """Return the session to resume with a peer."""
        known = self._known.get(peer)
        if known is None:
            return None
        if known.newest is not None and self._may_look(known):
            session = known.newest.session
            if session is not None and (session.has_ticket or session.id):
                known.session, known.newest = session, None
        return known.session

    def _may_look(self, known: _Known) -> bool:
        now = self._clock()
        known.looks = min(MAX_LOOKS, known.looks + (now - known.looked) / LOOK_INTERVAL)
        known.looked = now
        if known.looks < 1:
            return False
        known.looks -= 1
        return True

    def note(self, peer: Peer, tls: ssl.SSLObject) -> None:
        """Take the session of a connection whose handshake is complete, unless it has resumed one itself."""
        if tls.session_reused:
            return
        known = self._known.pop(peer, None) or _Known(looked=self._clock())
        known.newest = tls
        self._known[peer] = known
        if len(self._known) > MAX_SESSIONS:
            del self._known[next(iter(self._known))]

    def forget(self, peer: Peer) -> None:
        """Have the next handshake with a peer be a full one."""
        known = self._known.get(peer)
        if known is not None:
            known.newest = known.session = None

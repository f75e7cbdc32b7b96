"""The handshakes of one server: how many there may be at once, how long they have the event loop, and how they ended."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from attrs import define, field

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hostler.contract import Rejection
    from hostler.server.usermode.tls.handshake import ServerHandshake

__all__ = ["HandshakeCounts", "Handshakes"]

SHARE: Final = 0.01
"""Seconds of a turn of the event loop that handshakes may take; a private key is used in each, which is slow."""


@define
class HandshakeCounts:
    """How the handshakes of one server have ended since it was made."""

    completed: int = 0
    resumed: int = 0
    """How many of those took up an earlier session."""

    failed: Counter[str] = field(factory=Counter)
    """The others, by what was wrong:

    - `plain HTTP`, `not TLS`: what came is not a handshake
    - `version`, `cipher`: the client offers none that is spoken here
    - `host`: it named one that there is no certificate for
    - `client certificate`: it showed none, or none that is valid, where it has to
    - `refused by the client`: it sent an alert, for instance because it does not trust our certificate
    - `left`: it ended the connection
    - `too slow`: it did not come to an end in `TlsOptions.handshake_timeout`
    - `too many`: `ServerOptions.handshake_limit` clients were to go on, and this one had not for the longest time
    - `stopping`: the server stops
    - `other`
    """


class Handshakes:
    """The handshakes of one server that are under way.

    When there are more than can be worked on, the newest goes first: a client that has just come still waits, and one
    that waited long may have given up. In the order of arrival a flood would have everybody wait for as long as it is
    deep. Nobody is dropped for having waited for us.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit: int,
        on_reject: Callable[[Rejection], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Let `limit` be under way at once; `on_reject` is called with what a client is answered in HTTP."""
        self.loop = loop
        self.counts = HandshakeCounts()
        self.on_reject = on_reject
        self._limit = limit
        self._clock = clock
        self._under_way: dict[ServerHandshake, None] = {}
        """Those that have not got on for the longest time come first."""
        self._waiting: dict[ServerHandshake, None] = {}
        """Those that can get on, and wait for a turn of the event loop; the newest comes last."""
        self._left = SHARE
        self._is_counting = False
        self._stopped = False

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, handshake: ServerHandshake) -> None:
        """Note that a client has connected."""
        if self._stopped:
            handshake.drop("stopping")
            return
        if len(self._under_way) - len(self._waiting) >= self._limit:
            next(other for other in self._under_way if other not in self._waiting).drop("too many")
        self._under_way[handshake] = None

    def got_on(self, handshake: ServerHandshake) -> None:
        """Note that a client was answered."""
        if handshake in self._under_way:
            del self._under_way[handshake]
            self._under_way[handshake] = None

    def end(self, handshake: ServerHandshake) -> None:
        """Be done with a handshake."""
        self._under_way.pop(handshake, None)
        self._waiting.pop(handshake, None)

    def stop(self) -> None:
        """End all of them, and those that begin from now on."""
        self._stopped = True
        for handshake in list(self._under_way):
            handshake.drop("stopping")

    # -- the event loop's time ------------------------------------------------------------------------------------

    def take_turn(self, handshake: ServerHandshake) -> None:
        """Have a handshake go on with what has come: now, or in the next turn of the event loop."""
        if self._left > 0 and not self._waiting:
            self._run(handshake)
        else:
            handshake.wait()
            self._waiting[handshake] = None

    def _run(self, handshake: ServerHandshake) -> None:
        self._count_turn()
        began = self._clock()
        handshake.go_on()
        self._left -= self._clock() - began

    def _count_turn(self) -> None:
        if not self._is_counting:
            self._is_counting = True
            self.loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_counting = False
        self._left = SHARE
        while self._waiting and self._left > 0:
            self._run(self._waiting.popitem()[0])
        if self._waiting:
            self._count_turn()

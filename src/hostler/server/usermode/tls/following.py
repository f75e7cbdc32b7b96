"""Following the files of certificates while a server runs.

A certificate and its key are two files, which change one after the other, and what renews them may write them piece by
piece. Hence what does not fit is tried again at each look for a while, before a line says that it is wrong. The context
from before stays in use until the files can be read again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from hostler.errors import CertificateError
from hostler.server.usermode.tls.examination import day
from hostler.server.usermode.tls.expiry import Expiry
from hostler.tls.stamps import PATIENCE, RETRY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hostler.server.usermode.tls.live import LiveContext

__all__ = ["CertificateFollower", "Followed"]

INTERVAL: Final = 1.0
"""Seconds between two looks at the files."""

_log: Final = logging.getLogger("hostler.certificates")
_reloads: Final = logging.getLogger("hostler.reload")

Line: TypeAlias = "tuple[int, str]"
"""Something to log, and at which level."""


class Followed:
    """One context that is followed, and what has been said of it.

    It is well until its files cannot be read; wrong, and tried at each look, until they can or `PATIENCE` is over; and
    from then on tried when they change, or every `RETRY` seconds.
    """

    def __init__(self, live: LiveContext) -> None:
        self.live = live
        self._expiry = Expiry()
        self._begun = False
        self._wrong_since: float | None = None
        self._refusal: str | None = None
        """What was said to be wrong."""
        self._tried = 0.0

    def look(self, now: float, *, forced: bool = False) -> Iterator[Line]:
        """Read the files again where they have changed, or if `forced` to; yields what there is to say."""
        if forced or self._is_due(now) or self.live.stamps() != self.live.seen:
            yield from self._load(now, forced=forced)
        elif not self._begun:
            yield from self._doubts()
        self._begun = True
        if self.live.examined is not None:
            line = self._expiry.due(self.live.examined, now)
            if line is not None:
                yield line

    def _is_due(self, now: float) -> bool:
        if self._wrong_since is None:
            return False
        return self._refusal is None or now - self._tried >= RETRY

    def _load(self, now: float, *, forced: bool) -> Iterator[Line]:
        before, self._tried = self.live.examined, now
        try:
            self.live.load(now)
        except CertificateError as error:
            if self._wrong_since is None:
                self._wrong_since = now
            refusal = str(error)
            if forced or (refusal != self._refusal and now - self._wrong_since >= PATIENCE):
                self._refusal = refusal
                yield (
                    logging.ERROR,
                    f"{refusal}; until then the certificate that was read before stays in use",
                )
            return
        self._wrong_since = self._refusal = None
        examined = self.live.examined
        if examined is not None:
            if before is None or before.not_after != examined.not_after:
                self._expiry = Expiry()
            yield logging.INFO, f"{examined.path}: it was read, and is valid until {day(examined.not_after)}"
        yield from self._doubts()

    def _doubts(self) -> Iterator[Line]:
        """Yield what keeps clients from accepting it, although it can be used."""
        examined = self.live.examined
        if examined is None:
            return
        if not examined.names:
            text = f"{examined.path}: it names no host (subjectAltName), so that no client accepts it; get one that does"
            yield logging.WARNING, text
            return
        held = ", ".join(examined.names[:5]) + (", ..." if len(examined.names) > 5 else "")
        for name in self.live.names:
            if not examined.covers(name):
                text = f"{examined.path}: clients that ask for {name} get it, and it is for {held}; get one for {name}"
                yield logging.WARNING, text


class CertificateFollower:
    """Looks at the files of certificates for as long as a server runs."""

    def __init__(
        self,
        contexts: Callable[[], Iterable[LiveContext]],
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin; `contexts` returns those that there are. To be made where the server's event loop runs."""
        self._contexts = contexts
        self._interval = interval
        self._clock = clock
        self._followed: dict[LiveContext, Followed] = {}
        self._wake = asyncio.Event()
        self._forced = False
        self._task = asyncio.create_task(self._follow())

    def reload(self) -> None:
        """Have every file read again, whether it changed or not; the log says what is wrong."""
        self._forced = True
        self._wake.set()

    def stop(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _follow(self) -> None:
        while True:
            forced, self._forced = self._forced, False
            self._wake.clear()
            contexts = list(self._contexts())
            for level, text in await asyncio.to_thread(self._look, contexts, forced):
                (_reloads if level == logging.INFO else _log).log(level, "%s", text)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()

    def _look(self, contexts: Iterable[LiveContext], forced: bool) -> dict[Line, None]:
        """Look at the files; returns what there is to say, each thing once."""
        now = self._clock()
        self._followed = {live: self._followed.get(live) or Followed(live) for live in contexts}
        return dict.fromkeys(
            line for followed in self._followed.values() for line in followed.look(now, forced=forced)
        )

"""Names and passwords (RFC 7617), of which the proxy knows Argon2 hashes.

To check a password takes tens of milliseconds and megabytes, which is what Argon2 is for. So that this is no lever
against the proxy, it happens in `Passwords`: in two threads, with a waiting line that is bounded, in all and for each
client; and what came of it is remembered for a while, under a digest that is keyed with a secret of this process. A name
that nobody has costs as much as one that somebody has.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hostler.authorization.credentials import challenge, credentials
from hostler.authorization.decision import Decision, Denied, Granted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hostler.config.access import BasicDefinition
    from hostler.exchange import Exchange

__all__ = ["Basic", "BusyError", "Passwords"]

_MAX_SIZE: Final = 1024
"""Bytes of a name and a password together that are looked at."""

_THREADS: Final = 2
_MAX_WAITING: Final = 64
_MAX_WAITING_OF_CLIENT: Final = 16
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")

_REMEMBERED: Final = 10_000
"""How many verdicts of each kind are kept, and below for how many seconds."""

_REMEMBER_RIGHT: Final = 300.0
_REMEMBER_WRONG: Final = 30.0

_verify: Final = PasswordHasher().verify
_threads: Final = ThreadPoolExecutor(_THREADS, thread_name_prefix="hostler-passwords")


class BusyError(Exception):
    """Too many passwords are waiting to be checked."""


class Passwords:
    """Says whether passwords are right, by their hashes; `clock` is for how long a verdict is remembered."""

    def __init__(
        self,
        hashes: Mapping[str, str],
        *,
        verify: Callable[[str, bytes], object] = _verify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hashes = {name.encode(): hashed for name, hashed in hashes.items()}
        self._anybody = next(iter(hashes.values()))
        """What the password of a name that nobody has is compared with."""
        self._verify = verify
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        """Verdicts, each with the time until which it holds, the oldest first."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting: Counter[str] = Counter()
        """How many are pending, by client."""

    async def check(self, name: bytes, password: bytes, client: str) -> bool:
        """Return whether a password is right; raises BusyError when too many are waiting, of this client or in all."""
        digest = hmac.digest(self._secret, hashlib.sha256(name).digest() + password, "sha256")
        now = self._clock()
        if self._right.get(digest, now) > now:
            self._remember(digest, right=True)  # who is in stays in, however full the line is by then
            return True
        if self._wrong.get(digest, now) > now:
            return False
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # what was pending in another one ended with it
            self._loop = loop
            self._pending.clear()
            self._waiting.clear()
        pending = self._pending.get(digest)
        if pending is None:
            pending = self._begin(loop, digest, name, password, client)
        return await asyncio.shield(pending)

    def _begin(
        self, loop: asyncio.AbstractEventLoop, digest: bytes, name: bytes, password: bytes, client: str
    ) -> asyncio.Future[bool]:
        if len(self._pending) >= _MAX_WAITING or self._waiting[client] >= _MAX_WAITING_OF_CLIENT:
            raise BusyError
        pending = loop.run_in_executor(_threads, self._is_right, name, password)
        self._pending[digest] = pending
        self._waiting[client] += 1

        def done(pending: asyncio.Future[bool]) -> None:
            del self._pending[digest]
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]
            if not pending.cancelled() and pending.exception() is None:
                self._remember(digest, right=pending.result())

        pending.add_done_callback(done)
        return pending

    def _is_right(self, name: bytes, password: bytes) -> bool:
        """Check a password, in a thread."""
        hashed = self._hashes.get(name)
        try:
            self._verify(self._anybody if hashed is None else hashed, password)
        except (Argon2Error, InvalidHashError):
            return False
        return hashed is not None

    def _remember(self, digest: bytes, *, right: bool) -> None:
        verdicts = self._right if right else self._wrong
        verdicts[digest] = self._clock() + (_REMEMBER_RIGHT if right else _REMEMBER_WRONG)
        verdicts.move_to_end(digest)
        if len(verdicts) > _REMEMBERED:
            verdicts.popitem(last=False)


class Basic:
    """An authorization policy: a name with its password."""

    def __init__(
        self, definition: BasicDefinition, realm: str, *, passwords: Passwords | None = None
    ) -> None:
        self._passwords = Passwords(definition.users) if passwords is None else passwords
        self._challenge = challenge("Basic", realm=realm, charset="UTF-8")

    async def __call__(self, exchange: Exchange, /) -> Decision:
        """Let in who knows a password."""
        given = credentials(exchange.request.headers, "Basic")
        if isinstance(given, Denied):
            return given
        pair = None if given is None else _decoded(given)
        if pair is None:
            return Denied(401, [self._challenge], "no name and password")
        name, password = pair
        try:
            right = await self._passwords.check(name, password, exchange.client[0])
        except BusyError:
            return Denied(503, [("Retry-After", "1")], "too many passwords are waiting to be checked")
        if not right:
            return Denied(401, [self._challenge], "wrong name or password")
        return Granted(name.decode())


def _decoded(given: bytes) -> tuple[bytes, bytes] | None:
    """Return a name and a password, which may have colons in it; None for what is none (RFC 7617 2)."""
    if len(given) > 2 * _MAX_SIZE:
        return None
    try:
        text = base64.b64decode(given, validate=True)
        text.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(b":")
    return (name, password) if colon and len(text) <= _MAX_SIZE and not _CONTROL.search(text) else None

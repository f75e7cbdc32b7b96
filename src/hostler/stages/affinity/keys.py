"""The keys that seal: those of a file, which proxies share and its owner rotates, or one that was made at this start.

The file has one key a line, 32 random bytes in base64; the first one seals, all of them open. To rotate, the new key is
put in front, on every proxy; the old one is removed when the sessions that it sealed are over. Lines that begin with #
are comments. The file is looked at while it is used, every few seconds, and read again when it has changed; one that
cannot be read leaves the keys of before in force. No message ever holds a key.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import secrets
import stat
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["FixedKeys", "KeyFile", "SealingKeys", "made_keys", "read_keys"]

_KEY_SIZE: Final = 32
"""Bytes of a key: AES-256."""

_MAX_KEYS: Final = 8
_MAX_FILE_SIZE: Final = 1 << 16
_PERIOD: Final = 5.0
"""Seconds in which a file is looked at once."""

_HOW: Final = "write one key a line, as `openssl rand -base64 32` makes it"

_log: Final = logging.getLogger("hostler.stages.affinity")


class SealingKeys(Protocol):
    """Keys for `sealed.py`."""

    def current(self) -> Sequence[AESGCM]:
        """Return the keys in force: the first one seals, all of them open."""
        ...


class FixedKeys:
    """Keys that stay the same."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """Take keys of 32 bytes; raises ValueError for others, for none, and for more than 8."""
        given = tuple(keys)
        if not 0 < len(given) <= _MAX_KEYS:
            raise ValueError(f"there are {len(given)} keys; give 1 to {_MAX_KEYS}")
        for number, key in enumerate(given, 1):
            if len(key) != _KEY_SIZE:
                raise ValueError(f"key {number} has {len(key)} bytes; a key has {_KEY_SIZE}")
        self._keys = tuple(map(AESGCM, given))

    def current(self) -> Sequence[AESGCM]:
        """Return the keys."""
        return self._keys


class KeyFile:
    """The keys of a file, followed while it changes. `clock` returns seconds."""

    def __init__(self, path: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file; raises OSError and ValueError as `read_keys` does."""
        self._path, self._clock = path, clock
        self._seen = _signature(path)
        self._keys = FixedKeys(read_keys(path))
        self._look_at = clock() + _PERIOD

    def current(self) -> Sequence[AESGCM]:
        """Return the keys."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _PERIOD
            self._look()
        return self._keys.current()

    def _look(self) -> None:
        seen = _signature(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._keys = FixedKeys(read_keys(self._path))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            _log.error(
                "%s: %s; the sealing keys of before stay in force until it is corrected", self._path, why
            )
        else:
            _log.info("%s: sealing keys were read again: %d", self._path, len(self._keys.current()))


def _signature(path: str) -> tuple[int, int, int, int] | None:
    """Return what changes when a file does, or its mode; None when there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def read_keys(path: str) -> tuple[bytes, ...]:
    """Read a file of keys.

    Raises OSError when it cannot be read, ValueError when others may read or change it or when what stands there are no
    keys.
    """
    with Path(path).open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise ValueError(
                f"others may read or change it (mode {mode & 0o777:03o}); chmod it to 600 or 640"
            )
        content = file.read(_MAX_FILE_SIZE + 1)
    lines = [line.strip() for line in content[:_MAX_FILE_SIZE].splitlines()]
    keys = tuple(
        _read_key(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith(b"#")
    )
    if not 0 < len(keys) <= _MAX_KEYS or len(content) > _MAX_FILE_SIZE:
        raise ValueError(f"it has {len(keys)} keys, 1 to {_MAX_KEYS} are expected; {_HOW}")
    return keys


def _read_key(number: int, line: bytes) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise ValueError(f"line {number} is not base64; {_HOW}") from None
    if len(key) != _KEY_SIZE:
        raise ValueError(f"line {number} has {len(key)} bytes, {_KEY_SIZE} are expected; {_HOW}")
    return key


@lru_cache(1)
def made_keys() -> SealingKeys:
    """Return a key that nobody else knows: the same one for as long as this process runs."""
    return FixedKeys([secrets.token_bytes(_KEY_SIZE)])

"""Where a configuration comes from: a file that is read again when it changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hostler.config.yarp import parse_file

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator

    from hostler.config.yarp import Parsed

__all__ = ["FileSource"]


class FileSource:
    """A YARP document on disk."""

    def __init__(self, path: str | os.PathLike[str], interval: float = 1.0) -> None:
        """`interval` is how many seconds pass between two looks at the file."""
        self.path = Path(path)
        self._interval = interval
        self._asked: asyncio.Event | None = None
        """Of the event loop in which changes are waited for."""
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def parse(self) -> Parsed:
        """Read the file and parse it: what `yarp.build` takes; raises OSError, ConfigError for what is not JSON."""
        self._seen = self._stamp()
        return parse_file(self.path)

    def reload(self) -> None:
        """Have `changes` yield at once, whatever the file is."""
        if self._asked is not None:
            self._asked.set()

    async def changes(self) -> AsyncIterator[None]:
        """Yield each time the file is another one than at the last look; a missing file is no change."""
        asked = self._asked = asyncio.Event()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), self._interval)
            stamp = self._stamp()
            if asked.is_set() or (stamp is not None and stamp != self._seen):
                asked.clear()
                self._seen = stamp
                yield

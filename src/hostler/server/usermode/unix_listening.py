"""Listening on Unix sockets: their files, which others may have left behind, and which are removed in the end."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["SocketFiles", "bind_unix"]


LOCK_ATTEMPTS: Final = 50
LOCK_INTERVAL: Final = 0.01
"""Seconds between them; others have the lock for as long as it takes to look at a file."""

if sys.platform == "win32":

    def bind_unix(path: str, mode: int | None, backlog: int | None) -> socket.socket:
        """Refuse: asyncio has no Unix sockets on Windows."""
        raise OSError(
            errno.EAFNOSUPPORT, f"{path} is a Unix socket, which there is no support for on Windows"
        )

    @contextmanager
    def _locked(directory: str) -> Iterator[None]:
        yield

else:
    import fcntl

    def bind_unix(path: str, mode: int | None, backlog: int | None) -> socket.socket:
        """Bind a socket to a path, for a `mode`, else what the umask leaves of 0777.

        A socket that nobody listens on is replaced. Raises OSError: EADDRINUSE where somebody does, EEXIST where the
        file is none. Without a backlog it is bound for a moment only, to see whether it can be, and not at all where that
        would be in place of another.
        """
        directory = os.path.dirname(path)  # noqa: PTH120 - of a text
        with _locked(directory):
            is_stale = _find_stale(path)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            if is_stale and backlog is None and os.access(directory, os.W_OK | os.X_OK):
                return sock
            try:
                if is_stale:
                    Path(path).unlink(missing_ok=True)
                sock.setblocking(False)
                sock.bind(path)
                if mode is not None:
                    Path(path).chmod(mode)
                if backlog is None:
                    Path(path).unlink()
                else:
                    sock.listen(backlog)
            except BaseException:
                sock.close()
                raise
        return sock

    def _find_stale(path: str) -> bool:
        """Return whether there is a socket that nobody listens on; raises OSError for whatever else is there."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return False
        if not stat.S_ISSOCK(found.st_mode):
            raise FileExistsError(errno.EEXIST, "the file is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            try:
                client.connect(path)
            except FileNotFoundError:
                return False
            except ConnectionRefusedError:
                return True
            except PermissionError:
                raise
            except OSError:  # its backlog is full, or it is one for datagrams
                pass
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    @contextmanager
    def _locked(directory: str) -> Iterator[None]:
        """Have a directory to ourselves among those who replace and remove sockets in it; it is not changed.

        Whoever may list the directory can lock it: it is waited for a moment, and then done without.
        """
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # it cannot be listed, or is not there: whoever binds says so
            yield
            return
        try:
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(descriptor: int) -> None:
        for _ in range(LOCK_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_INTERVAL)
            except OSError:  # a file system without locks
                return
            else:
                return


@frozen
class SocketFiles:
    """The files of sockets that were bound here, so that nobody else's are removed."""

    _files: tuple[tuple[str, int, int], ...]
    """Path, device and inode of each."""

    @classmethod
    def of(cls, sockets: Iterable[socket.socket]) -> SocketFiles:
        """Note the files of those among the sockets that are Unix sockets; they are to stay open until `remove`."""
        paths = [name for sock in sockets if isinstance(name := sock.getsockname(), str) and name]
        found = [(path, os.lstat(path)) for path in paths]
        return cls(tuple((path, status.st_dev, status.st_ino) for path, status in found))

    def remove(self) -> None:
        """Remove the files, but for those that another process has replaced, or removed."""
        for path, device, inode in self._files:
            with suppress(OSError), _locked(os.path.dirname(path)):  # noqa: PTH120 - of a text
                status = os.lstat(path)
                if (status.st_dev, status.st_ino) == (device, inode):
                    Path(path).unlink()

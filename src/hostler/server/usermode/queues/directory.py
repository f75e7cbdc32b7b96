"""Named queues as directories: who holds one, who is a member, who wants to know.

    RUNTIME/                      0700, ours
        .guard                    locked for a moment around every look at, or change of, who holds a queue
        NAME/                     one directory a queue
            hold                  every process that has the queue open holds a shared lock on it
            member-PID-N          a member's listening socket
            watch-PID-N           a datagram socket of a lender; it gets a byte when members come or go

A queue exists while somebody holds it, as on HTTP.sys; what a killed process left behind does not count, and is
cleared away by whoever finds it. There is no daemon.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import socket
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hostler.config.model import check_queue_name
from hostler.errors import NoSuchQueueError, QueueAccessError, QueueError, QueueExistsError, UnsupportedError
from hostler.server.base import QueueMode

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform == "win32":

    def _user() -> int:
        raise UnsupportedError(
            "named queues of the user-mode server need Unix sockets: use HTTP.sys on Windows"
        )
else:
    import fcntl

    def _user() -> int:
        return os.geteuid()


__all__ = ["MAX_SOCKET_PATH", "QueueDirectory", "QueueHandle", "runtime_directory", "runtime_path"]

_numbers = itertools.count(1)
_READABLE: Final = 60


def runtime_path() -> Path:
    """Return where the directory of the queues is, or will be: made when it is needed, and not by this.

    `HOSTLER_RUNTIME_DIR`, else `hostler` in `XDG_RUNTIME_DIR`, else `hostler-UID` in the system's temporary directory.
    """
    user = _user()
    named = os.environ.get("HOSTLER_RUNTIME_DIR")
    shared = os.environ.get("XDG_RUNTIME_DIR")
    if named:
        return Path(named)
    if shared:
        return Path(shared) / "hostler"
    return Path(tempfile.gettempdir()) / f"hostler-{user}"


def runtime_directory() -> Path:
    """Return the directory that holds the queues (`runtime_path`), made if need be, checked to be ours alone.

    Raises QueueAccessError when others could reach into it, QueueError when it cannot be made.
    """
    path = runtime_path()
    named = bool(os.environ.get("HOSTLER_RUNTIME_DIR"))
    try:
        path.mkdir(mode=0o700, parents=named, exist_ok=True)
    except OSError as error:
        raise QueueError(f"{path} cannot be made ({error}): name another in HOSTLER_RUNTIME_DIR") from error
    inside = f"name one inside it, which is made: HOSTLER_RUNTIME_DIR={path / f'hostler-{_user()}'}"
    _check_private(path, inside if named and path.is_dir() and os.access(path, os.W_OK) else None)
    return path


def _check_private(path: Path, remedy: str | None = None) -> None:
    """Refuse a directory that others could reach into; raises QueueAccessError with what to do, `remedy` if given."""
    if sys.platform != "win32":
        found = path.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not ours or found.st_mode & 0o077:
            another = "name another in HOSTLER_RUNTIME_DIR"
            remedy = remedy or (f"chmod 700 {path}, or {another}" if ours else another)
            raise QueueAccessError(
                f"{path} must be a directory of this user with mode 0700 (it has {stat.filemode(found.st_mode)}, "
                f"user {found.st_uid}): {remedy}"
            )


def _directory_name(queue: str) -> str:
    """Return the queue's directory: its name without case, cut and hashed when a socket's path would be too long."""
    folded = queue.lower()
    if len(folded.encode()) <= _READABLE and not folded.startswith("."):
        return folded
    digest = hashlib.sha256(folded.encode()).hexdigest()[:24]
    return f"{digest}~"


class QueueHandle:
    """A process's open handle on a queue; the queue exists while there is one."""

    def __init__(self, directory: QueueDirectory, descriptor: int) -> None:
        self.directory = directory
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go, and tell the lenders; the last to let go clears the queue away."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self.directory.poke()
            self.directory.clear()


class QueueDirectory:
    """One queue's directory."""

    def __init__(self, queue: str) -> None:
        """Find the place of `queue`; raises QueueNameError, QueueAccessError, UnsupportedError."""
        check_queue_name(queue)
        self.queue = queue
        self._runtime = runtime_directory()
        self.path = self._runtime / _directory_name(queue)

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Keep every other process from looking or changing; held for a few system calls only."""
        descriptor = os.open(self._runtime / ".guard", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _is_held(self) -> bool:
        try:
            descriptor = os.open(self.path / "hold", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    def exists(self) -> bool:
        """Whether any process holds the queue."""
        if not self.path.exists():
            return False
        with self._guard():
            return self._is_held()

    def open(self, mode: QueueMode) -> QueueHandle:
        """Open the queue as `mode` says; raises QueueExistsError, NoSuchQueueError, QueueAccessError."""
        with self._guard():
            held = self._is_held()
            if held and mode is QueueMode.CREATE:
                raise QueueExistsError(
                    f"queue {self.queue!r} exists: another process holds it; attach to it, or choose another name"
                )
            if not held:
                if mode is QueueMode.ATTACH:
                    raise NoSuchQueueError(
                        f"no queue {self.queue!r} in {self._runtime}: start the process that creates it first, "
                        "or use create-or-attach"
                    )
                self.path.mkdir(mode=0o700, exist_ok=True)
                self._sweep()
            _check_private(self.path)
            descriptor = os.open(self.path / "hold", os.O_RDWR | os.O_CREAT, 0o600)
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_SH)
        self.poke()
        return QueueHandle(self, descriptor)

    def _sweep(self) -> None:
        """Clear away the member sockets that killed processes left, half-made ones too."""
        for path in [*self._find("member-*"), *self._find(".member-*")]:
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the directory if no process holds the queue, and no lender waits for it to come back."""
        with contextlib.suppress(OSError), self._guard():
            if not self._is_held():
                self._sweep()
                (self.path / "hold").unlink(missing_ok=True)
                self.path.rmdir()

    def _find(self, pattern: str) -> list[Path]:
        try:
            return sorted(self.path.glob(pattern))
        except OSError:
            return []  # the directory is gone

    # -- sockets --------------------------------------------------------------------------------------------------

    def bind_member(self, kind: socket.SocketKind) -> tuple[socket.socket, Path]:
        """Become a member: return a listening socket, and its path for the end."""
        path = self.path / f"member-{os.getpid()}-{next(_numbers)}"
        hidden = path.with_name(f".{path.name}")
        listener = _unix_socket(kind)
        try:
            _at(hidden, listener.bind)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
        # it is seen only now that it can be connected to
        hidden.rename(path)
        self.poke()
        return listener, path

    def leave(self, path: Path) -> None:
        """Be a member no more."""
        path.unlink(missing_ok=True)
        self.poke()

    def members(self) -> list[Path]:
        """Return the sockets of the members, dead ones perhaps among them."""
        return self._find("member-*")

    def bind_watch(self) -> tuple[socket.socket, Path]:
        """Return a datagram socket that becomes readable when members come or go."""
        path = self.path / f"watch-{os.getpid()}-{next(_numbers)}"
        watch = _unix_socket(socket.SOCK_DGRAM)
        try:
            _at(path, watch.bind)
        except BaseException:
            watch.close()
            raise
        return watch, path

    def poke(self) -> None:
        """Wake every lender that watches this queue; clear away the sockets of those that are gone."""
        watches = self._find("watch-*")
        if not watches:
            return
        with contextlib.closing(_unix_socket(socket.SOCK_DGRAM)) as sender:
            for path in watches:
                try:
                    _at(path, sender.connect)
                    sender.send(b"\0")
                except (ConnectionRefusedError, FileNotFoundError):
                    path.unlink(missing_ok=True)
                except BlockingIOError:
                    continue  # it has pokes enough to wake up


def connect(path: Path, kind: socket.SocketKind) -> socket.socket | None:
    """Connect to a member; None when it is gone, and its socket file then too."""
    link = _unix_socket(kind)
    try:
        _at(path, link.connect)
    except (ConnectionRefusedError, FileNotFoundError):
        link.close()
        path.unlink(missing_ok=True)
        return None
    except BlockingIOError:
        link.close()  # its backlog is full: it will be found at the next look
        return None
    except BaseException:
        link.close()
        raise
    return link


def _unix_socket(kind: socket.SocketKind) -> socket.socket:
    family: socket.AddressFamily | None = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise UnsupportedError("named queues of the user-mode server need Unix sockets")
    made = socket.socket(family, kind)
    made.setblocking(False)
    return made


MAX_SOCKET_PATH: Final = 103
"""Bytes of a socket's path that every Unix can bind."""


def _at(path: Path, use: object) -> None:
    """Call bind or connect with a path of any length."""
    assert callable(use)
    text = os.fsencode(path)
    if len(text) <= MAX_SOCKET_PATH:
        use(text)
        return
    if sys.platform.startswith("linux"):
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            use(b"/proc/self/fd/%d/%s" % (directory, os.fsencode(path.name)))
        finally:
            os.close(directory)
    else:
        raise QueueError(f"{path} is too long for a socket: name a shorter directory in HOSTLER_RUNTIME_DIR")

"""Which processes listen on a port, or a Unix socket: from /proc on Linux, from Windows where it is that, else nobody knows."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.server.httpsys.api import Windows

__all__ = ["Holder", "holders_of", "holders_of_path"]

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_ACCEPTS: Final = 0x10000  # __SO_ACCEPTCON
_LOCAL: Final = re.compile(r"[0-9A-F]+:([0-9A-F]{4})")
_SPAWNED: Final = "multiprocessing.spawn"
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


@frozen
class Holder:
    """Who listens on a port, or a Unix socket."""

    process: int | None
    """None where this user may not see whose socket it is."""

    program: str

    is_hostler: bool = False

    def __str__(self) -> str:
        return self.program if self.process is None else f"process {self.process} ({self.program})"


def holders_of(port: int, windows: Windows | None = None, proc: Path = _PROC) -> tuple[Holder, ...]:
    """Return who listens on a TCP port of this machine; nobody where that cannot be found out."""
    if windows is not None:
        return tuple(_on_windows(windows, port))
    sockets = _listening_sockets(port, proc)
    if not sockets:
        return ()
    found = {holder.process: holder for holder in _owners(set(sockets), proc)}
    return tuple(found.values()) or tuple(
        Holder(None, f"a process of user {user}, which this user may not look at")
        for user in sorted(set(sockets.values()))
    )


def holders_of_path(path: str, proc: Path = _PROC) -> tuple[Holder, ...]:
    """Return who listens on a Unix socket; nobody where that cannot be found out."""
    try:
        table = (proc / "net" / "unix").read_text("utf-8", "surrogateescape").split("\n")[1:]
    except OSError:
        return ()
    rows = [row for line in table if len(row := line.split(maxsplit=7)) == 8 and row[7] == path]
    return tuple(_owners({row[6] for row in rows if int(row[3], 16) & _ACCEPTS}, proc))


def _on_windows(windows: Windows, port: int) -> Iterator[Holder]:
    from hostler.windows.tcp import SYSTEM_PROCESS, listeners_on  # noqa: PLC0415 - it needs cffi

    programs = {listener.process: listener.program for listener in listeners_on(windows, port)}
    for process, program in programs.items():
        if process == SYSTEM_PROCESS:
            yield Holder(process, "System: HTTP.sys")
        else:
            yield Holder(process, program.rpartition("\\")[2] or "a program that this user may not look at")


def _listening_sockets(port: int, proc: Path) -> dict[str, int]:
    """Return the inodes of the sockets that listen on a port, each with its user."""
    found = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue  # another system, or one without IPv6
        for fields in map(str.split, lines):
            local = _LOCAL.fullmatch(fields[1])
            if fields[3] == _LISTENING and local and int(local[1], 16) == port:
                found[fields[9]] = int(fields[7])
    return found


def _owners(sockets: set[str], proc: Path) -> Iterator[Holder]:
    """Find the processes that have one of these sockets."""
    for process in proc.glob("[0-9]*"):
        if any(inode in sockets for inode in _inodes(process / "fd")):
            yield _holder(process)


def _inodes(descriptors: Path) -> Iterator[str]:
    """Yield the inodes of a process's sockets; none of one that is another user's, or has ended."""
    with suppress(OSError):
        for entry in descriptors.iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if match := _SOCKET.fullmatch(str(entry.readlink())):
                    yield match[1]


def _holder(process: Path) -> Holder:
    is_hostler = _is_hostler(process) or _is_worker(process)
    return Holder(int(process.name), "hostler" if is_hostler else _program(process), is_hostler)


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a program that has ended"


def _words(process: Path) -> list[str]:
    """Return a process's command line; nothing of one that has ended."""
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _is_hostler(process: Path) -> bool:
    return any(Path(word).name == "hostler" for word in _words(process)[:4])


def _is_worker(process: Path) -> bool:
    """Whether it is a process that multiprocessing started for hostler (proc(5): the parent comes behind the name)."""
    if not any(_SPAWNED in word for word in _words(process)):
        return False
    try:
        parent = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    except OSError:
        return False
    return _is_hostler(process.with_name(parent))

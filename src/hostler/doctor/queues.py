"""Request queues: where they are, which there are, and who serves them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hostler.doctor.finding import Finding, Verdict
from hostler.errors import NoSuchQueueError, QueueError, QueueNameError, UnsupportedError
from hostler.server.base import ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hostler.doctor.context import Context
    from hostler.server.httpsys.api import Windows
    from hostler.server.usermode.queues.directory import QueueDirectory

__all__ = ["examine_queues"]

_LONGEST_NAME: Final = 60
_LONGEST_SOCKET: Final = len("/.member-4194304-99999")


def examine_queues(context: Context) -> Iterator[Finding]:
    """Find the queues of the server that is to be used, and those that the document delegates to."""
    if context.server is ServerKind.USERMODE:
        yield from _in_user_mode(context)
    elif context.windows is not None:
        yield from _in_kernel(context.windows, context.queues)
    else:
        yield Finding("queues", Verdict.BROKEN, f"there is no HTTP.sys to hold them: {context.no_windows}")


# -- in user mode -----------------------------------------------------------------------------------------------------


def _in_user_mode(context: Context) -> Iterator[Finding]:
    from hostler.server.usermode.queues import directory  # noqa: PLC0415 - of no use with HTTP.sys

    try:
        path = directory.runtime_path()
    except UnsupportedError as error:
        yield Finding("queues", Verdict.BROKEN if context.queues else Verdict.MISSING, str(error))
        return
    directory_found = _runtime_directory(path)
    yield directory_found
    yield from length_of_paths(path)
    if directory_found.verdict is Verdict.BROKEN:
        return
    held = _held(path) if path.exists() else {}
    for name, members in held.items():
        yield _queue(name, members)
    for name in context.queues:
        # a name that is too long, or not in lower case, is not the directory's
        if not held or directory.QueueDirectory(name).path.name not in held:
            yield _missing(name)


def _runtime_directory(path: Path) -> Finding:
    """Find whether the directory is there and this user's alone, or could be made."""
    from hostler.server.usermode.queues.directory import runtime_directory  # noqa: PLC0415 - as above

    what, remedy = "runtime directory", "name another in HOSTLER_RUNTIME_DIR"
    try:
        path.lstat()
    except FileNotFoundError:
        parent = next(parent for parent in path.parents if parent.exists())
        if parent != path.parent and not os.environ.get("HOSTLER_RUNTIME_DIR"):
            return Finding(what, Verdict.BROKEN, f"{path} cannot be made: there is no {path.parent}", remedy)
        if not os.access(parent, os.W_OK | os.X_OK):
            return Finding(
                what, Verdict.BROKEN, f"{path} cannot be made: {parent} is closed to this user", remedy
            )
        return Finding(what, Verdict.OK, f"{path}: not there yet, made with the first queue")
    except OSError as error:
        return Finding(what, Verdict.BROKEN, f"{path} cannot be reached: {error.strerror}", remedy)
    try:
        runtime_directory()
    except QueueError as error:
        return Finding(what, Verdict.BROKEN, str(error))
    return Finding(what, Verdict.OK, f"{path}, of this user alone")


def length_of_paths(path: Path, platform: str = sys.platform) -> Iterator[Finding]:
    """Find that a directory's path leaves no room for the names of sockets, which Linux gets around."""
    from hostler.server.usermode.queues.directory import MAX_SOCKET_PATH  # noqa: PLC0415 - as above

    left = MAX_SOCKET_PATH - len(os.fsencode(path)) - 1 - _LONGEST_SOCKET
    if left >= _LONGEST_NAME or platform.startswith("linux"):
        return
    yield Finding(
        "length of sockets' paths", Verdict.WARNING if left > 0 else Verdict.BROKEN,
        f"{path} leaves {max(left, 0)} bytes for a queue's name",
        "name a shorter directory in HOSTLER_RUNTIME_DIR",
    )  # fmt: skip


def _held(path: Path) -> dict[str, QueueDirectory]:
    """Return the queues that processes hold, by the names of their directories."""
    from hostler.server.usermode.queues.directory import QueueDirectory  # noqa: PLC0415 - as above

    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    found: dict[str, QueueDirectory] = {}
    for name in names:
        with suppress(QueueNameError):  # somebody else's directory
            queue = QueueDirectory(name)
            if queue.exists():
                found[name] = queue
    return found


def _queue(name: str, queue: QueueDirectory) -> Finding:
    members = sorted({int(member.name.split("-")[1]) for member in queue.members()})
    serving = [str(process) for process in members if _is_alive(process)]
    if serving:
        return Finding(f"queue {name}", Verdict.OK, f"served by process {', '.join(serving)}")
    return Finding(
        f"queue {name}", Verdict.WARNING, "held by a process, and served by none: its requests wait",
        "look at the log of whoever holds it: its workers have not started, or end again",
    )  # fmt: skip


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _missing(name: str) -> Finding:
    return Finding(
        f"queue {name}", Verdict.WARNING, "the document delegates to it, and no process holds it: its requests get 503",
        f"start what serves it, for one: hostler serve MODULE:APP --queue {name}",
    )  # fmt: skip


# -- in the kernel ----------------------------------------------------------------------------------------------------


def _in_kernel(windows: Windows, names: tuple[str, ...]) -> Iterator[Finding]:
    yield Finding(
        "queues", Verdict.OK, "HTTP.sys tells programs of no queue but those that they name",
        "to list them, as an administrator: netsh http show servicestate view=requestq",
    )  # fmt: skip
    for name in names:
        yield _named(windows, name)


def _named(windows: Windows, name: str) -> Finding:
    from hostler.server.httpsys.queue import open_queue  # noqa: PLC0415 - it needs cffi

    try:
        open_queue(windows, name).close()
    except NoSuchQueueError:
        return _missing(name)
    except QueueError as error:
        return Finding(f"queue {name}", Verdict.BROKEN, str(error))
    return Finding(f"queue {name}", Verdict.OK, "a process holds it, and this user may open it")

"""Listening sockets that the process was started with, as systemd passes them (sd_listen_fds(3))."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from typing import TYPE_CHECKING, Final

from hostler.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["take_inherited"]

_log = logging.getLogger("hostler.server")

FIRST: Final = 3
"""The first descriptor (SD_LISTEN_FDS_START)."""

if sys.platform == "win32":
    _FAMILIES: Final[tuple[int, ...]] = ()  # no program is started so
else:
    _FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)

_PASSES_SOCKETS: Final = bool(_FAMILIES)
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_VARIABLES: Final = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


def take_inherited(
    environ: MutableMapping[str, str] = os.environ, *, first: int = FIRST
) -> tuple[socket.socket, ...]:
    """Return the sockets that are for this process, and have neither it nor its children take them again.

    The variables are removed, and the descriptors are closed in programs that it starts. Raises ListenError for what is
    no listening stream socket.
    """
    said = {name: environ.pop(name) for name in _VARIABLES if name in environ}
    count, pid = said.get("LISTEN_FDS", ""), said.get("LISTEN_PID", "")
    if not (_PASSES_SOCKETS and _NUMBER.fullmatch(count) and _NUMBER.fullmatch(pid)):
        return ()
    if int(pid) != os.getpid():
        _log.warning(
            "LISTEN_FDS is for process %s, and this is process %d: its sockets are not taken; start hostler itself, "
            "without another program in between",
            pid,
            os.getpid(),
        )
        return ()
    names = said.get("LISTEN_FDNAMES", "").split(":")
    taken = []
    try:
        for index, descriptor in enumerate(range(first, first + int(count))):
            name = names[index] if index < len(names) else ""
            taken.append(_take(descriptor, f"{descriptor} ({name})" if name else str(descriptor)))
    except BaseException:
        for sock in taken:
            sock.close()
        raise
    return tuple(taken)


def _take(descriptor: int, name: str) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise _error(error.errno, name, f"is no socket ({error.strerror})") from error
    try:
        _check(sock, name)
        sock.setblocking(False)
        if isinstance(sock.getsockname(), tuple):
            # what is accepted inherits it, as from a socket of our own
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _check(sock: socket.socket, name: str) -> None:
    if sock.type != socket.SOCK_STREAM:
        raise _error(None, name, "is no stream socket")
    if sock.family not in _FAMILIES:
        raise _error(None, name, "is neither TCP nor a Unix socket")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise _error(None, name, "does not listen (systemd: Accept=no)")


def _error(number: int | None, name: str, why: str) -> ListenError:
    return ListenError(
        number, f"the inherited descriptor {name} {why}; pass listening sockets with ListenStream= alone"
    )

"""Cutting off a connection of which other processes have copies."""

from __future__ import annotations

import ctypes
import socket
import sys
from typing import Final

__all__ = ["cut_off"]

if sys.platform.startswith("linux"):
    _connect = ctypes.CDLL(None, use_errno=True).connect
    _NOWHERE: Final = bytes(16)
    """A socket address of the family AF_UNSPEC, which Python cannot write."""

    def cut_off(sock: socket.socket) -> None:
        """Reset a connection at once, whoever has copies of its descriptor (connect(2): AF_UNSPEC dissolves it)."""
        if _connect(sock.fileno(), _NOWHERE, len(_NOWHERE)):
            raise OSError(ctypes.get_errno(), "the connection cannot be dissolved")

else:

    def cut_off(sock: socket.socket) -> None:
        """End a connection at once, whoever has copies of its descriptor: in order, since a reset needs the last one."""
        sock.shutdown(socket.SHUT_RDWR)

"""What the kernel knows of a connection, whoever reads and writes it: what it counts on TCP (Linux, TCP_INFO), how it is."""

from __future__ import annotations

import select
import socket
import struct
import sys
from typing import Final

if sys.platform != "win32":
    import fcntl
    import termios

__all__ = ["bytes_read", "bytes_waiting", "bytes_written", "has_ended", "is_gone"]


def bytes_written(sock: socket.socket) -> int | None:
    """Return how many bytes have been written to a TCP connection by anybody, sent or not (Linux 4.19, TCP_INFO).

    None where the kernel does not count them: then nobody may assume that nothing was sent.
    """
    if sys.platform.startswith("linux"):
        info = _tcp_info(sock)
        if len(info) == _TCP_INFO_SIZE:
            (unsent,) = struct.unpack_from("=I", info, 144)  # tcpi_notsent_bytes
            sent, again = struct.unpack_from("=QQ", info, 200)  # tcpi_bytes_sent, tcpi_bytes_retrans
            return int(sent - again + unsent)
    return None


def bytes_read(sock: socket.socket) -> int:
    """Return how many bytes anybody has read from a TCP connection (Linux, TCP_INFO); -1 where nobody knows.

    The end of the client's stream may count as a byte.
    """
    if sys.platform.startswith("linux"):
        try:
            waiting = bytes_waiting(sock)
            info = _tcp_info(sock)
            while waiting != (waiting := bytes_waiting(sock)):
                info = _tcp_info(sock)
        except (OSError, ValueError):
            return -1
        if len(info) == _TCP_INFO_SIZE:
            return int.from_bytes(info[128:136], sys.byteorder) - waiting  # tcpi_bytes_received
    return -1


def bytes_waiting(sock: socket.socket) -> int:
    """Return how many bytes have arrived on a connection and wait to be read (FIONREAD); 0 on Windows."""
    if sys.platform != "win32":
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)
    else:  # noqa: RET505 - for mypy, which checks each platform's own branch
        return 0


def is_gone(sock: socket.socket) -> bool:
    """Whether a TCP connection is over for both sides, as after a reset (Linux, TCP_INFO); False where nobody knows."""
    return sys.platform.startswith("linux") and _tcp_info(sock)[:1] == _TCP_CLOSE


def has_ended(sock: socket.socket) -> bool:
    """Whether the peer of a connection sends no more, though it may have sent bytes that nobody has read (Linux, poll(2))."""
    if sys.platform.startswith("linux"):
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)
        return bool(poll.poll(0))
    else:  # noqa: RET505 - as above
        return False


if sys.platform.startswith("linux"):
    _TCP_CLOSE: Final = b"\x07"
    _TCP_INFO_SIZE: Final = 216

    def _tcp_info(sock: socket.socket) -> bytes:
        """Return `struct tcp_info` of Linux 4.19; less of it, or nothing, where there is no more."""
        try:
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        except OSError:
            return b""

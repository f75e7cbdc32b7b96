"""What a member of a queue reaches a client through: a copy of the client's socket, or one end of a relay (`relay.py`).

Who makes what the client gets of the bytes that a member writes is the socket's business. The queue lends the one as it
lends the other, and so does the member answer on it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from hostler.server.usermode.queues.tcp_info import bytes_read, bytes_written

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.errors import Failure
    from hostler.server.usermode.client_socket import ClientSocket

__all__ = ["LentSocket", "SharedSocket"]


class LentSocket(Protocol):
    """What is lent of one client's connection, on the lender's side."""

    written: int | None
    """What is counted as written before the request that is lent; None when nobody counts, or has looked."""

    written_by_member: int | None
    """The same behind an answer that a member has just given; it holds unless somebody else writes."""

    def fileno(self) -> int:
        """Return the descriptor that members get copies of; -1 once the client is gone."""
        ...

    def lend(self) -> None:
        """Have a member write to the client from now on."""

    def lend_reading(self) -> int:
        """Have it read from the client too; returns what is counted as read before."""
        ...

    def regain(self) -> bytes | None:
        """Have the client to ourselves again; returns what was read from it for the member, and is unread."""
        ...

    def bytes_written(self) -> int | None:
        """Return what is counted as written by now; None where nobody counts."""
        ...

    def bytes_read(self) -> int:
        """Return what is counted as read by now, for comparison with `lend_reading`."""
        ...

    def answered(self, written: int) -> Failure | None:
        """Note that a member has answered, and how much it says that it wrote; returns what is wrong with that."""
        ...

    def close(self) -> None:
        """Let members know that the client is gone."""


class SharedSocket:
    """A client's TCP connection, of which members have copies: the kernel counts, whoever writes; `LentSocket`."""

    def __init__(self, client: ClientSocket, written: int | None = None) -> None:
        """`written` is what the kernel has counted already, where that is known."""
        self.written = written
        self.written_by_member: int | None = None
        sock = client.raw()
        self.fileno: Callable[[], int] = sock.fileno
        self.lend: Callable[[], None] = client.lend
        self.regain: Callable[[], None] = client.regain
        self.bytes_written: Callable[[], int | None] = partial(bytes_written, sock)
        self.lend_reading: Callable[[], int] = partial(bytes_read, sock)
        self.bytes_read = self.lend_reading

    def answered(self, written: int) -> Failure | None:
        """Add what the member says that it wrote: the kernel can be asked, and that costs more."""
        if self.written is not None:
            self.written_by_member = self.written + written
        return None

    def close(self) -> None:
        """Do nothing: each copy shows it."""

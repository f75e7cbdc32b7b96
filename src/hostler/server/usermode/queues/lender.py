"""The lender's side of a named queue: which members there are, who gets the next request, who waits.

Theory of operation. A `TargetQueue` is this process's one handle on a queue; `Rule`s (a queue and a URL prefix) share
it. It is opened when a request wants it: a queue that does not exist is "no such queue" for that request and is
looked for again with the next. Open, it keeps a link to every member, and a socket that is poked when members come or
go. A request goes to the member with the fewest in its hands. While there is none, requests wait, in order, up to the
queue's length and time limits.

A loan ends in one of four ways: DONE; GIVE_BACK, and the request goes elsewhere, or to the same member after a moment;
the member dies before anything was sent to the client (the `LentSocket` knows), and the request goes elsewhere; or it
dies after, and the client's connection is aborted.

There is no task here, nor a coroutine: a `Loan` is what whoever delegates awaits. It goes from the queue to a member and
back by callbacks, and is settled within the one in which its last packet was read.

States. A `TargetQueue` is closed, or open: the first request that finds no member opens it, if there is such a queue. Once
nobody holds that any more it is most likely being restarted, and stays open for a grace (`Timeouts.queue_restart`). The
end of the grace, `Rule.reset` and the end of its last rule close it, and retire its members (`member.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from hostler.errors import Failure, QueueError, Reason
from hostler.server.usermode.queues.directory import QueueDirectory, connect
from hostler.server.usermode.queues.link import KIND
from hostler.server.usermode.queues.loan import Returned
from hostler.server.usermode.queues.member import Member
from hostler.server.usermode.queues.packets import PacketError

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from hostler.server.options import ServerOptions
    from hostler.server.usermode.queues.loan import LentConnection, Loan

__all__ = ["TargetQueue"]

_log = logging.getLogger("hostler.queues")
RETRY_INTERVAL: Final = 1.0
"""Seconds until a queue that requests wait for is looked at again."""

MAX_MEMBER_CRASHES: Final = 5
"""Processes that may end with a request in their hands; after that nobody doubts whose fault it is: 502."""


class TargetQueue:
    """This process's one handle on a queue that it delegates to."""

    def __init__(self, name: str, options: ServerOptions) -> None:
        self.name = name
        self.loop = asyncio.get_running_loop()
        self._options = options
        self._directory: QueueDirectory | None = None
        self._members: dict[Path, Member] = {}
        self._watch: socket.socket | None = None
        self._watch_path: Path | None = None
        self._waiting: deque[Loan] = deque()
        self._retry_timer: asyncio.TimerHandle | None = None
        self._gone_timer: asyncio.TimerHandle | None = None
        """Runs while nobody holds the queue and it may yet come back."""
        self.rules = 0

    # -- members --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Find the queue and its members; raises QueueError when there is no such queue, or it is not ours."""
        if self._watch is not None:
            return
        directory = QueueDirectory(self.name)
        if not directory.exists():
            raise QueueError(f"no process holds queue {self.name!r}")
        self._watch, self._watch_path = directory.bind_watch()
        self._directory = directory
        self.loop.add_reader(self._watch, self._on_poke)
        self._look_for_members()

    def _on_poke(self) -> None:
        assert self._watch is not None
        try:
            while self._watch.recv(64):
                pass
        except BlockingIOError:
            pass
        self._is_held()
        self._look_for_members()

    def _is_held(self) -> bool:
        """Whether a process holds the queue, or did until a moment ago and may be starting again."""
        assert self._directory is not None
        if self._directory.exists():
            if self._gone_timer is not None:
                self._gone_timer.cancel()
                self._gone_timer = None
            return True
        grace = self._options.timeouts.queue_restart
        if self._gone_timer is None and grace:
            self._gone_timer = self.loop.call_later(grace, self._on_grace_over)
        return self._gone_timer is not None

    def _on_grace_over(self) -> None:
        self._gone_timer = None
        assert self._directory is not None
        if not self._directory.exists():
            self.close()

    def _look_for_members(self) -> None:
        assert self._directory is not None
        for path in self._directory.members():
            if path in self._members:
                continue
            sock = connect(path, KIND)
            if sock is None:
                continue
            try:
                member = Member(self, path, sock)
            except QueueError as error:
                sock.close()
                _log.error("queue %s: %s is not trusted: %s", self.name, path.name, error)
            else:
                if not member.link.closed:
                    self._members[path] = member
        if self._members:
            self.wake()

    def member_lost(self, member: Member) -> None:
        """Forget a member whose link is closed."""
        if self._members.get(member.path) is member:
            del self._members[member.path]
            if not self._members:
                self._is_held()

    def _pick(self, connection: LentConnection) -> Member | None:
        """Return the member with the fewest requests, of equals one that has the connection already."""
        best: Member | None = None
        fewest = 0
        for member in self._members.values():
            count = len(member.loans)
            if member.leaving or (best is not None and count > fewest):
                continue
            if member.backing_off and member not in connection.holders:
                continue
            if best is None or count < fewest or member in connection.holders:
                best, fewest = member, count
        if best is not None and len(self._members) > 1 and best not in connection.holders:
            # the next of equals is another one
            self._members[best.path] = self._members.pop(best.path)
        return best

    # -- requests -------------------------------------------------------------------------------------------------

    def lend(self, loan: Loan) -> None:
        """Have a member answer the request; completed with a Failure, the connection is as it was."""
        connection = loan.connection
        sock = connection.socket
        if sock.written is None:
            sock.written = sock.bytes_written()
        member = self._pick(connection)
        if member is None:
            self._wait(loan)
            return
        try:
            member.lend(loan)
        except (PacketError, OSError) as error:
            self.settle(loan, Failure(Reason.REQUEST_CREATION, str(error), error))

    def offer(self, loan: Loan) -> None:
        """Lend once more, unless nobody waits for the answer any more."""
        if loan.connection.lost:
            self.settle(loan, Failure(Reason.REQUEST_CANCELED, "the client went away"))
        elif not loan.done():
            self.lend(loan)

    def settle(self, loan: Loan, result: Returned | Failure) -> None:
        """Hand a loan back with what became of it."""
        loan.settle(result)
        if not self.rules:
            self.close()  # the last rule was closed meanwhile

    def member_ended(self, loan: Loan, member: Member) -> None:
        """Lend a request that its member can have left no trace of to another; abort one that it may have begun to answer."""
        if loan.done():
            return
        if not loan.untouched():
            why = f"process {member.link.peer} of queue {self.name} ended in the middle of its answer"
            _log.warning("%s", why)
            self.settle(loan, Returned(loan.status, 0, 0, Failure(Reason.RESPONSE_BODY_DESTINATION, why)))
            return
        loan.crashes += 1
        if loan.crashes == MAX_MEMBER_CRASHES:
            why = f"{loan.crashes} processes of queue {self.name} ended with this request in their hands"
            self.settle(loan, Failure(Reason.REQUEST, why))
            return
        _log.info("queue %s: process %d ended before it answered; the request goes to another",
                  self.name, member.link.peer)  # fmt: skip
        self.offer(loan)

    # -- requests that wait ---------------------------------------------------------------------------------------

    def _wait(self, loan: Loan) -> None:
        """Have a request wait for a member, or fail it where there will be none."""
        connection = loan.connection
        try:
            self._open()
            member = self._pick(connection)
            if member is None and not self._is_held():
                raise QueueError(f"no process holds queue {self.name!r}")  # noqa: TRY301 - one door out
        except (QueueError, OSError) as error:
            self.close()
            self.settle(loan, Failure(Reason.NO_AVAILABLE_DESTINATIONS, str(error), error))
            return
        limit, now = self._options.request_queue_limit, self.loop.time()
        if loan.deadline is None:
            loan.deadline = now + self._options.timeouts.request_queue
        if member is not None:
            self.lend(loan)
        elif len(self._waiting) >= limit:
            why = f"queue {self.name} is full: {limit} requests wait"
            self.settle(loan, Failure(Reason.NO_AVAILABLE_DESTINATIONS, why))
        elif now >= loan.deadline:
            self.settle(loan, self._too_late())
        else:
            loan.keeper, connection.waiting = self, partial(self._go_on, loan)
            loan.timer = self.loop.call_at(loan.deadline, self._go_on, loan)
            self._waiting.append(loan)
            self._arm()

    def release(self, loan: Loan) -> None:
        """Have a request wait no more: nobody wants it answered."""
        loan.stop_waiting()
        self._waiting.remove(loan)

    def _go_on(self, loan: Loan) -> None:
        """Take a request whose time is over, or whose client is gone, out of those that wait."""
        self.release(loan)
        self.offer(loan)

    def _too_late(self) -> Failure:
        seconds = self._options.timeouts.request_queue
        return Failure(
            Reason.NO_AVAILABLE_DESTINATIONS,
            f"no process of queue {self.name} took the request in {seconds:g} s",
        )

    def wake(self) -> None:
        """Let the requests that wait look for a member, in the next turn of the event loop."""
        while self._waiting:
            loan = self._waiting.popleft()
            loan.stop_waiting()
            self.loop.call_soon(self.offer, loan)

    def _arm(self) -> None:
        """Look again now and then while requests wait: a killed holder says no goodbye."""
        if self._retry_timer is None:
            self._retry_timer = self.loop.call_later(RETRY_INTERVAL, self._retry)

    def _retry(self) -> None:
        self._retry_timer = None
        if self._waiting and self._directory is not None:
            self._look_for_members()
            if not self._is_held():
                self.wake()
            else:
                self._arm()

    def close(self) -> None:
        """Let go of the queue; requests that wait look for it anew, those lent come back when they are done."""
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None
        if self._gone_timer is not None:
            self._gone_timer.cancel()
            self._gone_timer = None
        if self._watch is not None:
            self.loop.remove_reader(self._watch)
            self._watch.close()
            self._watch = None
        if self._watch_path is not None:
            self._watch_path.unlink(missing_ok=True)
            self._watch_path = None
            if self._directory is not None:
                self._directory.clear()
        members, self._members = self._members, {}
        for member in members.values():
            member.retire()
        self.wake()

"""Request queues: who has a handle on one, who waits for requests, which requests wait for somebody.

A queue lives as long as a handle that keeps it. A request is WAITING in a queue, then bound to the handle that was told
of it: TOLD when the buffer was too small and only its id was given, RECEIVED when all of its head was.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.port import FileObject, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.machine import Machine

BASIC, LIMITED, FULL = range(3)
"""HTTP_503_RESPONSE_VERBOSITY."""


class Demand(enum.Enum):
    """What completes HttpWaitForDemandStart.

    source: HttpWaitForDemandStart, "completes when a new request arrives for the specified request queue"; "that can be
    served by a new request queue process". The pages leave open what these mean for a request that waits already, and
    for one that a worker is there for; the product must go well with each reading.
    """

    WAITING = "a request that nobody receives, even if it has waited before the call"
    ARRIVAL = "a request that arrives during the call, and that nobody receives"
    EVERY = "every request that arrives during the call"


@define(eq=False)
class Receive:
    """A HttpReceiveHttpRequest that pends."""

    operation: Operation
    deliver: Callable[[Request], tuple[int, int]]
    """Writes a request into the caller's buffer; returns the code and the size."""


@define(eq=False)
class Queue:
    """A request queue."""

    machine: Machine
    name: str | None
    owner: str
    allowed: frozenset[str] | None = None
    """Users who may open it beside its owner; None is everybody."""

    handles: list[QueueHandle] = field(factory=list)
    waiting: deque[Request] = field(factory=deque)
    receives: list[tuple[QueueHandle, Receive]] = field(factory=list)
    """In the order in which they were called, of all handles."""
    demand: Operation | None = None
    limit: int = 1000
    verbosity: int = BASIC
    enabled: bool = True
    gone: bool = False

    def lets_in(self, user: str) -> bool:
        """Whether a user may open the queue."""
        # source: HttpCreateRequestQueue: others may open it where its ACL says so
        return user == self.owner or self.allowed is None or user in self.allowed

    @property
    def workers(self) -> list[QueueHandle]:
        """Handles that may get requests."""
        return [handle for handle in self.handles if handle.serves and not handle.shut]

    @property
    def controlled(self) -> bool:
        return any(handle.controller and not handle.shut for handle in self.handles)

    def refusal(self) -> str | None:
        """Say why no request may come in now, None when one may (HTTPERR's reason)."""
        # source: "Error logging in HTTP Server API": 503 with Disabled, AppShutdown, AppOffline
        # guess: AppShutdown is when processes are there that have shut down, AppOffline when there are none
        if not self.enabled:
            return "Disabled"
        if self.workers or self.controlled:
            return None
        return "AppShutdown" if any(handle.shut for handle in self.handles) else "AppOffline"

    def arrive(self, request: Request) -> None:
        """Give a request to who waits for one, or have it wait, or answer it with 503."""
        if (reason := self.refusal()) is not None:
            request.unavailable(self, reason)
            return
        request.queue = self
        if self.machine.demand is Demand.EVERY:
            self.demanded()
        if self.receives:
            shuffle = self.machine.shuffle
            at = shuffle.randrange(len(self.receives)) if shuffle is not None else 0
            handle, receive = self.receives.pop(at)
            receive.operation.complete(*handle.bind(request, receive))
            return
        # source: HttpSetRequestQueueProperty: HttpServerQueueLengthProperty limits what waits; "Error logging in HTTP Server API": QueueFull
        if len(self.waiting) >= self.limit:
            request.unavailable(self, "QueueFull")
            return
        self.waiting.append(request)
        self.demanded()

    def demanded(self) -> None:
        """Tell the controller that a request is there, if it asked."""
        if self.demand is not None:
            demand, self.demand = self.demand, None
            demand.complete(c.OK)

    def forget(self, request: Request) -> None:
        """Take out a request whose client is gone."""
        if request in self.waiting:
            self.waiting.remove(request)

    def left(self) -> None:
        """End the queue when nobody keeps it any more."""
        # guess: a queue lives as long as a handle on it, as kernel objects do
        if self.gone or any(handle.keeps for handle in self.handles):
            return
        self.gone = True
        self.machine.queues.discard(self)
        while self.waiting:
            self.waiting.popleft().unavailable(self, "AppOffline")


@define(eq=False)
class QueueHandle(FileObject):
    """One process' handle on a queue."""

    kind = "queue handle"
    queue: Queue = field(kw_only=True)
    controller: bool = field(default=False, kw_only=True)
    delegation: bool = field(default=False, kw_only=True)
    created: bool = field(default=False, kw_only=True)
    shut: bool = field(default=False, init=False)
    requests: dict[int, Request] = field(factory=dict, init=False)
    """What is bound to this handle, by id."""
    waits: list[Operation] = field(factory=list, init=False)
    """HttpWaitForDisconnect(Ex) calls, which HttpShutdownRequestQueue cancels."""

    @property
    def serves(self) -> bool:
        return not (self.controller or self.delegation or self.closed)

    @property
    def keeps(self) -> bool:
        """Whether the queue lives for this handle's sake; a delegator's does so on older systems only."""
        return not self.delegation or self.queue.machine.delegator_keeps_queue

    @property
    def detached(self) -> bool:
        """Whether the queue that the handle was opened for is no more."""
        return self.queue.gone

    def serving(self) -> None:
        """Raise unless the handle may do I/O."""
        # source: HttpCreateRequestQueue: a controller's handle cannot be used for I/O
        # guess: nor can one that was opened for delegating; the code for both is ERROR_INVALID_PARAMETER
        if self.controller or self.delegation:
            raise Win32(c.INVALID_PARAMETER)

    def receive(self, operation: Operation, deliver: Callable[[Request], tuple[int, int]]) -> int:
        """Take the next request, or wait for it."""
        queue = self.queue
        if self.shut:
            raise Win32(c.INVALID_HANDLE)
        receive = Receive(operation, deliver)
        # source: measured under Wine (tests/wine/inside): a request that waits is received during the call
        if queue.waiting:
            return operation.over(*self.bind(queue.waiting.popleft(), receive))
        entry = (self, receive)
        queue.receives.append(entry)
        return operation.pend(lambda: queue.receives.remove(entry))

    def bind(self, request: Request, receive: Receive) -> tuple[int, int]:
        """Bind a request to this handle, and tell of it."""
        request.owner = self
        self.requests[request.id] = request
        return receive.deliver(request)

    def request(self, request_id: int) -> Request:
        """Find a request of this handle; raises Win32 when there is no such (any more)."""
        try:
            return self.requests[request_id]
        except KeyError:
            # source: measured under Wine (tests/wine/inside): ERROR_CONNECTION_INVALID for an id that is not known
            raise Win32(c.CONNECTION_INVALID) from None

    def wait_for_demand(self, operation: Operation) -> int:
        """Wait for a request that nobody takes (HttpWaitForDemandStart)."""
        queue = self.queue
        # source: HttpWaitForDemandStart: ERROR_INVALID_ID_AUTHORITY for who is not the controller, ERROR_INVALID_HANDLE
        # after a shutdown, ERROR_ALREADY_EXISTS for a second registration
        if not self.controller:
            raise Win32(c.INVALID_ID_AUTHORITY)
        if self.shut:
            raise Win32(c.INVALID_HANDLE)
        if queue.demand is not None:
            raise Win32(c.ALREADY_EXISTS)
        # guess: a request that waits already is a demand (Demand.WAITING), else WAS would strand it behind a crash
        if queue.waiting and queue.machine.demand is Demand.WAITING:
            return operation.over(c.OK)
        queue.demand = operation

        def forget() -> None:
            queue.demand = None

        return operation.pend(forget)

    def shut_down(self) -> None:
        """Have this handle get no more requests, and end those that it has (HttpShutdownRequestQueue)."""
        self._withdraw()
        # source: HttpShutdownRequestQueue: step 4, what is bound to the process is canceled (aspnetcore#5868)
        # guess: "outstanding responses", which step 7 lets be completed, are those whose last call has been made:
        # of others nobody can make the rest
        for request in list(self.requests.values()):
            if not request.ending:
                request.cancel()

    def _withdraw(self) -> None:
        """Take no requests, and wait for nothing more; what nobody received stays for other handles."""
        self.shut = True
        queue = self.queue
        for handle, receive in list(queue.receives):
            if handle is self:
                receive.operation.cancel()
        if self.controller and queue.demand is not None:
            queue.demand.cancel()
        for wait in list(self.waits):
            wait.cancel()

    def close(self) -> None:
        """Close the handle: what is pending is cancelled, what is unanswered is dropped."""
        self._withdraw()
        super().close()
        for request in list(self.requests.values()):
            request.abandon()
        queue = self.queue
        queue.handles.remove(self)
        self.process.machine.forget_rules(self)
        queue.left()

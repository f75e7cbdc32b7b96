"""A service that is served by workers: what their supervisor owns for them.

It holds the queue, so that requests wait while no worker is there, and it binds the sockets once and hands them to every
worker, so that a connection waits while one worker is replaced by another.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from hostler.errors import UnsupportedError
from hostler.processes.supervisor import Supervisor
from hostler.processes.worker_process import WorkerProcess
from hostler.server.base import QueueMode, ServerKind
from hostler.server.choose import controlling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from socket import socket

    from hostler.processes.policy import WorkerPolicy
    from hostler.server.choose import Controlled, QueueController
    from hostler.service import Service

__all__ = ["supervising"]


@asynccontextmanager
async def supervising(
    service: Service, policy: WorkerPolicy, inherited: Sequence[socket] = ()
) -> AsyncIterator[Supervisor]:
    """Own the queue and the prefixes of a service, and run workers on them, for as long as the context lasts.

    `inherited` are sockets that are bound already, for some of the prefixes.
    A queue that the service attaches to is left to whoever created it. All workers that are always there are ready on
    entry. The service must be one that can be pickled (`Service.for_workers`). Raises ListenError, PrefixError,
    QueueError, WorkerError; UnsupportedError for a policy that the server cannot carry out.
    """
    if not policy.is_fixed and service.server is ServerKind.USERMODE:
        raise UnsupportedError(
            "workers that come and go with requests, or may fail only so often, need HTTP.sys, and this is the user-mode "
            f"server; give their number alone, as in --workers {policy.maximum} or workers={policy.maximum}"
        )
    with controlling(
        service.queue, service.mode, service.prefixes, service.options, service.server, inherited
    ) as controlled:
        controller = None if policy.is_fixed else _controller_of(controlled)
        work = evolve(
            service,
            queue=controlled.queue,
            mode=QueueMode.ATTACH,
            prefixes=controlled.prefixes,
            idle_timeout=policy.idle_timeout if policy.minimum < policy.maximum else None,
        )
        supervisor = Supervisor(
            partial(WorkerProcess, work, controlled.sockets),
            policy,
            controller=controller,
            grace=service.grace,
            prefixes=controlled.prefixes,
        )
        try:
            await supervisor.start()
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(supervisor.keep())
                yield supervisor
                keeping.cancel()
            controlled.withdraw()  # the workers close their sockets: nobody can connect any more
            await supervisor.stop()
        finally:
            await _to_its_end(supervisor.stop_at_once())


def _controller_of(controlled: Controlled) -> QueueController:
    if controlled.controller is None:
        raise UnsupportedError(
            f"queue {controlled.queue} was made by another process, and only that one is told when a request waits; "
            "make it here (--mode create), or give a number of workers alone"
        )
    return controlled.controller


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do what must be done, however often it is cancelled meanwhile; it is cancelled afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled

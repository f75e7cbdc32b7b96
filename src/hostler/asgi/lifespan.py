"""An application's start and stop (ASGI lifespan spec 2.0)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hostler.asgi.messages import logger
from hostler.errors import LifespanError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hostler.asgi.messages import ASGIApplication, Message

__all__ = ["lifespan"]


@asynccontextmanager
async def lifespan(app: ASGIApplication, state: dict[str, Any]) -> AsyncIterator[None]:
    """Start the application on entry and stop it on exit; what it leaves in `state` is for every scope.

    An application that raises before it has said that it started does not support the protocol, and runs without.
    Raises LifespanError when it says that its startup failed. A failed shutdown is logged.
    """
    events = _Lifespan(app, state)
    task = asyncio.create_task(events.run(), name="asgi-lifespan")
    try:
        await asyncio.shield(events.started)
        yield
    finally:
        await events.stop(task)


class _Lifespan:
    """The `receive` and `send` of the lifespan scope."""

    def __init__(self, app: ASGIApplication, state: dict[str, Any]) -> None:
        future = asyncio.get_running_loop().create_future
        self._app = app
        self._state = state
        self._asked = False
        self.started: asyncio.Future[None] = future()
        self._stopping: asyncio.Future[None] = future()
        self._stopped: asyncio.Future[None] = future()

    async def run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - an application without lifespan may raise anything
            self._raised(error)
        finally:
            _resolve(self.started)
            _resolve(self._stopped)

    def _raised(self, error: Exception) -> None:
        if not self.started.done():
            logger.debug("the application does not support the lifespan protocol", exc_info=error)
        elif self.started.exception() is None and not self._stopped.done():
            logger.error("the application raised an exception in its lifespan", exc_info=error)

    async def stop(self, task: asyncio.Task[None]) -> None:
        """Tell the application to stop if it runs, and wait until it has."""
        if not self.started.done() or self.started.exception() is not None:
            task.cancel()
        _resolve(self._stopping)
        await asyncio.wait({task})

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await asyncio.shield(self._stopping)
        if self._stopped.done():
            raise RuntimeError("nothing follows 'lifespan.shutdown'")
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        text = message.get("message", "")
        if kind == "lifespan.startup.complete" and not self.started.done():
            self.started.set_result(None)
        elif kind == "lifespan.startup.failed" and not self.started.done():
            self.started.set_exception(LifespanError(text or "the application failed to start"))
        elif kind == "lifespan.shutdown.complete" and self._stopping.done():
            _resolve(self._stopped)
        elif kind == "lifespan.shutdown.failed" and self._stopping.done():
            logger.error("the application failed to stop: %s", text)
            _resolve(self._stopped)
        else:
            state = "stopping" if self._stopping.done() else "started" if self.started.done() else "starting"
            raise RuntimeError(f"the application sent {kind!r} while it was {state}")


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

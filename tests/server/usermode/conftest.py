"""Every test of the user-mode server that touches the network runs on every event loop."""

import pytest

from hostler.server.usermode.context import ServerContext
from tests.loops import on_every_loop
from tests.server.usermode.peers import TimedLoop

pytest_asyncio_loop_factories = on_every_loop


@pytest.fixture
async def clock(monkeypatch):
    """The clock of every connection's deadlines, which stands still."""
    loop = TimedLoop()
    monkeypatch.setattr(ServerContext, "loop", loop)
    return loop.clock

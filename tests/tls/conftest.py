"""Tests of what carries bytes run on every event loop."""

from tests.loops import on_every_loop

pytest_asyncio_loop_factories = on_every_loop

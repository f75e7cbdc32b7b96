"""Every test here runs on every event loop, with queues of its own."""

import pytest

from tests.loops import on_every_loop

pytest_asyncio_loop_factories = on_every_loop


@pytest.fixture(autouse=True)
def queues_of_its_own(runtime):
    """Have each test's queues in a directory of the test's own."""

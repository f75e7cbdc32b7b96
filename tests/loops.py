"""Which event loops a test runs on.

Where nothing is said it is asyncio's own; a conftest.py whose tests run on every loop says

    pytest_asyncio_loop_factories = on_every_loop

and `--loop asyncio` or `--loop uvloop` has every test run on that one.
"""

from __future__ import annotations

import asyncio

import pytest

LOOPS = {"asyncio": asyncio.new_event_loop}

try:
    import uvloop
except ImportError:  # there is none for Windows
    pass
else:
    LOOPS["uvloop"] = uvloop.new_event_loop


@pytest.hookimpl(optionalhook=True)
def on_one_loop(config, item):
    """Run a test on asyncio's loop, or on the one that the command line names."""
    name = config.getoption("--loop") or "asyncio"
    return {name: LOOPS[name]}


@pytest.hookimpl(optionalhook=True)
def on_every_loop(config, item):
    """Run a test on each loop, unless the command line names one."""
    name = config.getoption("--loop")
    return {name: LOOPS[name]} if name else LOOPS

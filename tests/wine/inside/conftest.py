"""Tests inside Windows CPython: what httpapi.dll does when it is called as hostler calls it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def windows():
    """Give the DLLs as hostler loads them, on Wine without its stubs."""
    from tests.wine.programs import wine_api  # noqa: PLC0415 - needs Windows

    return wine_api.load()


@pytest.fixture
def native(windows):
    """Give a request queue of the test's own, with one URL, and a completion port."""
    from tests.wine.inside.native_queue import NativeQueue  # noqa: PLC0415 - needs Windows

    with NativeQueue(windows) as queue:
        yield queue

"""Every test of the user-mode server that touches the network runs on both event loops."""

from __future__ import annotations

import asyncio

import pytest
import uvloop


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A runtime directory of this test's own."""
    path = tmp_path / "run"
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(path))
    return path

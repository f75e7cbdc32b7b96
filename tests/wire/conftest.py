"""Every test here runs on asyncio's own event loop and on uvloop, with queues of its own."""

from __future__ import annotations

import asyncio

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config, item):
    loops = {"asyncio": asyncio.SelectorEventLoop}
    try:
        import uvloop  # noqa: PLC0415 - not everywhere
    except ImportError:
        return loops
    return loops | {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(directory))

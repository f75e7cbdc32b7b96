"""The arguments of `hostler.run` and `hostler.serve`; what they do is in end_to_end/test_workers.py."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

import hostler


async def application(scope, receive, send):
    """Answer nothing."""


def test_a_number_of_workers():
    with pytest.raises(
        ValueError, match="0 is not a number of workers; use 1 or more, or None for this process"
    ):
        hostler.serve(application, workers=0)


def test_a_mode():
    with pytest.raises(ValueError, match="'new' is not a valid QueueMode"):
        hostler.serve(application, mode="new")


def test_a_server():
    with pytest.raises(ValueError, match="'iis' is not a valid ServerKind"):
        hostler.serve(application, server="iis")
    with pytest.raises(ValueError, match="'iis' is not a valid ServerKind"):
        hostler.run(application, server="iis")


@pytest.mark.skipif(sys.platform == "win32", reason="it is there")
@pytest.mark.parametrize("workers", [None, 1])
def test_a_server_that_is_not_here(workers):
    with pytest.raises(hostler.UnsupportedError, match=r"HTTP\.sys is part of Windows"):
        hostler.serve(application, workers=workers, server=hostler.ServerKind.HTTPSYS)


@pytest.mark.parametrize("workers", [None, 1])
def test_what_is_no_application(workers):
    with pytest.raises(hostler.ConfigError):
        hostler.serve(object(), workers=workers)


def test_a_worker_must_not_serve_again(monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(hostler.WorkerError, match="put the call under"):
        hostler.serve(application)

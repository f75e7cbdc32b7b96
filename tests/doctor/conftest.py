"""Contexts of examinations, and a machine with HTTP.sys."""

import pytest

from hostler.doctor.context import Context
from hostler.server.prefix import UrlPrefix
from tests.server.httpsys.conftest import machine

__all__ = ["machine"]


@pytest.fixture
def windows(machine):
    return machine.process(user="ann")


@pytest.fixture
def on_windows(windows):
    """Make a context of a Windows with HTTP.sys."""

    def context(*urls, **changes):
        prefixes = tuple(map(UrlPrefix.parse, urls))
        return Context(server="httpsys", windows=windows, prefixes=prefixes, document="a.json", **changes)

    return context


@pytest.fixture
def in_user_mode(monkeypatch, tmp_path):
    """Make a context of the user-mode server, with a runtime directory of its own."""
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(tmp_path / "run"))

    def context(*urls, document="a.json", **changes):
        prefixes = tuple(map(UrlPrefix.parse, urls))
        return Context(
            server="usermode", no_windows="this is a test", prefixes=prefixes, document=document, **changes
        )

    return context

"""The command line, on a machine with HTTP.sys."""

import pytest

from hostler import cli
from tests.server.httpsys.conftest import machine

__all__ = ["machine"]


@pytest.fixture
def hostler(capsys):
    """Run the command; returns the exit status, what it printed, and what it complained about."""

    def run(*args):
        try:
            status = cli.main(args)
        except SystemExit as error:
            status = error.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def on_windows(machine, monkeypatch):
    """Have the commands call the machine's HTTP.sys, as an administrator or not."""
    monkeypatch.setenv("USERDOMAIN", "MACHINE")
    monkeypatch.setenv("USERNAME", "ann")
    machine.reserve({})

    def be(*, administrator=True, missing=()):
        windows = machine.process(user="ann", administrator=administrator, missing=missing)
        for command in ("url", "cert"):
            monkeypatch.setattr(f"hostler.commands.{command}.windows_for", lambda what: windows)
        return windows

    return be

"""An entry of the roster, and the command that starts it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from attrs import field, frozen

from benchmarks import processes
from benchmarks.processes import StartError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.builds import Build

__all__ = ["Command", "Entry", "Setup", "program", "require"]


@frozen
class Setup:
    """What a contender is to do."""

    name: str
    directory: Path
    port: int
    """Where it is to listen, on 127.0.0.1."""

    behind: str
    """The host and port of what it forwards to; empty when it answers itself."""

    routes: int
    """How many routes, `/route-0/` and so on; 0 is one for every path."""

    build: Build
    queue: str = ""
    """The queue of the worker that is behind."""

    certificate: str = ""
    """A file with its certificate and its key, in PEM, where it is to listen over TLS."""

    tls_behind: bool = False
    """What it forwards to listens over TLS."""

    @property
    def scheme(self) -> str:
        """How it is asked."""
        return "https" if self.certificate else "http"

    @property
    def scheme_behind(self) -> str:
        """How what it forwards to is asked."""
        return "https" if self.tls_behind else "http"

    def write(self, suffix: str, text: str) -> str:
        """Put a file of the contender's in the run's directory, in one step; returns its path."""
        path = self.directory / f"{self.name}{suffix}"
        new = path.with_name(f"{path.name}.new")
        new.write_text(text)
        new.replace(path)
        return str(path)


@frozen
class Command:
    """How to start a program."""

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(factory=dict)
    discard_output: bool = False


@frozen
class Entry:
    """A contender that there can be."""

    name: str
    about: str
    command: Callable[[Setup], Command] | None
    """Writes its configuration and returns its command, or raises StartError; None: the load goes to what is behind."""

    ours: bool = False
    """It takes part in several builds."""

    h2load: bool = True
    """Whether h2load understands its answers."""


def program(name: str) -> str:
    """Return where a program is; raises StartError when it is not installed."""
    path = processes.find(name)
    if path is None:
        raise StartError(f"{name} is not installed")
    return path


def require(*packages: str) -> None:
    """Raise StartError when one of the packages of Python cannot be imported here."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise StartError(f"{package} is not installed")

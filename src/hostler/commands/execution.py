"""What is around every command: its log on standard error, and what went wrong as sentences there.

Exit status: 0 when all went well, 1 for what the message on standard error says, 2 for a file that cannot be read,
128 and a signal's number when it took a second signal to stop.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hostler.commands.options import log_level
from hostler.errors import HostlerError
from hostler.explaining import explain
from hostler.output import log_to_stderr, write_error

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Sequence

    from hostler.errors import Problem

__all__ = ["execute", "refuse", "refuse_unreadable"]

_UNREADABLE: Final = 2
_INTERRUPTED: Final = 130


def execute(command: Callable[[Namespace], int], args: Namespace) -> int:
    """Execute a command; returns the exit status."""
    with _logging(log_level(args)):
        try:
            return command(args)
        except HostlerError as error:
            _complain(explain(error))
            return 1
        except KeyboardInterrupt:
            return _INTERRUPTED


@contextmanager
def _logging(level: int) -> Iterator[None]:
    logger = logging.getLogger("hostler")
    before = logger.level
    handler = log_to_stderr(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def refuse_unreadable(error: OSError) -> int:
    """Say that a document cannot be read; returns the exit status."""
    _complain(f"{error.filename} cannot be read: {error.strerror or error}")
    return _UNREADABLE


def refuse(problems: Sequence[Problem]) -> int:
    """Say what is wrong with documents; returns the exit status."""
    for problem in problems:
        _complain(str(problem))
    return 1


def _complain(text: str) -> None:
    for line in text.splitlines():
        write_error(f"hostler: {line}\n", wait=True)

"""Why something could not be done, in a line for a person: for exceptions of hostler, and of the user's code."""

from __future__ import annotations

import importlib
import os
import traceback
from typing import Final

from hostler.errors import HostlerError, LifespanError

__all__ = ["explain"]

_NOT_THE_USERS: Final = ("<frozen", os.path.dirname(__file__), os.path.dirname(importlib.__file__))  # noqa: PTH120 - as prefixes of strings
"""How the names of files begin that load the user's code."""


def explain(error: BaseException) -> str:
    """Say in one line (a configuration's problems: one each) why something could not be done."""
    if isinstance(error, LifespanError):
        return f"the application did not start: {_last_line(str(error))}"
    if isinstance(error, HostlerError):
        return (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, SystemExit):
        return f"{_place(error)}the module ended the process (exit status {error.code})"
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {name}: {error.msg}"
    return f"{_place(error)}{name}: {text}" if text else f"{_place(error)}{name}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _place(error: BaseException) -> str:
    """Return where in the user's code an error was raised; "" when it was in none."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_NOT_THE_USERS)
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""

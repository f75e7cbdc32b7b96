"""A proof as a file: one JSON object, an event a line, without anything that says whose machine it was."""

from __future__ import annotations

import getpass
import json
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hostler.doctor.installation import hostler_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.doctor.proof.promise import Attempt

__all__ = ["FORMAT", "about", "to_json"]

FORMAT: Final = 1
"""The version of the format; it changes when a reader of the old one would misunderstand the new."""

_WINDOWS: Final = ("ProductName", "EditionID", "DisplayVersion", "CurrentBuild", "UBR", "InstallationType")
"""What is read of the registry key CurrentVersion; it has the owner's name as well."""


def about() -> dict[str, object]:
    """Say what a proof is made with: versions, and nothing of whose they are."""
    return {
        "hostler": hostler_version(),
        "python": f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}",
        "system": _system(),
    }


if sys.platform == "win32":

    def _system() -> dict[str, object]:
        import winreg  # noqa: PLC0415 - Windows only

        path = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
        found: dict[str, object] = {"name": "Windows"}
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            for name in _WINDOWS:
                try:
                    found[name] = winreg.QueryValueEx(key, name)[0]
                except FileNotFoundError:
                    continue  # not every Windows has all of them
        return found

else:

    def _system() -> dict[str, object]:
        return {"name": platform.system()}


def to_json(made: dict[str, object], attempts: Iterable[Attempt]) -> str:
    """Write a proof down."""
    promises = ",\n".join(_promise(attempt) for attempt in attempts)
    head = json.dumps({"format": FORMAT, "made": made}, indent=1).removesuffix("\n}")
    return f'{head},\n "promises": [\n{promises}\n ]\n}}\n'


def _promise(attempt: Attempt) -> str:
    said: dict[str, Any] = {
        "name": attempt.promise.name,
        "promised": attempt.promise.what,
        "verdict": attempt.verdict.value,
        "detail": _anonymous(attempt.detail),
        "seconds": attempt.seconds,
    }
    events = ",\n".join(f"   {json.dumps(event)}" for event in attempt.events)
    return f'  {json.dumps(said)[:-1]}, "events": [\n{events}\n  ]}}'


def _anonymous(text: str) -> str:
    """Take out of a message what says whose machine it is of: home directory, machine, user."""
    for what, name in (("home", str(Path.home())), ("machine", platform.node()), ("user", getpass.getuser())):
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", f"<{what}>", text, flags=re.IGNORECASE)
    return text

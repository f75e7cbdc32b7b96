#!/usr/bin/env python3
"""From a clone and a Python to a running hostler: makes .venv beside this file and runs something in it.

    python3 bootstrap.py demo [OPTIONS]     install hostler, run `hostler demo`
    python3 bootstrap.py test [OPTIONS]     install hostler and what its tests need, run pytest
    python3 bootstrap.py nox [OPTIONS]      install nox, run it (lint, types, docs, examples, benchmarks)

Needs Python 3.11 or later with venv or pip, and a package index. It needs no root, no compiler and no git, and
installs nothing outside .venv. Where there is a C compiler, hostler gets its compiled part; `hostler --version` tells.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

INSTALLED_FROM = ["pyproject.toml", "hatch_build.py", "src/hostler/http/_heads.c"]
"""What an editable install depends on; the other files are used where they lie."""
COMMANDS = {
    "demo": (["-e", "."], ["-m", "hostler", "demo"]),
    "test": (["-e", ".", "--group", "test"], ["-m", "pytest"]),
    "nox": (["nox"], ["-m", "nox"]),
}


def main() -> int:
    """Set up and run; returns the exit code of what was run."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs on whatever Python there is
        print(
            f"bootstrap.py: hostler needs Python 3.11 or later, this is {sys.version.split()[0]}",
            file=sys.stderr,
        )
        return 2
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    wanted, command = COMMANDS[sys.argv[1]]
    make_environment()
    install(sys.argv[1], wanted)
    if sys.argv[1] == "demo":
        tell_where_the_command_is()
    # a child, not exec: on Windows exec returns to the shell at once
    try:
        return subprocess.run([str(PYTHON), *command, *sys.argv[2:]], cwd=HERE, check=False).returncode
    except KeyboardInterrupt:
        return 130


def tell_where_the_command_is() -> None:
    """Say how to run the command by its name: the environment is not on the PATH."""
    activate = rf"{BIN}\Activate.ps1" if os.name == "nt" else f". {shlex.quote(str(BIN / 'activate'))}"
    print(
        f"bootstrap.py: the command is {BIN / 'hostler'}; to type `hostler` alone: {activate}",
        file=sys.stderr,
    )


def make_environment() -> None:
    """Make .venv unless it works already."""
    if works(["-c", "import pip"]):
        return
    print(f"bootstrap.py: making {VENV}", file=sys.stderr)
    base = [sys.executable, "-m", "venv", "--clear"]
    if subprocess.run([*base, str(VENV)], check=False, capture_output=True).returncode == 0:
        return
    # Debian's python3 has no ensurepip; a pip outside the environment can install one into it
    subprocess.run([*base, "--without-pip", str(VENV)], check=True)
    found = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "pip"], check=False
    )
    if found.returncode != 0:
        sys.exit("bootstrap.py: this Python has neither ensurepip nor pip: install python3-venv, or pip")


def works(arguments: list[str]) -> bool:
    """Whether the environment's Python runs that."""
    if not PYTHON.exists():
        return False
    return subprocess.run([str(PYTHON), *arguments], check=False, capture_output=True).returncode == 0


def install(name: str, wanted: list[str]) -> None:
    """Install what a command needs, unless that was done for these very files."""
    contents = [(HERE / path).read_bytes() for path in INSTALLED_FROM]
    key = hashlib.sha256(repr((sys.version, HERE, contents)).encode()).hexdigest()
    mark = VENV / f".bootstrap-{name}"
    if mark.exists() and mark.read_text() == key:
        return
    print(f"bootstrap.py: installing what `{name}` needs", file=sys.stderr)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # dependency groups need pip 25.1
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True, cwd=HERE)
    subprocess.run([*pip, *wanted], check=True, cwd=HERE)
    mark.write_text(key)


if __name__ == "__main__":
    sys.exit(main())

"""What is imported for what: nothing that the program, or the command, does not use."""

from __future__ import annotations

import subprocess
import sys


def imported_by(program, *args):
    """List the modules that a program has imported when it ends."""
    code = f"{program}\nimport sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_nothing_else():
    extra = imported_by("import hostler") - imported_by("import __future__, importlib, typing")
    assert extra == {"hostler"}

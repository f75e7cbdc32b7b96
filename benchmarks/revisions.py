"""Another revision of hostler, built beside this one, for `--against`."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

from attrs import evolve

from benchmarks import processes
from benchmarks.builds import Lineup, installed
from benchmarks.processes import StartError

__all__ = ["against"]

_ROOT: Final = Path(__file__).parents[1]
_BUILD: Final = 300.0


def against(revision: str, directory: Path) -> Lineup:
    """Return what is here and the revision, which is built with pip in the directory; raises StartError.

    Neither the repository nor this environment changes.
    """
    status, output, errors = _run("git", "-C", str(_ROOT), "rev-parse", "--short", f"{revision}^{{commit}}")
    if status:
        raise StartError(f"{revision!r} is no revision: {errors.strip()}")
    label = output.strip()
    source, site = directory / "revision", directory / "site"
    archive = subprocess.run(
        ["git", "-C", str(_ROOT), "archive", label], capture_output=True, check=True, timeout=60
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(source, filter="data")
    print(f"building {label}", file=sys.stderr, flush=True)
    status, output, errors = _run(
        sys.executable, "-m", "pip", "install", "-q", "--target", str(site), str(source)
    )
    if status:
        raise StartError(f"{label} cannot be built: {(errors or output).strip()[-500:]}")
    here, there = installed(), evolve(installed(site), label=label)
    return Lineup((here, there), reference=there)


def _run(*command: str) -> tuple[int, str, str]:
    try:
        return processes.run(command, _BUILD)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(f"{command[0]}: {error}") from error

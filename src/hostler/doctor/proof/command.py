"""`hostler doctor --prove`: the proof as a command, with a line for each promise, and a file."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from hostler.doctor.proof.document import about, to_json
from hostler.doctor.proof.promise import Verdict
from hostler.doctor.proof.proof import PROMISES, prove
from hostler.doctor.proof.this_machine import ThisMachine
from hostler.errors import HostlerError, UnsupportedError
from hostler.output import write_out
from hostler.server.httpsys.api import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hostler.doctor.proof.promise import Attempt, Promise
    from hostler.doctor.proof.rig import Surroundings
    from hostler.server.httpsys.api import Windows

__all__ = ["run", "run_on"]


def run(path: Path) -> int:
    """Try every promise on this machine; the status is 1 when one is broken.

    Raises UnsupportedError; HostlerError for a file that cannot be written, or is there and is no proof.
    """
    try:
        windows = load()
    except UnsupportedError as error:
        raise UnsupportedError("--prove tries HTTP.sys itself: run it on Windows") from error
    return run_on(windows, ThisMachine(), path, about())


def run_on(
    windows: Windows,
    surroundings: Surroundings,
    path: Path,
    made: dict[str, object],
    promises: Iterable[Promise] = PROMISES,
) -> int:
    """Try promises, say what comes of each, and write it down, also after Ctrl-C; `made` says with what."""
    _refuse_to_overwrite(path)
    _write(path, "")  # where nothing can be written is known before anything is tried
    attempts: list[Attempt] = []

    def report(attempt: Attempt) -> None:
        attempts.append(attempt)
        detail = f": {attempt.detail}" if attempt.detail else ""
        write_out(f"{attempt.promise.name:<18} {attempt.verdict.value}{detail} ({attempt.seconds:.1f} s)\n")

    try:
        asyncio.run(prove(windows, surroundings, report, promises))
    finally:
        for what in surroundings.left:
            write_out(f"left on this machine: {what}\n")
        _write(path, to_json(made, attempts))
        write_out(
            f"{path} has every call and what came of it; nothing in it names this machine or its user\n"
        )
    return int(any(attempt.verdict is Verdict.BROKEN for attempt in attempts))


def _refuse_to_overwrite(path: Path) -> None:
    """Leave a file alone that is something else than a proof, such as the document that somebody wants examined."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # it is not there, or cannot be written either
    try:
        is_proof = not text or "promises" in json.loads(text)
    except (ValueError, TypeError):
        is_proof = False
    if not is_proof:
        raise HostlerError(f"{path} is there already, and is no proof; name another file: --prove FILE")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HostlerError(
            f"{path} cannot be written: {error.strerror}; name another file: --prove FILE"
        ) from error

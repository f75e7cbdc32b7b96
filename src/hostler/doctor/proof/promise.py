"""A promise, and an attempt at it: with a limit of time, and whatever comes of it, the next one is tried."""

from __future__ import annotations

import asyncio
import enum
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from hostler.doctor.proof.errors import BrokenPromiseError, NotTriedError
from hostler.doctor.proof.recording import Recorder
from hostler.doctor.proof.rig import Rig
from hostler.errors import HostlerError
from hostler.explaining import explain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hostler.doctor.proof.rig import Surroundings
    from hostler.server.httpsys.api import Windows

__all__ = ["Attempt", "Promise", "Verdict", "attempt"]

_CLEANING_UP: Final = 10.0
"""Seconds that a promise which ran out of time has to let go of everything."""


class Verdict(enum.Enum):
    """What came of an attempt."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_TRIED = "not tried"


@frozen
class Promise:
    """What is promised, and how that is tried."""

    name: str
    what: str
    """What must happen, as a sentence."""

    perform: Callable[[Rig], Awaitable[None]]
    """Does it; raises BrokenPromiseError, NotTriedError, or whatever goes wrong."""

    limit: float = 30.0
    """Seconds."""


@frozen
class Attempt:
    """What came of a promise."""

    promise: Promise
    verdict: Verdict
    detail: str
    seconds: float
    events: list[dict[str, Any]]
    """Calls, packets, and what clients did, in order (`hostler.doctor.proof.recording`)."""


async def attempt(promise: Promise, windows: Windows, surroundings: Surroundings) -> Attempt:
    """Try a promise; never raises, unless this task is cancelled."""
    recorder = Recorder("here")
    began = time.perf_counter()
    task = asyncio.create_task(_perform(promise, Rig(windows, recorder, surroundings)))
    try:
        verdict, detail = await _outcome(task, promise.limit)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task], timeout=_CLEANING_UP)
        raise
    return Attempt(promise, verdict, detail, round(time.perf_counter() - began, 3), recorder.take())


async def _perform(promise: Promise, rig: Rig) -> None:
    try:
        await promise.perform(rig)
    finally:
        await rig.close()


async def _outcome(task: asyncio.Task[None], limit: float) -> tuple[Verdict, str]:
    """Wait for an attempt, and say what came of it."""
    done, _ = await asyncio.wait([task], timeout=limit)
    if not done:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=_CLEANING_UP)
        stuck = "" if done else f", nor did it let go in {_CLEANING_UP:.0f} more"
        return Verdict.BROKEN, f"it was not over in {limit:.0f} seconds{stuck}"
    try:
        task.result()
    except NotTriedError as error:
        return Verdict.NOT_TRIED, str(error)
    except BrokenPromiseError as error:
        return Verdict.BROKEN, str(error)
    except HostlerError as error:
        return Verdict.BROKEN, explain(error)
    except Exception as error:  # noqa: BLE001 - what goes wrong is what is looked for
        return Verdict.BROKEN, f"{type(error).__name__}: {error}"
    return Verdict.KEPT, ""

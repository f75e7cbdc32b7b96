"""The other process of a proof: it answers from a queue with its own name, and then says what it called.

`python -m hostler.doctor.proof.other` reads what to do as a line of JSON, says "ready", serves until its standard input
ends, and says its events.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs

from hostler.doctor.proof.errors import BrokenPromiseError
from hostler.doctor.proof.recording import Recorder
from hostler.doctor.proof.rig import OtherProcess, Rig
from hostler.server.base import QueueMode
from hostler.server.httpsys import api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["answering", "start"]

_ENDING: Final = 15.0
"""Seconds that the process has to finish, and to say what it did."""


@asynccontextmanager
async def answering(rig: Rig, other: OtherProcess) -> AsyncIterator[None]:
    """Be the other process."""

    async def answer(exchange: Exchange) -> Outcome:
        body = await exchange.read(1 << 24)
        return await exchange.respond(200, f"{other.name} {exchange.path} {len(body)}")

    async with rig.serve(answer, other.url, queue=other.queue, mode=other.mode):
        yield


@asynccontextmanager
async def start(other: OtherProcess, recorder: Recorder) -> AsyncIterator[None]:
    """Have a process of this Python serve while the context lasts; what it did is then with the recorder."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hostler.doctor.proof.other", stdin=pipe, stdout=pipe, limit=1 << 24
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        settings = {**attrs.asdict(other), "mode": other.mode.value}
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        await _said(process.stdout)
        try:
            yield
        finally:
            process.stdin.close()
            async with asyncio.timeout(_ENDING):
                recorder.add(await _said(process.stdout))
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _said(reader: asyncio.StreamReader) -> Any:
    """Read what the process says; raises BrokenPromiseError when that is no good news."""
    line = await reader.readline()
    said = json.loads(line or '{"failed": "it ended"}')
    if isinstance(said, dict):
        raise BrokenPromiseError(f"the other process: {said['failed']}")
    return said


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _main() -> None:
    from hostler.doctor.proof.this_machine import ThisMachine  # noqa: PLC0415 - it starts this process

    settings = json.loads(await asyncio.to_thread(sys.stdin.readline))
    other = OtherProcess(**{**settings, "mode": QueueMode(settings["mode"])})
    recorder = Recorder(other.name)
    try:
        async with answering(Rig(api.load(), recorder, ThisMachine()), other):
            _say("ready")
            await asyncio.to_thread(sys.stdin.read)
    except Exception as error:  # noqa: BLE001 - the parent says it
        _say({"failed": f"{type(error).__name__}: {error}"})
    else:
        _say(recorder.own())


if __name__ == "__main__":
    asyncio.run(_main())

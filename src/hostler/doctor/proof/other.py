"""The other process of a proof: it answers from a queue with its own name, and then says what it called.

`python -m hostler.doctor.proof.other` reads what to do as a line of JSON, says "ready", serves until its standard input
ends, and says its events.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from hostler.doctor.proof.recording import Recorder
from hostler.doctor.proof.rig import BrokenPromiseError, OtherProcess, Rig
from hostler.server.base import QueueMode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hostler.exchange import Exchange
    from hostler.outcome import Outcome

__all__ = ["ThisMachine", "answering"]


@asynccontextmanager
async def answering(rig: Rig, other: OtherProcess) -> AsyncIterator[None]:
    """Be the other process."""

    async def answer(exchange: Exchange) -> Outcome:
        body = await exchange.read(1 << 24)
        return await exchange.respond(200, f"{other.name} {exchange.path} {len(body)}")

    async with rig.serve(answer, other.url, queue=other.queue, mode=other.mode):
        yield


class ThisMachine:
    """What is around this process, for real."""

    @asynccontextmanager
    async def start(self, other: OtherProcess, recorder: Recorder) -> AsyncIterator[None]:
        """Have a process serve while the context lasts."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __spec__.name, stdin=pipe, stdout=pipe, limit=1 << 24
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(attrs.asdict(other), default=str).encode() + b"\n")
            await _said(process.stdout)
            yield
            process.stdin.close()
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
    from hostler.server.httpsys.api import load  # noqa: PLC0415 - for the process alone

    settings = json.loads(await asyncio.to_thread(sys.stdin.readline))
    other = OtherProcess(**{**settings, "mode": QueueMode(settings["mode"])})
    recorder = Recorder(other.name)
    try:
        async with answering(Rig(load(), recorder, ThisMachine()), other):
            _say("ready")
            await asyncio.to_thread(sys.stdin.read)
    except Exception as error:  # noqa: BLE001 - the parent says it
        _say({"failed": f"{type(error).__name__}: {error}"})
    else:
        _say(recorder.own())


if __name__ == "__main__":
    asyncio.run(_main())

"""`python -m benchmarks.soak`: a seeded run that ends with a verdict, and its exit status: 0, or 1 for what was lost."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.processes import Crew, StartError, interruptible
from benchmarks.soak.clients import Clients
from benchmarks.soak.disruption import ALL, Disruptions
from benchmarks.soak.field import Field
from benchmarks.soak.verdict import Report, Sample
from hostler.processes.loop import run_loop

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROUTES: Final = ("forwarded", "delegated")
_SAMPLE: Final = 0.25
_MAX_SECONDS: Final = 3600.0
_MAX_CONNECTIONS: Final = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _options(arguments)
    try:
        with (
            interruptible(),
            tempfile.TemporaryDirectory(prefix="hostler-soak-") as directory,
            Crew(Path(directory)) as crew,
        ):
            return run_loop(lambda: _soak(options, Field(crew)))
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; every process is stopped", file=sys.stderr)
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.partition(": ")[2])
    parser.add_argument(
        "--seconds",
        type=float,
        default=300.0,
        help="how long, with each disruption once at least (%(default)g)",
    )
    parser.add_argument("--seed", type=int, default=0, help="what is done, and when (%(default)d)")
    parser.add_argument(
        "--connections", type=int, default=64, help="half of them on each route (%(default)d)"
    )
    parser.add_argument("--only", metavar="NAMES", help=f"with commas, some of: {', '.join(ALL)}")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else list(ALL)
    if unknown := sorted(set(options.only) - set(ALL)):
        parser.error(f"--only: nothing is called {', '.join(unknown)}; there are {', '.join(ALL)}")
    if not 1 <= options.seconds <= _MAX_SECONDS:
        parser.error(f"--seconds: {options.seconds:g} is not within 1 and {_MAX_SECONDS:g}")
    if not 2 <= options.connections <= _MAX_CONNECTIONS:
        parser.error(f"--connections: {options.connections} is not within 2 and {_MAX_CONNECTIONS}")
    return options


async def _soak(options: argparse.Namespace, field: Field) -> int:
    print(f"{options.seconds:g} s, seed {options.seed}, {options.connections} connections", flush=True)
    await field.start()
    clients = Clients(field.port, random.Random(f"bodies {options.seed}"))
    disruptions = Disruptions(field, random.Random(f"disruptions {options.seed}"), tuple(options.only))
    samples: list[Sample] = []
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as load:
        for number in range(options.connections):
            load.create_task(clients.run(_ROUTES[number % len(_ROUTES)], stopping))
        try:
            await _disrupt(disruptions, field, samples, options.seconds)
        finally:
            stopping.set()
    report = Report(clients, disruptions.done, samples, field.tracebacks())
    return _tell(report)


async def _disrupt(disruptions: Disruptions, field: Field, samples: list[Sample], seconds: float) -> None:
    """Disrupt for so many seconds, and wait until the last disruption is over."""
    until = time.monotonic() + seconds
    disrupting = asyncio.create_task(disruptions.run(until))
    try:
        while not disrupting.done():
            samples.append(Sample(field.memory(), field.descriptors()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(disrupting), _SAMPLE)
    finally:
        disrupting.cancel()
    await disrupting


def _tell(report: Report) -> int:
    problems = list(report.problems())
    print(*report.lines(), *problems, "FAILED" if problems else "PASSED", sep="\n", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

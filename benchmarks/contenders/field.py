"""The contenders of a case: who takes part, started, with what is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field, frozen

from benchmarks.cases import Behind
from benchmarks.certificate import write_certificate
from benchmarks.contenders import nginx, ours
from benchmarks.contenders.entry import Command, Setup
from benchmarks.contenders.roster import ROSTER
from benchmarks.processes import Crew, StartError, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.builds import Build, Lineup
    from benchmarks.cases import Case
    from benchmarks.contenders.entry import Entry
    from benchmarks.processes import Process

__all__ = ["Contender", "Field", "Running"]


@frozen
class Contender:
    """An entry, in a build."""

    entry: Entry
    build: Build

    @property
    def name(self) -> str:
        """What the run calls it."""
        return self.build.named(self.entry.name) if self.entry.ours else self.entry.name

    @property
    def about(self) -> str:
        """What a reader is told that it is."""
        label = self.build.label.replace("-pure", " pure").replace("debian-", "Debian's ")
        return f"{self.entry.about}, {label}" if self.entry.ours and label else self.entry.about


@frozen
class Running:
    """A contender that takes requests."""

    url: str
    proxy: Process | None
    worker: Process | None
    """Only where the worker is metered: the nginx that serves as destination is nobody's cost."""


@define(eq=False)
class Field:
    """Starts the contenders of one case."""

    crew: Crew
    case: Case
    lineup: Lineup
    only: frozenset[str]
    """The names of the entries that are wanted."""

    left_out: list[str] = field(factory=list)
    """What had to be left out, and why."""

    _behind: dict[str, Process] = field(factory=dict)

    def contenders(self) -> Iterator[Contender]:
        """Yield who is to take part, in the order of a round."""
        for name in self.case.contenders:
            entry = ROSTER[name]
            if name in self.only and (entry.ours or self.lineup.reference is None):
                for build in self.lineup.of(self.case.builds) if entry.ours else self.lineup.builds[:1]:
                    yield Contender(entry, build)

    def start(self, contender: Contender) -> Running | None:
        """Start a contender for the whole case; returns None when it cannot, and notes why."""
        try:
            return self.start_with(contender, self.setup(contender), self.crew)
        except StartError as error:
            self.left_out.append(f"{contender.about}: {error}")
            return None

    def start_with(self, contender: Contender, setup: Setup, crew: Crew) -> Running:
        """Start a contender in a crew; raises StartError."""
        behind = self.behind(contender.build)
        worker = behind if self.case.behind is Behind.WORKER else None
        if contender.entry.command is None:
            assert behind is not None
            return Running(behind.url, None, worker)
        process = _launched(crew, setup, contender.entry.command)
        return Running(process.url, process, worker)

    def setup(self, contender: Contender) -> Setup:
        """Return what a contender is to do in this case, on a port of its own."""
        behind = self.behind(contender.build)
        return Setup(
            name=contender.name,
            directory=self.crew.directory,
            port=free_port(),
            behind="" if behind is None else f"127.0.0.1:{behind.port}",
            routes=self.case.routes,
            build=contender.build,
            queue=contender.build.named("bench"),
            certificate=self._certificate(wanted=self.case.tls),
            tls_behind=self.case.tls_behind,
        )

    def _certificate(self, *, wanted: bool) -> str:
        return write_certificate(self.crew.directory) if wanted else ""

    def behind(self, build: Build) -> Process | None:
        """Return what answers, started when it is first asked for; a worker is of the contender's build."""
        if self.case.behind is Behind.NOTHING:
            return None
        worker = self.case.behind is Behind.WORKER
        name = build.named("worker") if worker else "destination"
        if name not in self._behind:
            self._behind[name] = self._start_behind(name, build)
        return self._behind[name]

    def _start_behind(self, name: str, build: Build) -> Process:
        setup = Setup(
            name,
            self.crew.directory,
            free_port(),
            behind="",
            routes=0,
            build=build,
            queue=build.named("bench"),
            certificate=self._certificate(wanted=self.case.tls_behind),
        )
        if self.case.behind is Behind.FILES:
            try:
                return _launched(self.crew, setup, nginx.destination)
            except StartError as error:
                self.left_out.append(f"nginx as the destination: {error}, a small server in Python stands in")
        command = ours.worker if self.case.behind is Behind.WORKER else ours.destination
        return _launched(self.crew, setup, command)


def launch(crew: Crew, setup: Setup, prepare: Callable[[Setup], Command]) -> Process:
    """Start a contender's process; it need not listen yet."""
    command = prepare(setup)
    return crew.start(
        setup.name,
        command.arguments,
        setup.port,
        scheme=setup.scheme,
        environment=command.environment,
        discard_output=command.discard_output,
    )


def _launched(crew: Crew, setup: Setup, prepare: Callable[[Setup], Command]) -> Process:
    process = launch(crew, setup, prepare)
    process.wait_until_listening()
    return process

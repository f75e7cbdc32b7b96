"""A case, measured: every contender once a round, one after the other, so that the machine's moods meet all alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from attrs import define, field

from benchmarks.cases import Measure
from benchmarks.contenders.field import Contender, Field, Running
from benchmarks.load.h2load import H2Load
from benchmarks.load.own import Own
from benchmarks.load.task import LoadError
from benchmarks.measures import memory, reload, requests, start
from benchmarks.processes import Crew, StartError, find, raise_descriptor_limit
from benchmarks.results import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.builds import Lineup
    from benchmarks.cases import Case
    from benchmarks.figures import Sample
    from benchmarks.load.task import Load

__all__ = ["Runner"]

_WARM_UP = 0.5
"""Seconds of the first round, which does not count."""


@define(eq=False)
class Runner:
    """Runs cases, each with processes of its own."""

    directory: Path
    lineup: Lineup
    only: frozenset[str]
    rounds: int
    seconds: float
    load: str | None = None
    """The name of the load generator, or None for the best that can do a case."""

    left_out: dict[str, None] = field(factory=dict)
    """What had to be left out, and why, each once."""

    def run(self, case: Case) -> list[Finding]:
        """Measure a case; returns a finding for each contender that can run here."""
        limit = raise_descriptor_limit()
        if _descriptors(case) > limit:
            self.left_out[
                f"{case.title}: it takes {_descriptors(case)} open files, the limit is {limit} (ulimit -Hn)"
            ] = None
            return []
        directory = self.directory / case.name
        directory.mkdir()
        with Crew(directory) as crew:
            visits = _Visits(
                case, Field(crew, case, self.lineup, self.only), self._loads(case, directory), directory
            )
            try:
                return visits.all(self.rounds, self.seconds)
            finally:
                self.left_out.update(dict.fromkeys(visits.field.left_out))

    def load_of(self, case: Case) -> str:
        """Return the name of the load generator of a case; empty where there is none."""
        if case.measure in {Measure.START, Measure.MEMORY}:
            return ""
        return self._loads(case, self.directory)[0].name

    def _loads(self, case: Case, directory: Path) -> tuple[Load, Load]:
        """Return the load generator of a case, and the one for whom h2load does not understand."""
        own = Own()
        program = find("h2load") if self.load in {None, "h2load"} and H2Load.can(case) else None
        return own if program is None else H2Load(program, directory), own


def _descriptors(case: Case) -> int:
    """Return how many files the process that has the most must have open."""
    connections = case.connections if case.measure is Measure.MEMORY else 2 * case.connections
    return connections + 200


@define(eq=False)
class _Visits:
    """The visits of one case."""

    case: Case
    field: Field
    loads: tuple[Load, Load]
    directory: Path

    def all(self, rounds: int, seconds: float) -> list[Finding]:
        """Visit every contender in every round; one that fails once is not visited again."""
        contenders = self._contenders()
        samples: dict[str, list[Sample]] = {contender.name: [] for contender, _ in contenders}
        troubles: dict[str, str] = {}
        for number in range(0 if self._kept else 1, rounds + 1):
            print(
                f"{self.case.name}: {f'round {number} of {rounds}' if number else 'warming up'}",
                file=sys.stderr,
            )
            for contender, running in contenders:
                if contender.name in troubles:
                    continue
                try:
                    sample = self._visit(contender, running, seconds if number else min(seconds, _WARM_UP))
                except (LoadError, StartError) as error:
                    troubles[contender.name] = str(error)
                    continue
                if number:
                    samples[contender.name].append(sample)
        return [
            Finding.of(
                contender.name,
                contender.about,
                samples[contender.name],
                troubles.get(contender.name, ""),
                ours=contender.entry.ours,
            )
            for contender, _ in contenders
        ]

    @property
    def _kept(self) -> bool:
        """Whether the contenders run from the first round to the last."""
        return self.case.measure in {Measure.REQUESTS, Measure.MESSAGES}

    def _contenders(self) -> list[tuple[Contender, Running | None]]:
        wanted = list(self.field.contenders())
        if not self._kept:
            return [(contender, None) for contender in wanted if self._possible(contender)]
        started = [(contender, self.field.start(contender)) for contender in wanted]
        return [(contender, running) for contender, running in started if running is not None]

    def _possible(self, contender: Contender) -> bool:
        """Try whether a contender that each visit starts anew can be started."""
        try:
            assert contender.entry.command is not None
            contender.entry.command(self.field.setup(contender))
        except StartError as error:
            self.field.left_out.append(f"{contender.about}: {error}")
            return False
        return True

    def _visit(self, contender: Contender, running: Running | None, seconds: float) -> Sample:
        if running is not None:
            load = self.loads[0 if contender.entry.h2load else 1]
            return requests.visit(running, self.case, load, seconds)
        setup = self.field.setup(contender)
        if self.case.measure is Measure.START:
            return start.visit(contender.entry, setup, self.directory)
        with Crew(self.directory) as crew:
            fresh = self.field.start_with(contender, setup, crew)
            if self.case.measure is Measure.MEMORY:
                return memory.visit(fresh, self.case)
            return reload.visit(fresh, contender.entry, setup, self.case, seconds)

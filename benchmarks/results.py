"""What a run found, as a value: to be reported, kept as JSON, and read again."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from attrs import asdict, define, field, frozen

from benchmarks.cases import CASES
from benchmarks.figures import Figure, Sample, Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cases import Case

__all__ = ["Finding", "Results"]


@frozen
class Finding:
    """A contender in one case."""

    name: str
    about: str
    ours: bool
    figures: dict[str, Spread]
    """By their names, over the rounds."""

    trouble: str = ""
    """What went wrong; then nothing is compared with it."""

    @classmethod
    def of(cls, name: str, about: str, samples: Sequence[Sample], trouble: str, *, ours: bool) -> Finding:
        """Sum up a contender's visits."""
        names = dict.fromkeys(key for sample in samples for key in sample)
        figures = {key: Spread.of(sample.get(key, math.nan) for sample in samples) for key in names}
        return cls(name, about, ours, figures, trouble)

    def spread(self, figure: Figure) -> Spread:
        """Return a figure; all NaN when it was not measured."""
        return self.figures.get(figure.name) or Spread.of(())


@define(eq=False)
class Results:
    """All that a run found."""

    machine: list[str]
    conditions: str
    """Rounds and seconds."""

    builds: dict[str, str]
    """What our contenders ran as: the label behind their names (empty: as installed here), and what it is."""

    left_out: list[str] = field(factory=list)
    cases: dict[str, list[Finding]] = field(factory=dict)
    loads: dict[str, str] = field(factory=dict)
    """The load generator of each case."""

    reference: str = ""
    """With another revision: its label, which our contenders of that name are compared with."""

    def finding(self, case: str, name: str) -> Finding | None:
        """Return what was found of a contender; None when it was not there, or not without trouble."""
        found = (item for item in self.cases.get(case, ()) if item.name == name and not item.trouble)
        return next(found, None)

    def value(self, case: str, name: str, figure: Figure | None = None) -> float:
        """Return the median of a figure, else of the one that the case compares; NaN when it is not known."""
        found = self.finding(case, name)
        return math.nan if found is None else found.spread(figure or CASES[case].figures[0]).median

    def compared_with(self, case: Case, finding: Finding) -> str:
        """Return the name of the contender that one is compared with."""
        if not self.reference:
            return case.reference
        return finding.name if finding.name.endswith(self.reference) else f"{finding.name}-{self.reference}"

    def ratio(self, case: Case, finding: Finding, figure: Figure) -> Spread:
        """Return a figure relative to the reference's median."""
        theirs = self.value(case.name, self.compared_with(case, finding), figure)
        ours = finding.spread(figure)
        if finding.trouble or not theirs > 0:
            return Spread.of(())
        return Spread(ours.median / theirs, ours.least / theirs, ours.most / theirs)

    def to_json(self) -> str:
        """Return the results as JSON; what is not known is null."""
        return json.dumps(_without_nan(asdict(self)), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Return the results that `to_json` wrote."""
        found = _with_nan(json.loads(text))
        cases = {
            case: [
                Finding(
                    **{**item, "figures": {name: Spread(**value) for name, value in item["figures"].items()}}
                )
                for item in items
            ]
            for case, items in found.pop("cases").items()
        }
        return cls(cases=cases, **found)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _with_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_nan(item) for item in value]
    return math.nan if value is None else value

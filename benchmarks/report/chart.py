"""The chart: a bar for each contender of each case, relative to the case's reference, with least and most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from attrs import frozen

from benchmarks.aims import AIMS
from benchmarks.cases import CASES

if TYPE_CHECKING:
    from benchmarks.cases import Case
    from benchmarks.figures import Spread
    from benchmarks.results import Finding, Results

__all__ = ["svg"]

_WIDTH: Final = 920
_NAMES: Final = 310
"""Where the bars begin."""

_VALUES: Final = 76
"""What is kept free at the right, for the number behind a bar."""

_ROW: Final = 20
_BAR: Final = 12
_TITLE: Final = 44
_LARGEST: Final = 8.0
"""Longer bars are cut off, with an arrow: the interesting ones are near 1."""

_STYLE: Final = """\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 13px }
.note { fill: #59636e }
.bar { fill: #b6bec7 } .ours { fill: #2f6f4f }
.one { stroke: #1f2328; stroke-dasharray: 3 3 } .whisker { stroke: #1f2328; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } .bar { fill: #59636e } .ours { fill: #4fa37a }
  .one, .whisker { stroke: #e6edf3 }
}
"""


@frozen
class _Scale:
    """From a ratio to a place on the page."""

    largest: float

    def x(self, ratio: float) -> float:
        return _NAMES + min(ratio, self.largest) / self.largest * (_WIDTH - _NAMES - _VALUES)


def svg(results: Results) -> str:
    """Return the chart, a document of SVG: of the cases that have an aim, or of all where none has."""
    parts: list[str] = []
    y = 8
    judged = {aim.case for aim in AIMS} & set(results.cases) or set(results.cases)
    for name, findings in results.cases.items():
        if name not in judged:
            continue
        case = CASES[name]
        bars = [(item, results.ratio(case, item, case.figures[0])) for item in findings]
        bars = [(item, ratio) for item, ratio in bars if not math.isnan(ratio.median)]
        if len(bars) > 1:
            parts += _case(case, bars, y)
            y += _TITLE + _ROW * len(bars)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 12}" width="{_WIDTH}" '
        f'height="{y + 12}" role="img" aria-label="Each contender relative to the reference of its case">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _case(case: Case, bars: list[tuple[Finding, Spread]], top: int) -> list[str]:
    scale = _Scale(min(_LARGEST, max(1.25, *(ratio.most for _, ratio in bars)) * 1.02))
    figure = case.figures[0]
    better = "more is better" if figure.more_is_better else "less is better"
    reference = next((item.about for item, ratio in bars if ratio.median == 1), case.reference)
    bottom = top + _TITLE + _ROW * len(bars)
    parts = [
        f'<text class="title" x="8" y="{top + 20}">{escape(case.title)}</text>',
        f'<text class="note" x="8" y="{top + 36}">{escape(figure.name)}, {escape(reference)} = 1; {better}</text>',
    ]
    for at, (finding, ratio) in enumerate(bars):
        parts += _bar(finding, ratio, scale, top + _TITLE + _ROW * at)
    x = scale.x(1)
    parts.append(f'<line class="one" x1="{x:.1f}" x2="{x:.1f}" y1="{top + _TITLE - 2}" y2="{bottom}"/>')
    return parts


def _bar(finding: Finding, ratio: Spread, scale: _Scale, y: int) -> list[str]:
    middle = y + _BAR / 2
    end, least, most = scale.x(ratio.median), scale.x(ratio.least), scale.x(ratio.most)
    kind, cut = "bar ours" if finding.ours else "bar", " →" if ratio.median > scale.largest else ""
    whisker = f"M{least:.1f} {middle}H{most:.1f}M{least:.1f} {middle - 3}v6M{most:.1f} {middle - 3}v6"
    return [
        f'<text x="{_NAMES - 8}" y="{y + 10}" text-anchor="end">{escape(finding.about)}</text>',
        f'<rect class="{kind}" x="{_NAMES}" y="{y}" width="{end - _NAMES:.1f}" height="{_BAR}"/>',
        f'<path class="whisker" d="{whisker}"/>',
        f'<text x="{max(end, most) + 6:.1f}" y="{y + 10}">{ratio.median:.2f}{cut}</text>',
    ]

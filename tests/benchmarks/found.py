"""Results as a run would have found them."""

from benchmarks.cases import CASES
from benchmarks.results import Finding, Results

OURS = ("hostler", "import-hostler")


def finding(case, name, *values, about=None, ours=None, trouble=""):
    """Return a contender's finding: `values` are those of the case's first figure, one a round."""
    samples = [{CASES[case].figures[0].name: value} for value in values]
    ours = name.startswith(OURS) if ours is None else ours
    return Finding.of(name, about or name, samples, trouble, ours=ours)


def results(builds=None, **cases):
    """Return results of cases: for each a dict of contenders with their values of each round."""
    found = Results(
        ["a machine"], "3 rounds", builds or {"": "Python 3.11.7 (GCC 12, Debian's), hostler compiled"}
    )
    for key, contenders in cases.items():
        case = key.replace("_", "-").removeprefix("case-")
        found.cases[case] = [
            finding(case, name, *(values if isinstance(values, tuple) else (values,)))
            for name, values in contenders.items()
        ]
    return found

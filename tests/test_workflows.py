"""The workflow for hosted Windows runners: it is YAML, and runs what nox knows."""

import re
from itertools import product
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOXFILE = (ROOT / "noxfile.py").read_text()
PYTHONS = re.findall(r'"([\d.]+)"', re.search(r"^PYTHONS = \[(.*)\]$", NOXFILE, re.MULTILINE)[1])


@pytest.fixture
def job():
    text = (ROOT / ".github" / "workflows" / "windows.yml").read_text()
    (job,) = yaml.safe_load(text)["jobs"].values()
    return job


def sessions():
    """Give the sessions of nox by name; those for several Pythons once for each."""
    for options, name in re.findall(r"^@nox\.session(.*)\ndef (\w+)", NOXFILE, re.MULTILINE):
        yield from [f"{name}-{python}" for python in PYTHONS] if "PYTHONS" in options else [name]


def filled_in(text, values):
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: values[found[1]], text)


def test_it_runs_on_every_python_that_is_supported(job):
    assert job["strategy"]["matrix"]["python"] == PYTHONS


def test_it_runs_the_sessions_that_nox_knows(job):
    matrix = job["strategy"]["matrix"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    wanted = set()
    for values in product(*matrix.values()):
        for run in runs:
            _, session, _ = re.fullmatch(
                r"(python bootstrap\.py nox) -s (\S+)( -- .*)?",
                filled_in(run, dict(zip(matrix, values, strict=True))),
            ).groups()
            wanted.add(session)
    known = set(sessions())
    assert wanted <= known
    assert wanted == {name for name in known if name.partition("-")[0] in {"tests", "prove"}}


def test_it_keeps_the_proof_whatever_came_of_it(job):
    (prove,) = (step for step in job["steps"] if "nox -s prove" in step.get("run", ""))
    (keep,) = (step for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert prove["run"].endswith(f" -- {keep['with']['path']}")
    assert keep["if"] == "always()"


def test_what_is_kept_of_a_machine_has_a_name_of_its_own(job):
    (keep,) = (step for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    for name in job["strategy"]["matrix"]:
        assert f"matrix.{name} " in keep["with"]["name"]

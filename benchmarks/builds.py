"""The builds of hostler that take part: which Python, with or without the compiled part, which revision."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from attrs import evolve, field, frozen

from benchmarks import processes
from benchmarks.cases import Builds
from benchmarks.processes import StartError

__all__ = ["Build", "Lineup", "find_builds", "installed"]

_ROOT: Final = Path(__file__).parents[1]

_ASK: Final = """
import json, platform, sys, sysconfig
import hostler
hostler.Proxy, hostler.run, hostler.serve
try:
    from hostler.http.heads import COMPILED
except ImportError:
    COMPILED = False
print(json.dumps({
    "version": platform.python_version(),
    "compiler": platform.python_compiler(),
    "debian": "deb_system" in sysconfig.get_scheme_names(),
    "optimised": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
    "compiled": COMPILED,
}))
"""


@frozen
class Build:
    """A hostler to measure: an interpreter, and what its processes have in their environment."""

    label: str
    """Behind the contender's name; empty for what is installed here."""

    python: str
    about: str
    compiled: bool
    environment: dict[str, str] = field(factory=dict)

    def named(self, name: str) -> str:
        """Return the name of something of ours in this build."""
        return f"{name}-{self.label}" if self.label else name

    @property
    def pure(self) -> Build:
        """The same without its compiled part."""
        return evolve(
            self,
            label=f"{self.label}-pure" if self.label else "pure",
            about=self.about.removesuffix("compiled") + "pure",
            compiled=False,
            environment={**self.environment, "HOSTLER_PURE": "1"},
        )


@frozen
class Lineup:
    """The builds of a run; the first is what is installed here."""

    builds: tuple[Build, ...]
    reference: Build | None = None
    """With another revision: that one, which is compared with."""

    left_out: tuple[str, ...] = ()

    def of(self, which: Builds) -> tuple[Build, ...]:
        """Return the builds that take part in a case."""
        if self.reference is not None:
            return self.builds
        if which is Builds.ONE:
            return self.builds[:1]
        pythons = self.builds if which is Builds.ALL else self.builds[:1]
        return tuple(build for one in pythons for build in ((one, one.pure) if one.compiled else (one,)))


def installed(source: Path = _ROOT / "src", label: str = "", python: str = sys.executable) -> Build:
    """Return the build of an interpreter and of the hostler in `source`; raises StartError without its dependencies."""
    environment = {"PYTHONPATH": os.pathsep.join([str(source), str(_ROOT)])}
    try:
        status, output, errors = processes.run([python, "-c", _ASK], 60, environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(str(error)) from error
    if status:
        raise StartError((errors.strip().splitlines() or [f"it ended with {status}"])[-1])
    found = json.loads(output)
    made = (
        "Debian's" if found["debian"] else f"--enable-optimizations {'yes' if found['optimised'] else 'no'}"
    )
    compiled = "compiled" if found["compiled"] else "pure"
    about = f"Python {found['version']} ({found['compiler']}, {made}), hostler {compiled}"
    return Build(label, python, about, found["compiled"], environment)


def find_builds(pythons: list[str]) -> Lineup:
    """Return what is installed here, and the interpreters that have hostler's dependencies."""
    builds, left_out = [installed()], []
    for python in pythons:
        try:
            build = installed(python=python)
        except StartError as error:
            left_out.append(f"{python}: {error}")
            continue
        words = build.about.split()
        label = f"debian-{words[1]}" if "Debian's" in build.about else words[1]
        taken = sum(other.label.startswith(label) for other in builds)
        builds.append(evolve(build, label=f"{label}-{taken + 1}" if taken else label))
    return Lineup(tuple(builds), left_out=tuple(left_out))

"""The builds of hostler that take part."""

import sys

from benchmarks.builds import Build, Lineup, find_builds, installed
from benchmarks.cases import Builds

HERE = Build("", "python", "Python 3.13.0 (GCC, x), hostler compiled", compiled=True)
OTHER = Build("debian-3.11.2", "other", "Python 3.11.2 (GCC, Debian's), hostler compiled", compiled=True)
PURE = Build("", "python", "Python 3.13.0 (GCC, x), hostler pure", compiled=False)


def labels(lineup, which):
    return [build.label for build in lineup.of(which)]


def test_a_case_says_which_builds_take_part():
    lineup = Lineup((HERE, OTHER))
    assert labels(lineup, Builds.ONE) == [""]
    assert labels(lineup, Builds.PURE) == ["", "pure"]
    assert labels(lineup, Builds.ALL) == ["", "pure", "debian-3.11.2", "debian-3.11.2-pure"]


def test_without_a_compiled_part_there_is_one_build():
    assert labels(Lineup((PURE,)), Builds.ALL) == [""]


def test_against_a_revision_those_two_take_part_and_no_others():
    lineup = Lineup((HERE, OTHER), reference=OTHER)
    assert labels(lineup, Builds.ONE) == labels(lineup, Builds.ALL) == ["", "debian-3.11.2"]


def test_a_pure_build_is_told_so_in_its_environment():
    assert HERE.pure.environment == {"HOSTLER_PURE": "1"}
    assert HERE.pure.named("hostler") == "hostler-pure"
    assert HERE.pure.about == "Python 3.13.0 (GCC, x), hostler pure"


def test_what_is_installed_here_names_its_build():
    version = ".".join(map(str, sys.version_info[:3]))
    assert installed().about.startswith(f"Python {version} (")
    assert installed().named("hostler") == "hostler"


def test_an_interpreter_that_cannot_import_hostler_is_left_out_with_the_reason(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'attrs'\" >&2\nexit 1\n")
    bare.chmod(0o755)
    lineup = find_builds([str(bare), str(tmp_path / "nothing")])
    assert len(lineup.builds) == 1
    assert lineup.left_out[0] == f"{bare}: ModuleNotFoundError: No module named 'attrs'"
    assert lineup.left_out[1].startswith(f"{tmp_path / 'nothing'}: ")


def test_two_interpreters_of_one_version_have_different_names():
    lineup = find_builds([sys.executable, sys.executable])
    assert len({build.label for build in lineup.builds}) == 3

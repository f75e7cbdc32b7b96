"""The package's own names: found when they are asked for, and seen by type checkers, `dir` and `import *`."""

from __future__ import annotations

import ast
import pickle
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import hostler


def fresh(program):
    """Run a program that has imported nothing yet; returns what it prints."""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return result.stdout


def seen_by_type_checkers():
    tree = ast.parse(Path(hostler.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {alias.name: node.module for node in block.body for alias in node.names}


def test_names_stand_where_type_checkers_see_them():
    assert seen_by_type_checkers() == hostler._HOMES
    assert sorted(hostler._HOMES) == sorted(hostler.__all__)


@pytest.mark.parametrize("name", hostler.__all__)
def test_every_name_is_found_first_thing(name):
    found = getattr(hostler, name)
    assert found is getattr(sys.modules[hostler._HOMES[name]], name)
    assert name in dir(hostler)


def test_a_star_imports_them_all():
    assert fresh("from hostler import *; print(run.__name__, serving.__name__, Proxy.__name__)") == (
        "run serving Proxy\n"
    )


@pytest.mark.parametrize("package", ["asgi", "fleet", "stages", "testing"])
def test_packages_are_attributes(package):
    assert fresh(f"import hostler; print(hostler.{package}.__name__)") == f"hostler.{package}\n"


def test_a_stage_is_an_attribute_of_an_attribute():
    assert fresh("import hostler; print(hostler.stages.balance.__qualname__)") == "balance\n"


def test_a_name_that_is_none_is_refused_with_the_one_that_was_meant():
    with pytest.raises(AttributeError, match=r"module 'hostler' has no attribute 'Porxy'"):
        _ = hostler.Porxy
    with pytest.raises(ImportError, match="cannot import name 'Porxy'"):
        from hostler import Porxy  # noqa: F401, PLC0415 - which is the point
    failed = subprocess.run(
        [sys.executable, "-c", "import hostler; hostler.Porxy"], capture_output=True, text=True, check=False
    )
    assert "Did you mean: 'Proxy'?" in failed.stderr


def test_what_is_pickled_is_found_by_its_own_module():
    data = pickle.dumps(hostler.QueueMode.CREATE)
    program = f"import pickle; print(pickle.loads({data!r}).value)"
    assert fresh(program) == "create\n"


def test_the_reference_is_their_docstrings():
    assert "reverse proxy" in pydoc.render_doc("hostler.Proxy")

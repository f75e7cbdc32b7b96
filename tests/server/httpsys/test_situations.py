"""Every situation of ASP.NET Core's tests has a test here, or does not exist here."""

import ast
from pathlib import Path

import pytest

from tests.server.httpsys.situations import SITUATIONS

SERVER = Path(__file__).parents[1]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_names_a_test_that_there_is_or_says_why_none_is_needed(situation):
    file, found, test = SITUATIONS[situation].partition("::")
    if not found:
        assert file.endswith(".")
        return
    tree = ast.parse((SERVER / file).read_text(encoding="utf-8"))
    assert test in {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

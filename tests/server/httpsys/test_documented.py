"""Every code and flag that Microsoft documents for what is called is tested, or argued away."""

import ast
from pathlib import Path

import pytest

from tests.server.httpsys.documented import PAGES, UNCALLED, callers, functions, is_test

HERE = Path(__file__).parent
ROWS = [
    pytest.param(row, id=f"{name}-{what}")
    for name, page in PAGES.items()
    for what, row in (page.codes | page.flags).items()
]
CALLED = {name for name, modules in callers().items() if modules}


def names_in(path):
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("row", ROWS)
def test_each_row_names_a_test_that_there_is_or_says_why_none_is_needed(row):
    if is_test(row):
        file, test = row.split("::")
        assert test in names_in(HERE / file)
    else:
        assert row.endswith(".")
        assert len(row) > 40, "a sentence says why"


def test_every_function_that_is_called_has_its_page():
    assert CALLED - PAGES.keys() == set()
    assert [name for name in CALLED if not PAGES[name].codes] == []


def test_every_function_that_is_bound_is_called_or_there_is_a_reason():
    nobody = set(functions()) - CALLED
    assert nobody - UNCALLED.keys() == set()


def test_nothing_is_said_of_functions_that_are_not_bound():
    assert (PAGES.keys() | UNCALLED.keys()) - set(functions()) == set()

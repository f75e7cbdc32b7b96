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


def test_every_function_that_is_called_has_its_page_and_no_other():
    assert PAGES.keys() == CALLED
    assert [name for name, page in PAGES.items() if not page.codes] == []


def test_every_function_that_is_bound_is_called_or_there_is_a_reason():
    assert UNCALLED.keys() == set(functions()) - CALLED

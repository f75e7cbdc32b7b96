"""Why something could not be done, in a line."""

from __future__ import annotations

import pytest

from hostler.asgi import load
from hostler.errors import ConfigError, LifespanError, ListenError, NoSuchQueueError, Problem
from hostler.explaining import explain


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoSuchQueueError("no queue 'q'"), "no queue 'q'"),
        (ListenError(98, "cannot listen: port 80 is in use"), "cannot listen: port 80 is in use"),
        (ListenError("cannot listen"), "cannot listen"),
        (ConfigError([Problem("a", "b"), Problem("c", "d")]), "a: b\nc: d"),
        (LifespanError("Traceback:\n  ...\nOSError: no database\n\n"), "the application did not start: OSError: no database"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)  # fmt: skip
def test_explain(error, words):
    assert explain(error) == words


def test_the_place_in_the_users_code_is_named():
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert explain(caught.value).startswith(f"{__file__}, line ")
    assert explain(caught.value).endswith(": ZeroDivisionError: division by zero")


def test_a_module_that_cannot_be_imported_is_not_confused_with_what_imports_it(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("\nimport no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as caught:
        load("broken:app")
    assert explain(caught.value) == (
        f"{tmp_path}/broken.py, line 2: ModuleNotFoundError: No module named 'no_such_package'"
    )

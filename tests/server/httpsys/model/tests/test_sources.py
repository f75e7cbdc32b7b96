"""Whatever the model does is cited, or marked as a guess."""

from __future__ import annotations

from tests.server.httpsys.model import sources


def test_every_source_can_be_found_again_and_every_guess_has_a_reason() -> None:
    known = sources.behaviours()
    print(f"\n{sources.summary()}")  # noqa: T201 - pytest -s shows it
    assert [f"{found} ({found.wrong})" for found in known if found.wrong] == []
    assert len({(found.file, found.line) for found in known}) == len(known)


def test_every_call_has_a_source_or_is_a_guess() -> None:
    calls = sources.calls()
    assert "HttpInitialize" in calls
    assert [name for name, said in calls.items() if not said] == []

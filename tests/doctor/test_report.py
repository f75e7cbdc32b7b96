"""What was found, for people and as JSON."""

from __future__ import annotations

import json

from hostler.doctor.finding import Finding, Verdict
from hostler.doctor.report import to_json, write_report

EXAMINED = [
    ("Doors", (Finding("front", Verdict.OK, "closed"), Finding("back", Verdict.BROKEN, "stuck", "oil it"))),
    ("Cellar", (Finding("wine", Verdict.MISSING, "none, for guests", "buy some"),)),
]


def test_for_people():
    assert "".join(write_report(EXAMINED)) == (
        "Doors\n"
        "  ok       front: closed\n"
        "  broken   back: stuck\n"
        "           -> oil it\n"
        "\n"
        "Cellar\n"
        "  missing  wine: none, for guests\n"
        "           -> buy some\n"
        "\n"
        "1 ok, 1 missing, 1 broken\n"
    )


def test_as_json():
    document = json.loads(to_json({"hostler": "1.0"}, EXAMINED))
    assert document["hostler"] == "1.0"
    assert [finding["verdict"] for finding in document["findings"]] == ["ok", "broken", "missing"]
    assert document["findings"][1] == {
        "concern": "Doors",
        "what": "back",
        "verdict": "broken",
        "detail": "stuck",
        "remedy": "oil it",
    }

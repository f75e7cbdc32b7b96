"""The concerns of an examination."""

from __future__ import annotations

from hostler.doctor.context import Context
from hostler.doctor.examination import CONCERNS, Concern, examine
from hostler.doctor.finding import Finding, Verdict
from hostler.errors import QueueError
from hostler.server.prefix import UrlPrefix


def test_every_concern_finds_something_here():
    examined = list(examine(Context(prefixes=(UrlPrefix.parse("http://localhost:0/"),))))
    assert [name for name, _ in examined] == [concern.name for concern in CONCERNS]
    assert all(findings for _, findings in examined)


def test_what_cannot_be_examined_is_broken_and_keeps_nothing_back():
    def examine_half(context):
        yield Finding("a", Verdict.OK, "fine")
        raise QueueError("the directory is gone")

    assert list(Concern("Queues", examine_half).findings(Context())) == [
        Finding("a", Verdict.OK, "fine"),
        Finding("Queues", Verdict.BROKEN, "cannot be examined: the directory is gone"),
    ]

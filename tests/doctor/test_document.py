"""What is wrong with the documents."""

from hostler.doctor.document import examine_document
from hostler.doctor.finding import Verdict
from hostler.errors import Problem, Severity


def test_every_problem_is_a_finding(in_user_mode):
    problems = (Problem("Urls", "no", line=3, source="a.json"), Problem("Routes.r", "hm", Severity.WARNING))
    findings = list(examine_document(in_user_mode(problems=problems)))
    assert [(finding.verdict, finding.detail) for finding in findings] == [
        (Verdict.BROKEN, "a.json: line 3: Urls: no"),
        (Verdict.WARNING, "warning: Routes.r: hm"),
    ]


def test_a_document_with_warnings_can_be_used(in_user_mode):
    problems = (Problem("Routes.r", "hm", Severity.WARNING),)
    assert [finding.verdict for finding in examine_document(in_user_mode(problems=problems))] == [
        Verdict.WARNING,
        Verdict.OK,
    ]


def test_without_one_it_says_how_to_give_one(in_user_mode):
    (finding,) = examine_document(in_user_mode("http://localhost:5000/", document=""))
    assert finding.remedy.endswith("hostler doctor appsettings.json")

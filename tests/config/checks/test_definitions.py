"""Rules for the policies that a document defines."""

from __future__ import annotations

import pytest

from hostler import Config, Definitions, Policies, RetryDefinition, Route, TimeoutDefinition
from hostler.checking import find_problems


def said(definitions, policies=None):
    """Return what is wrong with definitions, by path."""
    config = Config(definitions=definitions)
    return {problem.path: problem.message for problem in find_problems(config, policies)}


def test_what_is_right_is_accepted():
    assert said(Definitions(timeouts={"short": TimeoutDefinition(5, 503)})) == {}


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_more_than_nothing(seconds):
    message = said(Definitions(timeouts={"t": TimeoutDefinition(seconds)}))["Policies.Timeouts.t.Timeout"]
    assert message.endswith("is out of range; use more than 0")


@pytest.mark.parametrize("status", [0, 200, 399, 600])
def test_a_timeout_is_answered_with_an_error(status):
    assert said(Definitions(timeouts={"t": TimeoutDefinition(1, status)})) == {
        "Policies.Timeouts.t.TimeoutStatusCode": f"{status} is no status of an error; use 400 to 599"
    }


@pytest.mark.parametrize("name", ["Disable", "disAble"])
def test_yarps_names_are_taken(name):
    assert said(Definitions(timeouts={name: TimeoutDefinition(1)})) == {
        f"Policies.Timeouts.{name}": f'"{name}" is YARP\'s name for something else; choose another'
    }
    assert said(Definitions(), Policies(timeout={name: lambda: TimeoutDefinition(1)})) == {
        "Policies": f'"{name}" cannot be the name of a TimeoutPolicy; choose another'
    }


def test_names_have_no_case():
    definitions = Definitions(timeouts={"short": TimeoutDefinition(1), "SHORT": TimeoutDefinition(2)})
    assert said(definitions) == {
        "Policies.Timeouts.SHORT": 'duplicate id "SHORT" (ids are case-insensitive); choose another'
    }


def test_a_name_is_the_documents_or_the_programs():
    definitions = Definitions(timeouts={"short": TimeoutDefinition(1)})
    assert said(definitions, Policies(timeout={"Short": lambda: TimeoutDefinition(1)})) == {
        "Policies.Timeouts.short": '"short" is defined in the program too (Policies); choose another'
    }


def unknown(name, definitions=Definitions()):  # noqa: B008 - it is frozen
    config = Config([Route("/", id="r", timeout_policy=name)], definitions=definitions)
    return [str(problem) for problem in find_problems(config)]


def test_an_unknown_name_says_where_to_define_it():
    (message,) = unknown("short")
    assert message == (
        'Routes.r.TimeoutPolicy: unknown policy "short"; use Disable, package.module:name, or define it in '
        "Policies.Timeouts"
    )


def test_a_slip_in_a_name_is_recognised():
    definitions = Definitions(timeouts={"Short": TimeoutDefinition(1)})
    assert unknown("shrot", definitions) == [
        'Routes.r.TimeoutPolicy: unknown policy "shrot"; did you mean Short?'
    ]
    assert unknown("disabel") == ['Routes.r.TimeoutPolicy: unknown policy "disabel"; did you mean Disable?']


@pytest.mark.parametrize("name", ["short", "SHORT", "Disable", "DISABLE", "", None])
def test_what_is_defined_and_what_asks_for_nothing_is_known(name):
    assert unknown(name, Definitions(timeouts={"Short": TimeoutDefinition(1)})) == []


@pytest.mark.parametrize(
    ("field", "value", "key"),
    [
        ("max_attempts", 0, "MaxAttempts"),
        ("failures", ["Request", "Requset"], "Failures[1]"),
        ("failures", ["UpgradeRequestClient"], "Failures[0]"),
        ("statuses", [503, 100], "Statuses[1]"),
        ("statuses", [600], "Statuses[0]"),
        ("statuses", ["5xx", "6xx"], "Statuses[1]"),
        ("methods", ["GET", "get"], "Methods[1]"),
        ("max_body_size", -1, "MaxBodySize"),
        ("budget_percent", -1, "BudgetPercent"),
        ("budget_reserve", -1, "BudgetReserve"),
        ("try_timeout", 0, "TryTimeout"),
        ("timeout", -1, "Timeout"),
    ],
)
def test_retries_are_within_their_ranges(field, value, key):
    (found,) = said(Definitions(retries={"again": RetryDefinition(**{field: value})}))
    assert found == f"Policies.Retries.again.{key}"


def test_failures_have_yarps_names_in_any_case():
    assert (
        said(Definitions(retries={"again": RetryDefinition(failures=["request", "NoAvailableDestinations"])}))
        == {}
    )

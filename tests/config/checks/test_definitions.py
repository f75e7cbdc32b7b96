"""Rules for the policies that a document defines."""

from __future__ import annotations

import pytest

from hostler import Config, Definitions, Policies, Route, TimeoutDefinition
from hostler.documents import find_problems


def said(definitions, policies=None):
    """Return what is wrong with definitions, by path."""
    config = Config(policies=definitions)
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
    config = Config([Route("/", id="r", timeout_policy=name)], policies=definitions)
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

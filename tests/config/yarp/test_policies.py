"""The `Policies` section."""

from __future__ import annotations

import json

import pytest

from hostler import Config, Definitions, TimeoutDefinition
from hostler.config import yarp
from hostler.config.source import FileSource
from hostler.config.yarp.reading import read_definitions
from hostler.documents import examine
from tests.config.yarp.documents import refused

DOCUMENT = {"Policies": {"Timeouts": {"Short": {"Timeout": "00:00:05", "TimeoutStatusCode": 503}}}}
CONFIG = Config(definitions=Definitions(timeouts={"Short": TimeoutDefinition(5.0, 503)}))


def test_it_is_read_and_written():
    assert yarp.load(DOCUMENT) == CONFIG
    assert yarp.dump(CONFIG) == {**DOCUMENT, "ReverseProxy": {}}


@pytest.mark.parametrize("nothing", [{}, None, [], {"Timeouts": None}, {"timeouts": {}}])
def test_nothing_is_said_is_nothing_defined(nothing):
    assert yarp.load({"Policies": nothing}) == Config()


def test_keys_have_no_case_and_a_colon_is_a_level():
    assert (
        yarp.load({"policies:timeouts:Short": {"timeout": "0:00:05", "timeoutstatuscode": "503"}}) == CONFIG
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"Policies": 5}, "Policies: 5 is not an object; write {...}"),
        ({"Policies": {"Timeout": {}}}, 'Policies.Timeout: unknown key "Timeout"; did you mean Timeouts?'),
        ({"Policies": {"Timeouts": {"a": {}}}}, "Policies.Timeouts.a.Timeout: is missing and required; add it"),
        ({"Policys": {}}, 'Policys: unknown section "Policys"; did you mean Policies?'),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_place(document, said):
    assert refused(document) == [said]


def test_what_is_wrong_has_its_line(tmp_path):
    file = tmp_path / "proxy.json"
    file.write_text(
        '{\n"ReverseProxy": {"Routes": {"a": {"Match": {"Path": "/"}, "ClusterId": "c"}}, "Clusters": {"c": {}}},\n"Policies": {\n"Timeouts": {\n"a": {"Timeout": "soon"},\n"b": {\n"Timeout": 0}}}}'
    )
    _, problems = examine([FileSource(file)])
    assert [str(problem) for problem in problems] == [
        (
            f'{file}: line 5: Policies.Timeouts.a.Timeout: "soon" is not a time; write "hh:mm:ss", or "d.hh:mm:ss" from 24 hours on '
            "(a bare number is days)"
        ),
        f"{file}: line 7: Policies.Timeouts.b.Timeout: 0 seconds is out of range; use more than 0",
    ]


@pytest.mark.parametrize(
    ("timeouts", "place"),
    [
        ({"short": {"Timeout": "soon"}}, "Policies.Timeouts.short.Timeout"),
        ({"short": 5}, "Policies.Timeouts.short"),
        (5, "Policies.Timeouts"),
    ],
)
def test_a_policy_that_cannot_be_read_is_not_called_unknown(tmp_path, timeouts, place):
    routes = {
        "a": {"Match": {"Path": "/"}, "ClusterId": "c", "TimeoutPolicy": "SHORT", "RetryPolicy": "other"}
    }
    file = tmp_path / "proxy.json"
    file.write_text(
        json.dumps(
            {"Policies": {"Timeouts": timeouts}, "ReverseProxy": {"Routes": routes, "Clusters": {"c": {}}}}
        )
    )
    _, problems = examine([FileSource(file)])
    assert [problem.path for problem in problems] == [place, "Routes.a.RetryPolicy"]


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({"Basic": {"Users": "hunter2"}}, "Basic.Users"),
        ({"Basic": {"Users": {"joe": ["hunter2"]}}}, "Basic.Users.joe"),
        ({"ApiKey": {"Keys": ["hunter2"]}}, "ApiKey.Keys"),
        ({"ApiKey": {"Keys": {"me": {"key": "hunter2"}}}}, "ApiKey.Keys.me"),
    ],
)
def test_what_may_be_a_secret_is_not_repeated(policy, place):
    _, problems = read_definitions({"Authorization": {"p": policy}})
    assert [problem.path for problem in problems] == [f"Policies.Authorization.p.{place}"]
    assert "hunter2" not in str(problems)

"""The sections that are not YARP's, and keys with colons."""

from __future__ import annotations

import pytest

from hostler.config import yarp
from hostler.config.model import Cluster, Config, Route
from hostler.steps import finish
from tests.config.yarp.documents import refused

EMPTY = {"ReverseProxy": {"Routes": {}}}


def said(document):
    _, problems = finish(yarp.build(yarp.Parsed(document)))
    return [str(problem) for problem in problems]


def test_a_document_without_the_section_is_suspicious():
    [warning] = said({"Logging": {}})
    assert warning.startswith('warning: there is no "ReverseProxy" section')
    assert yarp.load({"Logging": {}}) == Config()


@pytest.mark.parametrize("hosts", ["*", "", "a.example;*", None])
def test_any_host_is_allowed(hosts):
    assert said({**EMPTY, "ReverseProxy": {"Routes": {"r": {}}}, "AllowedHosts": hosts}) == []


def test_a_list_of_hosts_is_refused():
    [message] = refused({"AllowedHosts": "a.example;b.example"})
    assert message.startswith('AllowedHosts: not supported yet: "a.example;b.example"; write "*", ')


def test_static_files_are_refused_when_they_are_on():
    assert refused({"StaticFiles": {"Enabled": True}}) == [
        "StaticFiles.Enabled: not supported yet: StaticFiles; set it to false, or remove it"
    ]
    assert yarp.load({"StaticFiles": {"Enabled": "false"}}) == Config()
    assert refused({"NavigationFallback": {"Path": "/index.html"}})


def test_a_colon_is_a_level():
    assert yarp.load(
        {
            "reverseproxy:Routes:x": {"Match:Path": "/x", "Order": 1},
            "ReverseProxy:Routes:x:ClusterId": "c",
            "ReverseProxy": {"Routes:y": {"Match": {"Path": "/y"}}, "Clusters": {"c": {}}},
        }
    ) == Config([Route("/x", "c", id="x", order=1), Route("/y", id="y")], [Cluster("c")])


def test_what_is_said_twice_is_refused():
    document = {"ReverseProxy": {"Routes": {"x": {"Order": 1}}}, "ReverseProxy:Routes:X:Order": 2}
    assert refused(document) == [
        "ReverseProxy:Routes:X:Order: appears more than once (a colon is a level); keep one"
    ]
    assert refused({"ReverseProxy": {"Routes": {"x": {"Match": {"Path": "/"}, "Match:Path": "/x"}}}}) == [
        "Routes.x.Match.Path: appears more than once (a colon is a level); keep one"
    ]


def test_ids_may_have_colons():
    config = Config([Route("/orders/{id:int}")])
    assert yarp.load(yarp.dump(config)) == config

"""What can be used and is probably not meant."""

from __future__ import annotations

import pytest

from hostler.config.checks.warnings import find_warnings
from hostler.config.definitions import Definitions, RetryDefinition
from hostler.config.model import Cluster, Config, HttpClient, Mirror, Route, queue
from hostler.errors import Severity
from hostler.steps import finish


def warned(*routes, urls=(), clusters=("c",)):
    problems = finish(find_warnings(Config(routes, map(Cluster, clusters), urls)))
    assert all(problem.severity is Severity.WARNING for problem in problems)
    return [problem.path for problem in problems]


def test_a_port_that_is_another_one_each_time():
    assert warned(urls=["http://a:0", "http://a:10/", "http://a:0/"]) == ["Urls", "Urls"]


def test_a_cluster_that_is_not_there():
    assert warned(Route("/a", "C", id="a"), Route("/b", "d", id="b"), Route("/c", id="c")) == [
        "Routes.b.ClusterId", "Routes.c.ClusterId",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({}, {}, True),
        ({"path": "/A/{x}"}, {"path": "/a/{y}"}, True),
        ({"path": "/{x:int}"}, {"path": "/{y}"}, False),
        ({"path": "/{*x}"}, {"path": "/{**y}"}, True),
        ({"path": "/{x}.txt"}, {"path": "/{y}.TXT"}, True),
        ({"path": "/a"}, {"path": "/b"}, False),
        ({"order": 1}, {}, False),
        ({"methods": ["GET", "PUT"]}, {"methods": ["put"]}, True),
        ({"methods": ["GET"]}, {"methods": ["PUT"]}, False),
        ({"methods": ["GET"]}, {}, False),
        ({"hosts": ["a.example", "b.example"]}, {"hosts": ["B.example"]}, True),
        ({"hosts": ["a.example"]}, {}, False),
        ({"path": "/{"}, {"path": "/{"}, False),
    ],
)
def test_equal_routes(one, other, equal):
    routes = [
        Route(**{"path": "/x", "cluster_id": "c", "id": name, **given})
        for name, given in (("one", one), ("other", other))
    ]
    assert warned(*routes) == (["Routes.other"] if equal else [])


def test_versions_of_tls_that_nobody_should_speak():
    cluster = Cluster("c", http_client=HttpClient(ssl_protocols=["Tls", "Tls11", "Tls12"]))
    (first, second) = finish(find_warnings(Config(clusters=[cluster])))
    assert [first.path, second.path] == [
        "Clusters.c.HttpClient.SslProtocols[0]", "Clusters.c.HttpClient.SslProtocols[1]",
    ]  # fmt: skip
    assert "use Tls12 or Tls13" in first.message


def test_what_does_not_hold_for_delegated_requests_is_said():
    delegated = Cluster("c", [queue("q", "http://*:80/")])
    route = Route("/", "c", id="r", retry_policy="again", mirror=Mirror("other"))
    definitions = Definitions(retries={"Again": RetryDefinition(statuses=[503])})
    found = finish(find_warnings(Config([route], [delegated], definitions=definitions)))
    assert {problem.path: problem.severity for problem in found} == {
        "Routes.r.RetryPolicy": Severity.WARNING,
        "Routes.r.Mirror": Severity.WARNING,
    }
    forwarded = Cluster("c", ["http://a/"])
    assert finish(find_warnings(Config([route], [forwarded], definitions=definitions))) == []
    harmless = Definitions(retries={"again": RetryDefinition()})
    (found,) = finish(find_warnings(Config([route], [delegated], definitions=harmless)))
    assert found.path == "Routes.r.Mirror"

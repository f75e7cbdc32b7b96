"""The rules over the whole: what is refused, where, and in which order."""

from __future__ import annotations

from hostler.config.model import (
    Cluster,
    Config,
    Destination,
    Route,
    queue,
)
from tests.config.checks.saying import check_all


class TestWhole:
    def test_an_empty_configuration_is_fine(self):
        assert check_all(Config()) == []

    def test_a_usual_configuration_is_fine(self):
        config = Config(
            [Route("/api/{id:int}/{**rest}", "api"), Route(hosts=["*.example.com:8080"], cluster_id="web")],
            [
                Cluster("api", ["http://10.0.0.1:8080", "https://[::1]:8443/base/"], balance="RoundRobin"),
                Cluster("web", [queue("reports", "http://*:80/"), queue("more", "http://+:80/x/")]),
            ],
            ["http://*:8080/", "http://localhost:5000"],
        )
        assert check_all(config) == []

    def test_any_free_port_may_be_listened_on_and_not_sent_to(self):
        assert check_all(Config(urls=["http://127.0.0.1:0/", "http://*:0/"])) == []
        config = Config(clusters=[Cluster("web", ["http://a:0/", queue("reports", "http://*:0/")])])
        assert [problem.path.rpartition(".")[2] for problem in check_all(config)] == ["Address"] * 2

    def test_an_unknown_cluster_is_no_problem_since_its_requests_get_503(self):
        assert check_all(Config([Route("/", "nowhere"), Route("/x")])) == []

    def test_problems_come_in_document_order(self):
        config = Config(
            [Route("/", id="r2", order=2**31), Route("/{", id="r1")],
            [Cluster("c2", ["ftp://a"]), Cluster("c1", balance="Nope")],
            ["nonsense"],
        )
        assert [problem.path for problem in check_all(config)] == [
            "Urls",
            "Routes.r2.Order",
            "Routes.r1.Match.Path",
            "Clusters.c2.Destinations.ftp://a.Address",
            "Clusters.c1.LoadBalancingPolicy",
        ]

    def test_ids_differ_in_more_than_case(self):
        config = Config(
            [Route("/a", id="api"), Route("/b", id="API")],
            [
                Cluster("c", [Destination("http://a/", id="d"), Destination("http://b/", id="D")]),
                Cluster("C"),
            ],
        )
        assert [str(problem) for problem in check_all(config)] == [
            'Routes.API: duplicate id "API" (ids are case-insensitive); choose another',
            'Clusters.C: duplicate id "C" (ids are case-insensitive); choose another',
            'Clusters.c.Destinations.D: duplicate id "D" (ids are case-insensitive); choose another',
        ]

    def test_ids_are_not_empty(self):
        problems = check_all(Config([Route("/", id="")], [Cluster("")]))
        assert [problem.path for problem in problems] == ["Routes", "Clusters"]

from __future__ import annotations

from hostler.config.model import Cluster, Config, Destination, queue
from hostler.server.check import check_prefixes
from hostler.steps import finish


def paths(urls=(), clusters=()):
    return [problem.path for problem in finish(check_prefixes(Config((), tuple(clusters), tuple(urls))))]


def test_good_prefixes():
    assert paths(["http://+:80/", "http://*:80/", "http://a/x", "http://b:0/", "http://b:0/"]) == []
    assert paths(clusters=[Cluster("c", [queue("q", "http://*:80/"), Destination("what", id="d")])]) == []


def test_every_wrong_one_is_found():
    assert paths(["http://a", "nonsense", "http://A:80/", "https://a:80/x"]) == ["Urls", "Urls", "Urls"]
    assert paths(clusters=[Cluster("c", [queue("q", "http://*.com/"), queue("r", "")])]) == [
        "Clusters.c.Destinations.q.Address",
        "Clusters.c.Destinations.r.Address",
    ]

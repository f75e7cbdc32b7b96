"""Whole documents: what is read, and what is read of one that has mistakes."""

from __future__ import annotations

import pytest

from hostler.checking import find_problems
from hostler.config import yarp
from hostler.config.model import (
    AffinityCookie,
    Cluster,
    Config,
    Destination,
    HealthCheck,
    HttpClient,
    HttpRequest,
    PassiveHealthCheck,
    Route,
    SameSite,
    SecurePolicy,
    SessionAffinity,
    VersionPolicy,
    queue,
)
from hostler.errors import ConfigError
from tests.config.yarp.documents import DELEGATING, SHOP


class TestDocuments:
    def test_three_clusters(self):
        assert yarp.loads(SHOP) == Config(
            [
                Route(
                    "/orders/{id:int}/{**rest}",
                    "orders",
                    id="orders",
                    order=10,
                    methods=["GET", "POST"],
                    metadata={"team": "checkout", "tier": "1", "beta": "True"},
                ),
                Route(None, "images", id="images", hosts=["img.example.com", "*.img.example.com:8080"]),
                Route("/admin/{**rest}", "admin", id="admin", max_request_body_size=-1),
            ],
            [
                Cluster(
                    "orders",
                    {
                        "blue": "http://10.0.0.1:8080/",
                        "green": Destination("http://10.0.0.2:8080/", host="orders.internal"),
                    },
                    balance="LeastRequests",
                    affinity=SessionAffinity(
                        "shop.affinity",
                        cookie=AffinityCookie(
                            same_site=SameSite.LAX,
                            secure_policy=SecurePolicy.SAME_AS_REQUEST,
                            max_age=86400.0,
                        ),
                    ),
                    health_check=HealthCheck(passive=PassiveHealthCheck(reactivation_period=120.0)),
                    metadata={"TransportFailureRateHealthPolicy.RateLimit": "0.5"},
                ),
                Cluster(
                    "images",
                    {"only": "https://images.internal/"},
                    http_client=HttpClient(
                        max_connections_per_server=64, dangerous_accept_any_server_certificate=True
                    ),
                    http_request=HttpRequest(
                        activity_timeout=30.0,
                        version="1.1",
                        version_policy=VersionPolicy.REQUEST_VERSION_EXACT,
                    ),
                ),
                Cluster("admin"),
            ],
            ["http://localhost:5000", "http://*:8080/"],
        )

    def test_a_destination_with_a_queue(self):
        assert yarp.loads(DELEGATING).clusters == (
            Cluster(
                "mixed",
                [
                    queue("ReportsQueue", "http://*:80/reports/", id="queue"),
                    Destination("http://10.0.0.9:80/", id="proxied"),
                ],
            ),
        )

    @pytest.mark.parametrize("text", [SHOP, DELEGATING])
    def test_both_can_be_used(self, text):
        assert find_problems(yarp.loads(text)) == []

    @pytest.mark.parametrize(
        "text", ["{}", '{"ReverseProxy": null}', '{"ReverseProxy": {"Routes": []}, "Urls": null}']
    )
    def test_nothing_is_said_is_nothing_configured(self, text):
        assert yarp.loads(text) == Config()


class TestWhatCanBeRead:
    """Of a document with mistakes, the rest is read too, so that everything can be reported at once."""

    def test_without_what_is_wrong(self):
        with pytest.raises(ConfigError) as caught:
            yarp.loads(
                """
                {"ReverseProxy": {
                  "Routes": {
                    "a": {"ClusterId": "c", "Order": "first", "Match": {"Path": "/a", "Method": ["GET"]}},
                    "b": 7
                  },
                  "Clusters": {
                    "c": {"Destinations": {"good": {"Address": "http://a"}, "bad": {"Health": "http://b"}}}
                  }
                }}
                """
            )
        paths = [problem.path for problem in caught.value.problems]
        assert paths == [
            "Routes.a.Order", "Routes.a.Match.Method", "Routes.b", "Clusters.c.Destinations.bad.Address",
        ]  # fmt: skip
        partial = caught.value.partial
        assert [(route.id, route.path, route.order) for route in partial.routes] == [("a", "/a", 0)]
        assert [destination.id for destination in partial.clusters[0].destinations] == ["good"]

    def test_of_no_section_at_all_nothing(self):
        with pytest.raises(ConfigError) as caught:
            yarp.loads('{"ReverseProxy": []}'.replace("[]", "[1]"))
        assert caught.value.partial == Config()

    def test_of_a_document_with_repeated_keys_the_first_of_each(self):
        with pytest.raises(ConfigError) as caught:
            yarp.loads(
                """{"ReverseProxy": {"Routes": {"a": {"ClusterId": "c", "Match": {"Path": "/a"}}, "A": {"Ordr": 1}},
                "Clusters": {"c": {"Ballance": "x"}}}}"""
            )
        assert [problem.path for problem in caught.value.problems] == ["Routes.A", "Clusters.c.Ballance"]
        assert [route.id for route in caught.value.partial.routes] == ["a"]

    @pytest.mark.parametrize("value", ["null", "[]", "{}"])
    def test_an_unknown_key_is_reported_even_when_it_says_nothing(self, value):
        with pytest.raises(ConfigError, match="did you mean Transforms"):
            yarp.loads(
                '{"ReverseProxy": {"Routes": {"a": {"Match": {"Path": "/"}, "Transformss": VALUE}}}}'.replace(
                    "VALUE", value
                )
            )

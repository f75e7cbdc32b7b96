"""The rules: what is refused, where, and with which words."""

from __future__ import annotations

import math

import pytest
from attrs import evolve

from hostler.config.check import Policies, check
from hostler.config.model import (
    ActiveHealthCheck,
    AffinityCookie,
    Cluster,
    Config,
    Destination,
    HeaderMatch,
    HeaderMatchMode,
    HealthCheck,
    HttpClient,
    HttpRequest,
    PassiveHealthCheck,
    QueryMatch,
    QueryMatchMode,
    Route,
    SessionAffinity,
    VersionPolicy,
    WebProxy,
    queue,
)


def of_route(**fields):
    """What is said about one route, by path under it."""
    route = evolve(Route("/", "c", id="r"), **fields)
    return {p.path.removeprefix("Routes.r."): p.message for p in check(Config([route]))}


def of_cluster(*, policies=None, **fields):
    """What is said about one cluster, by path under it."""
    cluster = evolve(Cluster("c", ["http://a/"]), **fields)
    problems = check(Config(clusters=[cluster]), policies=policies or Policies())
    return {p.path.removeprefix("Clusters.c."): p.message for p in problems}


def of_destination(address="http://a/", **fields):
    """What is said about one destination, by path under it."""
    said = of_cluster(destinations=[Destination(address, id="d", **fields)])
    return {path.removeprefix("Destinations.d."): message for path, message in said.items()}


class TestWhole:
    def test_an_empty_configuration_is_fine(self):
        assert check(Config()) == []

    def test_a_usual_configuration_is_fine(self):
        config = Config(
            [Route("/api/{id:int}/{**rest}", "api"), Route(hosts=["*.example.com:8080"], cluster_id="web")],
            [
                Cluster("api", ["http://10.0.0.1:8080", "https://[::1]:8443/base/"], balance="RoundRobin"),
                Cluster("web", [queue("reports", "http://*:80/"), queue("more", "http://+:80/x/")]),
            ],
            ["http://*:8080/", "http://localhost:5000"],
        )
        assert check(config) == []

    def test_any_free_port_may_be_listened_on_and_not_sent_to(self):
        assert check(Config(urls=["http://127.0.0.1:0/", "http://*:0/"])) == []
        config = Config(clusters=[Cluster("web", ["http://a:0/", queue("reports", "http://*:0/")])])
        assert [problem.path.rpartition(".")[2] for problem in check(config)] == ["Address"] * 2

    def test_an_unknown_cluster_is_no_problem_since_its_requests_get_503(self):
        assert check(Config([Route("/", "nowhere"), Route("/x")])) == []

    def test_problems_come_in_document_order(self):
        config = Config(
            [Route("/", id="r2", order=2**31), Route("/{", id="r1")],
            [Cluster("c2", ["ftp://a"]), Cluster("c1", balance="Nope")],
            ["nonsense"],
        )
        assert [problem.path for problem in check(config)] == [
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
        assert [str(problem) for problem in check(config)] == [
            'Routes.API: the id "API" is taken (case does not matter); choose another',
            'Clusters.C: the id "C" is taken (case does not matter); choose another',
            'Clusters.c.Destinations.D: the id "D" is taken (case does not matter); choose another',
        ]

    def test_ids_are_not_empty(self):
        problems = check(Config([Route("/", id="")], [Cluster("")]))
        assert [problem.path for problem in problems] == ["Routes", "Clusters"]


class TestRouteMatch:
    @pytest.mark.parametrize("fields", [{"path": None}, {"path": ""}, {"path": None, "hosts": [""]}])
    def test_needs_a_path_or_hosts(self, fields):
        assert "neither a path nor hosts" in of_route(**fields)["Match"]

    @pytest.mark.parametrize("path", ["/{***a}", "/{", "/}", "/{ab/c}"])
    def test_path_is_a_template(self, path):
        message = of_route(path=path)["Match.Path"]
        assert path in message
        assert "is not a path template" in message

    @pytest.mark.parametrize(
        "host",
        [
            "example.com",
            "example.com:80",
            "\u00fcnicode:443",
            "*.example.com",
            "a-b.b-c.example.com",
            "*",
            "[::1]:80",
        ],
    )
    def test_hosts(self, host):
        assert of_route(hosts=[host]) == {}

    @pytest.mark.parametrize(
        ("host", "why"),
        [
            ("", "is empty"),
            ("XN--nicode-2ya", "punycode"),
            ("http://example.com", "is not a host"),
            ("example.com:0", "is not a host"),
            ("example.com:65536", "is not a host"),
            ("a.*.com", "is not a host"),
        ],
    )
    def test_not_hosts(self, host, why):
        assert why in of_route(hosts=["example.com", host])["Match.Hosts[1]"]

    def test_methods_in_any_case(self):
        assert of_route(methods=["get", "Post", "TRACE"]) == {}

    @pytest.mark.parametrize("method", ["", "gett", "CONNECT"])
    def test_unknown_methods(self, method):
        assert (
            f'"{method}" is not a method; use HEAD, OPTIONS, GET'
            in of_route(methods=[method])["Match.Methods[0]"]
        )

    def test_a_method_stands_once(self):
        assert of_route(methods=["GET", "get"]) == {
            "Match.Methods[1]": '"get" stands more than once; keep one'
        }

    def test_header_conditions(self):
        said = of_route(
            headers=[
                HeaderMatch("", "x"),
                HeaderMatch("a"),
                HeaderMatch("a", [""]),
                HeaderMatch("a", "x", HeaderMatchMode.EXISTS),
                HeaderMatch("a", "x", HeaderMatchMode.NOT_EXISTS),
                HeaderMatch("a", mode=HeaderMatchMode.EXISTS),
            ]
        )
        assert list(said) == [
            "Match.Headers[0].Name",
            "Match.Headers[1].Values",
            "Match.Headers[2].Values",
            "Match.Headers[3].Values",
            "Match.Headers[4].Values",
            "Match.Headers",
        ]
        assert said["Match.Headers[1].Values"] == "ExactHeader needs values to compare with; add one"
        assert said["Match.Headers[4].Values"].startswith("NotExists takes no values")

    def test_query_conditions(self):
        rules = [QueryMatch(""), QueryMatch("q", "1", QueryMatchMode.EXISTS)]
        assert list(of_route(query_parameters=rules)) == [
            "Match.QueryParameters[0].Name",
            "Match.QueryParameters[0].Values",
            "Match.QueryParameters[1].Values",
            "Match.QueryParameters",
        ]


class TestRoute:
    @pytest.mark.parametrize("timeout", [0, -1.0, math.inf, math.nan])
    def test_timeout_is_positive(self, timeout):
        problems = check(Config([Route("/", id="r", timeout=timeout)]))
        assert problems[0].path == "Routes.r.Timeout"
        assert "use more than 0" in problems[0].message

    def test_timeout_and_its_policy_exclude_each_other(self):
        assert "not both" in of_route(timeout=1.0, timeout_policy="Disable")["TimeoutPolicy"]

    @pytest.mark.parametrize("size", [-2, 2**63])
    def test_body_sizes_out_of_range(self, size):
        problems = check(Config([Route("/", id="r", max_request_body_size=size)]))
        assert str(problems[0]).startswith(f"Routes.r.MaxRequestBodySize: {size} is no size")

    def test_order_has_32_bits(self):
        assert of_route(order=-(2**31)) == {}
        assert "Order" in of_route(order=-(2**31) - 1)

    @pytest.mark.parametrize(
        "fields",
        [
            {"authorization_policy": "anonymous"},
            {"rate_limiter_policy": "defaulT"},
            {"rate_limiter_policy": "disAble"},
            {"timeout_policy": "Disable"},
            {"cors_policy": "Disable"},
            {"output_cache_policy": ""},
            {"max_request_body_size": -1},
            {"metadata": {"mine": "anything"}},
        ],
    )
    def test_what_asks_for_nothing_is_fine(self, fields):
        assert of_route(**fields) == {}

    @pytest.mark.parametrize(
        ("key", "fields"),
        [
            ("AuthorizationPolicy", {"authorization_policy": "Default"}),
            ("RateLimiterPolicy", {"rate_limiter_policy": "tenPerSecond"}),
            ("OutputCachePolicy", {"output_cache_policy": "hour"}),
            ("TimeoutPolicy", {"timeout_policy": "long"}),
            ("Timeout", {"timeout": 3.0}),
            ("CorsPolicy", {"cors_policy": "Default"}),
            ("MaxRequestBodySize", {"max_request_body_size": 0}),
            ("Match.Headers", {"headers": [HeaderMatch("a", "1")]}),
            ("Match.QueryParameters", {"query_parameters": [QueryMatch("a", "1")]}),
            ("Transforms", {"transforms": [{}]}),
        ],
    )
    def test_what_is_not_done_yet_is_refused(self, key, fields):
        assert of_route(**fields) == {key: f"not supported yet: {key}; remove it"}


class TestPolicies:
    @pytest.mark.parametrize("name", ["leastrequests", "RANDOM", "", "my.package:pick", "mine:Policy.pick"])
    def test_known_in_any_case_or_imported(self, name):
        assert of_cluster(balance=name) == {}

    def test_a_slip_is_recognised(self):
        assert of_cluster(balance="RoundRobbin") == {
            "LoadBalancingPolicy": '"RoundRobbin" is not a policy that is known here; did you mean RoundRobin?'
        }

    def test_what_is_not_like_any_gets_the_list(self):
        assert of_cluster(balance="x:y:z") == {
            "LoadBalancingPolicy": '"x:y:z" is not a policy that is known here; use FirstAlphabetical, LeastRequests, '
            "PowerOfTwoChoices, Random, RoundRobin, or package.module:name"
        }

    def test_a_program_adds_its_own(self):
        mine = Policies(balance=frozenset({"Mine"}), affinity=frozenset({"Cookie"}))
        affinity = SessionAffinity("key", policy="cookie")
        assert of_cluster(balance="mine", affinity=affinity, policies=mine) == {}

    def test_the_health_policies(self):
        passive = PassiveHealthCheck(policy="Nope")
        health = HealthCheck(passive=passive, available_destinations_policy="HealthyOrPanik")
        said = of_cluster(health_check=health)
        assert list(said) == ["HealthCheck.Passive.Policy", "HealthCheck.AvailableDestinationsPolicy"]
        assert "did you mean HealthyOrPanic?" in said["HealthCheck.AvailableDestinationsPolicy"]


class TestAffinity:
    def test_off_is_not_looked_at(self):
        assert of_cluster(affinity=SessionAffinity("", enabled=False, policy="ArrCookie")) == {}

    def test_needs_a_key(self):
        assert (
            "set Enabled to false"
            in of_cluster(affinity=SessionAffinity())["SessionAffinity.AffinityKeyName"]
        )

    @pytest.mark.parametrize("name", ["a b", "a;b", "a=b", "a\r\n", "größe"])
    def test_key_is_a_cookies_name(self, name):
        said = of_cluster(affinity=SessionAffinity(name))
        assert "is not a cookie's name" in said["SessionAffinity.AffinityKeyName"]
        assert said["SessionAffinity.AffinityKeyName"].isprintable()

    @pytest.mark.parametrize("policy", ["ArrCookie", "Cookie", "CustomHeader"])
    def test_policies_that_come_later(self, policy):
        said = of_cluster(affinity=SessionAffinity("key", policy=policy))
        assert said == {
            "SessionAffinity.Policy": f'not supported yet: Policy "{policy}"; remove it, or use HashCookie'
        }

    def test_unknown_policy(self):
        said = of_cluster(affinity=SessionAffinity("key", policy="HashCooky"))
        assert "did you mean HashCookie?" in said["SessionAffinity.Policy"]

    def test_failure_policies(self):
        assert of_cluster(affinity=SessionAffinity("key", failure_policy="redistribute")) == {}
        assert of_cluster(affinity=SessionAffinity("key", failure_policy="return503error")) == {
            "SessionAffinity.FailurePolicy": 'not supported yet: FailurePolicy "return503error"; '
            "remove it, or use Redistribute"
        }

    def test_a_full_cookie(self):
        cookie = AffinityCookie(path="/app", domain=".example.com", expiration=60.0, max_age=60.0)
        assert of_cluster(affinity=SessionAffinity("key", cookie=cookie)) == {}

    def test_the_cookies_parts(self):
        cookie = AffinityCookie(path="/;x", domain="a b", expiration=0.0, max_age=-1.0)
        assert list(of_cluster(affinity=SessionAffinity("key", cookie=cookie))) == [
            "SessionAffinity.Cookie.Path",
            "SessionAffinity.Cookie.Domain",
            "SessionAffinity.Cookie.Expiration",
            "SessionAffinity.Cookie.MaxAge",
        ]


class TestHealth:
    def test_off_is_not_looked_at(self):
        passive = PassiveHealthCheck(enabled=False, policy="Nope", reactivation_period=0.0)
        active = ActiveHealthCheck(enabled=False, interval=0.0)
        assert of_cluster(health_check=HealthCheck(passive=passive, active=active)) == {}

    def test_times_are_positive(self):
        passive = PassiveHealthCheck(reactivation_period=0.0)
        active = ActiveHealthCheck(interval=0.0, timeout=-1.0)
        assert list(of_cluster(health_check=HealthCheck(passive=passive, active=active))) == [
            "HealthCheck.Passive.ReactivationPeriod",
            "HealthCheck.Active.Interval",
            "HealthCheck.Active.Timeout",
            "HealthCheck.Active.Enabled",
        ]

    @pytest.mark.parametrize("rate", ["0", "1", "0.3", "1e-2"])
    def test_failure_rate(self, rate):
        assert of_cluster(metadata={"TransportFailureRateHealthPolicy.RateLimit": rate}) == {}

    @pytest.mark.parametrize("rate", ["", "1.1", "-0.1", "nan", "half", "0,3"])
    def test_not_a_failure_rate(self, rate):
        key = "TransportFailureRateHealthPolicy.RateLimit"
        assert "from 0 to 1" in of_cluster(metadata={key: rate})[f"Metadata.{key}"]

    def test_failure_threshold(self):
        key = "ConsecutiveFailuresHealthPolicy.Threshold"
        assert of_cluster(metadata={key: "3"}) == {}
        assert "whole number from 1" in of_cluster(metadata={key: "0"})[f"Metadata.{key}"]


class TestDestinations:
    @pytest.mark.parametrize(
        "address", ["http://a", "HTTPS://a.example:8443/base", "http://[::1]:80/", "http://10.0.0.1/"]
    )
    def test_addresses(self, address):
        assert of_destination(address) == {}

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("", "is empty"),
            ("localhost:80", "not an absolute http or https address"),
            ("/path", "not an absolute http or https address"),
            ("http:///path", "not an absolute http or https address"),
            ("ftp://a/", "not an absolute http or https address"),
            ("http://a:0/", "not an absolute http or https address"),
            ("http://a:65536/", "out of range"),
            ("http://[::1/", "is not an address"),
            ("http://a b/", "white space"),
            ("http://a/\r\nx", "white space or control"),
            ("http://größe/", "punycode"),
            ("http://me:secret@a/", "a user"),
            ("http://a/?q", "a query"),
            ("http://a/#f", "a fragment"),
            ("http://*:80/", "only a request queue"),
        ],
    )
    def test_not_addresses(self, address, why):
        assert why in of_destination(address)["Address"]

    def test_health_is_an_address_too(self):
        assert of_destination(health="http://a:81/up") == {}
        assert of_destination(health="") == {}
        assert "absolute" in of_destination(health="/up")["Health"]

    @pytest.mark.parametrize("host", ["a b", "a\r\n", "*.example.com", "größe", "http://a"])
    def test_host_is_one(self, host):
        assert of_destination(host="example.com:80") == {}
        assert "is not a host" in of_destination(host=host)["Host"]

    @pytest.mark.parametrize(
        "prefix", ["http://*:80/", "http://+:80/x/", "https://example.com:443/", "http://größe:80/"]
    )
    def test_a_queue_is_delegated_to_under_a_url_prefix(self, prefix):
        assert of_destination(prefix, metadata={"HttpSysDelegationQueue": "reports"}) == {}

    def test_a_queues_prefix_must_be_one(self):
        assert "absolute" in of_destination("*:80", metadata={"HttpSysDelegationQueue": "reports"})["Address"]

    @pytest.mark.parametrize("name", ["", "a/b", "x" * 261])
    def test_queue_names(self, name):
        said = of_destination("http://*:80/", metadata={"HttpSysDelegationQueue": name})
        assert list(said) == ["Metadata.HttpSysDelegationQueue"]

    def test_a_known_key_in_another_case_would_have_no_effect(self):
        assert of_destination(metadata={"httpSysDelegationQueue": "reports"}) == {
            "Metadata.httpSysDelegationQueue": '"httpSysDelegationQueue" has no effect when spelt so; '
            "write HttpSysDelegationQueue"
        }


class TestHttp:
    def test_what_is_supported(self):
        client = HttpClient(
            dangerous_accept_any_server_certificate=True,
            max_connections_per_server=1,
            enable_multiple_http2_connections=False,
        )
        assert of_cluster(http_client=client) == {}

    def test_connection_limit(self):
        assert (
            "use 1 or more"
            in of_cluster(http_client=HttpClient(max_connections_per_server=0))[
                "HttpClient.MaxConnectionsPerServer"
            ]
        )

    def test_wrong_and_not_supported_yet(self):
        client = HttpClient(
            ssl_protocols=["Tls12", "Tls99"],
            request_header_encoding="utf-99",
            response_header_encoding="a\0",
            web_proxy=WebProxy("proxy:3128"),
        )
        assert list(of_cluster(http_client=client)) == [
            "HttpClient.SslProtocols[1]",
            "HttpClient.RequestHeaderEncoding",
            "HttpClient.ResponseHeaderEncoding",
            "HttpClient.WebProxy.Address",
            "HttpClient.SslProtocols",
            "HttpClient.WebProxy",
        ]

    @pytest.mark.parametrize(
        ("key", "client"),
        [
            ("HttpClient.SslProtocols", HttpClient(ssl_protocols=["tls13"])),
            ("HttpClient.RequestHeaderEncoding", HttpClient(request_header_encoding="utf-8")),
            ("HttpClient.ResponseHeaderEncoding", HttpClient(response_header_encoding="latin1")),
            ("HttpClient.WebProxy", HttpClient(web_proxy=WebProxy("http://proxy:3128"))),
        ],
    )
    def test_client_settings_that_come_later(self, key, client):
        assert of_cluster(http_client=client) == {key: f"not supported yet: {key}; remove it"}

    def test_activity_timeout(self):
        assert "HttpRequest.ActivityTimeout" in of_cluster(http_request=HttpRequest(activity_timeout=0.0))

    def test_version_is_one_of_http(self):
        assert "HttpRequest.Version" in of_cluster(http_request=HttpRequest(version="2.0"))

    @pytest.mark.parametrize("version", ["1.1", "2", "3"])
    def test_or_lower_is_served_as_http_1_1(self, version):
        assert of_cluster(http_request=HttpRequest(version=version)) == {}

    @pytest.mark.parametrize(
        "policy", [VersionPolicy.REQUEST_VERSION_EXACT, VersionPolicy.REQUEST_VERSION_OR_HIGHER]
    )
    def test_http_2_and_3_come_later(self, policy):
        key = "HttpRequest.VersionPolicy"
        later = {key: f"not supported yet: {key}; remove it"}
        assert of_cluster(http_request=HttpRequest(version="1.1", version_policy=policy)) == {}
        assert of_cluster(http_request=HttpRequest(version="2", version_policy=policy)) == later
        assert of_cluster(http_request=HttpRequest(version="3", version_policy=policy)) == later

    def test_buffering_comes_later(self):
        key = "HttpRequest.AllowResponseBuffering"
        said = of_cluster(http_request=HttpRequest(allow_response_buffering=True))
        assert said == {key: f"not supported yet: {key}; remove it"}

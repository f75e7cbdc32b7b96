"""The rules for a route."""

from __future__ import annotations

import math

import pytest

from hostler.config.model import (
    Config,
    HeaderMatch,
    HeaderMatchMode,
    QueryMatch,
    QueryMatchMode,
    Route,
)
from tests.config.checks.saying import check_all, of_route


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
            f'unknown method "{method}"; use HEAD, OPTIONS, GET'
            in of_route(methods=[method])["Match.Methods[0]"]
        )

    def test_a_method_stands_once(self):
        assert of_route(methods=["GET", "get"]) == {
            "Match.Methods[1]": '"get" appears more than once; keep one'
        }

    def test_header_conditions(self):
        said = of_route(
            headers=[
                HeaderMatch("", "x"),
                HeaderMatch("a"),
                HeaderMatch("a", ["b", ""]),
                HeaderMatch("a", "x", HeaderMatchMode.EXISTS),
                HeaderMatch("a", "x", HeaderMatchMode.NOT_EXISTS),
                HeaderMatch("a", mode=HeaderMatchMode.EXISTS),
            ]
        )
        assert list(said) == [
            "Match.Headers[0].Name",
            "Match.Headers[1].Values",
            "Match.Headers[2].Values[1]",
            "Match.Headers[3].Values",
            "Match.Headers[4].Values",
        ]
        assert said["Match.Headers[1].Values"] == "ExactHeader needs values to compare with; add one"
        assert said["Match.Headers[4].Values"].startswith("NotExists takes no values")

    def test_query_conditions(self):
        rules = [QueryMatch(""), QueryMatch("q", "1", QueryMatchMode.EXISTS)]
        assert list(of_route(query_parameters=rules)) == [
            "Match.QueryParameters[0].Name",
            "Match.QueryParameters[0].Values",
            "Match.QueryParameters[1].Values",
        ]


class TestRoute:
    @pytest.mark.parametrize("timeout", [0, -1.0, math.inf, math.nan])
    def test_timeout_is_positive(self, timeout):
        problems = check_all(Config([Route("/", id="r", timeout=timeout)]))
        assert problems[0].path == "Routes.r.Timeout"
        assert "use more than 0" in problems[0].message

    def test_timeout_and_its_policy_exclude_each_other(self):
        assert "not both" in of_route(timeout=1.0, timeout_policy="Disable")["TimeoutPolicy"]

    @pytest.mark.parametrize("size", [-2, 2**63])
    def test_body_sizes_out_of_range(self, size):
        problems = check_all(Config([Route("/", id="r", max_request_body_size=size)]))
        assert str(problems[0]).startswith(f"Routes.r.MaxRequestBodySize: {size} is out of range")

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
            ("OutputCachePolicy", {"output_cache_policy": "hour"}),
        ],
    )
    def test_what_is_not_done_yet_is_refused(self, key, fields):
        assert of_route(**fields) == {key: f"not supported yet: {key}; remove it"}

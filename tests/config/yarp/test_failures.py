"""What is refused: every problem, with its path."""

from __future__ import annotations

import pytest

from hostler.config import yarp
from hostler.config.model import (
    Cluster,
    Config,
)
from tests.config.yarp.documents import refused, section


class TestProblems:
    def test_all_at_once_in_document_order(self):
        document = {
            "Urls": ["http://a"],
            "ReverseProxy": {
                "Routes": {
                    "api": {
                        "Timeout": "soon",
                        "Ordre": 1,
                        "Match": {"Headers": [{"Mode": "Equals"}, None], "Pth": "/"},
                        "ClusterId": {"a": 1},
                    },
                    "list": [1],
                },
                "Clusters": {"c": {"Destinations": {"d1": {"Health": "http://a"}, "d2": "http://a"}}},
            },
        }
        assert refused(document) == [
            'Urls: ["http://a"] is not a string; write the URLs in one, as "http://a;http://b"',
            (
                'Routes.api.Timeout: "soon" is not a time; write "hh:mm:ss", or "d.hh:mm:ss" from 24 hours on '
                "(a bare number is days)"
            ),
            'Routes.api.Ordre: unknown key "Ordre"; did you mean Order?',
            (
                'Routes.api.Match.Headers[0].Mode: unknown value "Equals"; use one of ExactHeader, HeaderPrefix, Contains, NotContains, '
                "Exists, NotExists"
            ),
            "Routes.api.Match.Headers[0].Name: is missing and required; add it",
            "Routes.api.Match.Headers[1]: null is not an object; write {...}",
            'Routes.api.Match.Pth: unknown key "Pth"; did you mean Path?',
            'Routes.api.ClusterId: {"a": 1} is not text; write "..."',
            "Routes.list: [1] is not an object; write {...}",
            "Clusters.c.Destinations.d1.Address: is missing and required; add it",
            'Clusters.c.Destinations.d2: "http://a" is not an object; write {...}',
        ]

    def test_the_document_is_not_an_object(self):
        assert refused([1]) == ['[1] is not a YARP document; expected {"ReverseProxy": {...}}']

    def test_the_section_is_not_an_object(self):
        assert refused({"ReverseProxy": 1}) == ["ReverseProxy: 1 is not an object; write {...}"]

    def test_routes_in_the_old_list_format(self):
        assert refused({"ReverseProxy": {"Routes": [{"RouteId": "a"}]}}) == [
            'Routes: [{"RouteId": "a"}] is not an object; write {"name": ...}'
        ]

    def test_a_route_with_an_id_of_its_own(self):
        [message] = refused(section({"api": {"routeId": "api"}}))
        assert message == (
            "Routes.api.routeId: a route is named by its key in Routes (the list format is gone); remove RouteId"
        )

    def test_sections_at_the_top(self):
        assert refused({"routes": {}, "Clusters": {}}) == [
            'routes: routes is at the top level; move it under "ReverseProxy"',
            'Clusters: Clusters is at the top level; move it under "ReverseProxy"',
        ]
        assert yarp.load({"ReverseProxy": {"Clusters": {"c": {}}}, "Routes": {}}) == Config(
            clusters=[Cluster("c")]
        )

    @pytest.mark.parametrize(("key", "meant"), [("ReverseProxi", "ReverseProxy"), ("Url", "Urls")])
    def test_a_slip_at_the_top(self, key, meant):
        assert refused({key: {}}) == [f'{key}: unknown section "{key}"; did you mean {meant}?']

    def test_a_slip_in_the_section(self):
        assert refused({"ReverseProxy": {"Route": {"a": {}}}}) == [
            'Route: unknown key "Route"; did you mean Routes?'
        ]

    def test_a_key_like_no_other_gets_the_list(self):
        assert refused(section(clusters={"c": {"HttpClient": {"WebProxy": {"Address": "a", "Xyz": 1}}}})) == [
            (
                'Clusters.c.HttpClient.WebProxy.Xyz: unknown key "Xyz"; '
                "remove it, or use one of Address, BypassOnLocal, UseDefaultCredentials"
            )
        ]

    def test_ids_are_keys_and_nothing_else(self):
        assert "unknown key" in refused(section(clusters={"c": {"Id": "d"}}))[0]

    def test_a_key_of_match_beside_it(self):
        assert refused(section({"r": {"Path": "/", "Mtch": 1}})) == [
            'Routes.r.Path: "Path" belongs under Match; move it there',
            'Routes.r.Mtch: unknown key "Mtch"; did you mean Match?',
        ]

    def test_match_is_not_an_object(self):
        assert refused(section({"r": {"Match": "/"}})) == [
            'Routes.r.Match: is not an object; write {"Path": "/..."}'
        ]

    def test_a_key_twice(self):
        assert refused(section({"r": {"Order": 1, "order": 2}})) == [
            "Routes.r.Order: appears more than once (keys are case-insensitive); keep one"
        ]

    def test_a_list_is_expected(self):
        assert refused(section({"r": {"Match": {"Hosts": "a", "Methods": {"first": "GET"}}}})) == [
            'Routes.r.Match.Hosts: "a" is not a list; write [...]',
            'Routes.r.Match.Methods: {"first": "GET"} is not a list; write [...]',
        ]

    def test_long_values_are_cut(self):
        [message] = refused(section({"r": {"Order": "x" * 100}}))
        assert message.startswith('Routes.r.Order: "' + "x" * 56 + "... is not")

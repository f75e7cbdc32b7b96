"""Keys and values as .NET's binder reads them."""

from __future__ import annotations

import pytest

from hostler.config import yarp
from hostler.config.model import (
    ActiveHealthCheck,
    AffinityCookie,
    Cluster,
    Config,
    HashBy,
    HeaderMatch,
    HeaderMatchMode,
    HealthCheck,
    HttpRequest,
    LoadBalancing,
    PassiveHealthCheck,
    QueryMatch,
    QueryMatchMode,
    Route,
    SameSite,
    SecurePolicy,
    SessionAffinity,
)
from tests.config.yarp.documents import load_cluster, load_route, refused, section


class TestKeysAndScalars:
    def test_keys_in_any_case(self):
        document = {
            "REVERSEPROXY": {"routes": {"Api": {"clusterid": "C", "mATCH": {"path": "/"}}}},
            "urls": "http://a",
        }
        assert yarp.load(document) == Config([Route("/", "C", id="Api")], urls=["http://a"])

    def test_the_keys_that_hostler_knows_in_metadata_too(self):
        metadata = {"httpsysdelegationqueue": "q", "Mine": "x"}
        cluster = load_cluster({"Destinations": {"d": {"Address": "http://*:80/", "Metadata": metadata}}})
        assert cluster.destinations[0].metadata == {"HttpSysDelegationQueue": "q", "Mine": "x"}

    def test_null_and_empty_are_absent(self):
        route = {
            "ClusterId": None,
            "Order": None,
            "Match": {"Path": "/", "Hosts": [], "Headers": None},
            "Metadata": {},
        }
        assert load_route(route) == Route("/", id="r")
        assert load_route({"Match": {"Path": "/"}, "Metadata": {"a": None}}).metadata == {}
        assert load_cluster({"Destinations": {"d": None}, "SessionAffinity": {}}) == Cluster("c")

    @pytest.mark.parametrize(("written", "read"), [(7, 7), ("42", 42), (" -3 ", -3), ("+1", 1)])
    def test_whole_numbers(self, written, read):
        assert load_route({"Order": written}).order == read

    @pytest.mark.parametrize("written", [1.5, "1.0", True, "", "0x10", [1], "9" * 20, "\u0661"])
    def test_not_whole_numbers(self, written):
        [message] = refused(section({"r": {"Order": written}}))
        assert message.startswith("Routes.r.Order: ")
        assert message.endswith(" is not an integer; write it without a fraction or an exponent")

    @pytest.mark.parametrize(
        ("written", "read"), [(True, True), ("True", True), (" false ", False), (False, False)]
    )
    def test_booleans(self, written, read):
        assert load_cluster({"HttpRequest": {"AllowResponseBuffering": written}}).http_request == HttpRequest(
            allow_response_buffering=read
        )

    @pytest.mark.parametrize("written", [1, 0, "yes", ""])
    def test_not_booleans(self, written):
        [message] = refused(section(clusters={"c": {"HttpRequest": {"AllowResponseBuffering": written}}}))
        assert "is neither true nor false; write one of them" in message

    @pytest.mark.parametrize(
        ("written", "seconds"),
        [
            ("00:00:30", 30.0),
            ("03:0:00", 10800.0),
            ("1:30", 5400.0),
            ("1.00:00:0", 86400.0),
            ("1.02:03", 93780.0),
            ("1:02:03:04", 93784.0),
            ("00:00:01.5", 1.5),
            ("00:00:00.0000001", 1e-7),
            ("2", 172800.0),
            (2, 172800.0),
            (" 00:00:01 ", 1.0),
            ("-00:00:01", -1.0),
            ("-1.00:00:00.25", -86400.25),
        ],
    )
    def test_times(self, written, seconds):
        assert load_route({"Timeout": written}).timeout == seconds

    @pytest.mark.parametrize(
        "written",
        ["", "24:00:00", "00:60", "00:00:60", "1.5", 1.5, True, "30s", "00:00:00.12345678", "1:2:3:4:5", "٣"],
    )
    def test_not_times(self, written):
        [message] = refused(section({"r": {"Timeout": written}}))
        assert message.startswith("Routes.r.Timeout: ")
        assert 'is not a time; write "hh:mm:ss", or "d.hh:mm:ss" from 24 hours on' in message

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("", "2"),
            ("1", "1.0"),
            ("1.0", "1.0"),
            (1.1, "1.1"),
            ("2", "2"),
            (2, "2"),
            (2.0, "2"),
            ("3.0", "3"),
        ],
    )
    def test_versions_of_http(self, written, read):
        assert load_cluster({"HttpRequest": {"Version": written}}).http_request.version == read

    def test_not_a_version_of_http(self):
        assert refused(section(clusters={"c": {"HttpRequest": {"Version": "4"}}})) == [
            'Clusters.c.HttpRequest.Version: "4" is not a version of HTTP; write one of 1.0, 1.1, 2, 3'
        ]

    def test_enums_in_any_case(self):
        cookie = {"SameSite": "STRICT", "SecurePolicy": "always"}
        affinity = load_cluster({"SessionAffinity": {"AffinityKeyName": "k", "Cookie": cookie}}).affinity
        assert affinity.cookie == AffinityCookie(same_site=SameSite.STRICT, secure_policy=SecurePolicy.ALWAYS)

    def test_numbers_and_booleans_are_text_where_text_is_expected(self):
        assert load_route({"ClusterId": 7, "Metadata": {"a": 0.5, "b": False}}) == Route(
            None, "7", id="r", metadata={"a": "0.5", "b": "False"}
        )

    def test_a_list_that_was_flattened(self):
        headers = {"0": {"Name": "x", "Values": {"10": "c", "0": "a", "2": "b"}}}
        assert load_route({"Match": {"Headers": headers}}).headers == (HeaderMatch("x", ["a", "b", "c"]),)

    def test_header_and_query_conditions(self):
        route = load_route(
            {
                "Match": {
                    "Headers": [
                        {"Name": "a", "Values": ["1"], "Mode": "notcontains", "IsCaseSensitive": "true"}
                    ],
                    "QueryParameters": [{"Name": "b", "Mode": "Exists"}],
                }
            }
        )
        assert route.headers == (HeaderMatch("a", "1", HeaderMatchMode.NOT_CONTAINS, is_case_sensitive=True),)
        assert route.query_parameters == (QueryMatch("b", mode=QueryMatchMode.EXISTS),)

    def test_a_key_within_a_key_as_net_writes_it(self):
        assert load_route({"match:path": "/a", "Match": {"Hosts": ["b"]}}) == Route("/a", id="r", hosts=["b"])

    def test_transforms_are_kept_as_written(self):
        transforms = [{"PathRemovePrefix": "/api"}, {"RequestHeader": "x", "Set": "1"}, {}]
        assert load_route({"Transforms": transforms}).transforms == tuple(transforms)

    @pytest.mark.parametrize("enabled", [{}, {"Enabled": None}, {"Enabled": False}])
    def test_what_is_not_enabled_is_off(self, enabled):
        cluster = load_cluster(
            {
                "SessionAffinity": {"AffinityKeyName": "k", **enabled},
                "HealthCheck": {"Passive": {"Policy": "p", **enabled}, "Active": {"Path": "/up", **enabled}},
            }
        )
        assert cluster.affinity == SessionAffinity("k", enabled=False)
        assert cluster.health_check == HealthCheck(
            passive=PassiveHealthCheck(enabled=False, policy="p"),
            active=ActiveHealthCheck(enabled=False, path="/up"),
        )

    def test_hostlers_own_keys_beside_yarps(self):
        cluster = load_cluster(
            {
                "LoadBalancingPolicy": "ConsistentHash",
                "LoadBalancing": {"HashBy": "pathsegment", "Segment": "2"},
                "SessionAffinity": {"Policy": "Cookie", "SealingKeyFile": "/run/keys"},
                "Destinations": {"a": {"Address": "http://a", "Weight": "3", "Priority": 1}},
            }
        )
        assert cluster.load_balancing == LoadBalancing(HashBy.PATH_SEGMENT, segment=2)
        assert cluster.affinity.sealing_key_file == "/run/keys"
        (destination,) = cluster.destinations
        assert (destination.weight, destination.priority) == (3, 1)

    def test_a_thing_to_hash_by_that_there_is_not(self):
        document = section(clusters={"c": {"LoadBalancing": {"HashBy": "Moon"}}})
        (said,) = refused(document)
        assert said == (
            'Clusters.c.LoadBalancing.HashBy: unknown value "Moon"; '
            "use one of ClientAddress, Cookie, Header, PathSegment"
        )

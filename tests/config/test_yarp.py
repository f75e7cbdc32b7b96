"""YARP documents: what is read, what is refused, and that what is written is read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.config import yarp
from hostler.config.jsonc import read_json
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
    SameSite,
    SecurePolicy,
    SessionAffinity,
    VersionPolicy,
    WebProxy,
    queue,
)
from hostler.documents import find_problems
from hostler.errors import ConfigError

SHOP = """
{
  // what ASP.NET reads itself
  "Logging": { "LogLevel": { "Default": "Information" } },
  "AllowedHosts": "*",
  "Urls": "http://localhost:5000; http://*:8080/;",
  "ReverseProxy": {
    "Routes": {
      "orders": {
        "ClusterId": "orders",
        "Order": 10,
        "Match": { "Path": "/orders/{id:int}/{**rest}", "Methods": [ "GET", "POST" ] },
        "Metadata": { "team": "checkout", "tier": 1, "beta": true },
      },
      "images": {
        "ClusterId": "images",
        "Match": { "Hosts": [ "img.example.com", "*.img.example.com:8080" ] }
      },
      "admin": { "ClusterId": "admin", "Match": { "Path": "/admin/{**rest}" }, "MaxRequestBodySize": -1 }
    },
    "Clusters": {
      "orders": {
        "LoadBalancingPolicy": "LeastRequests",
        "SessionAffinity": {
          "Enabled": true,
          "AffinityKeyName": "shop.affinity",
          "Cookie": { "SameSite": "Lax", "SecurePolicy": "SameAsRequest", "MaxAge": "1.00:00:00" }
        },
        "HealthCheck": {
          "Passive": { "Enabled": "True", "ReactivationPeriod": "00:02:00" } /* no active one */
        },
        "Destinations": {
          "blue": { "Address": "http://10.0.0.1:8080/" },
          "green": { "Address": "http://10.0.0.2:8080/", "Host": "orders.internal" }
        },
        "Metadata": { "TransportFailureRateHealthPolicy.RateLimit": "0.5" }
      },
      "images": {
        "HttpClient": { "MaxConnectionsPerServer": "64", "DangerousAcceptAnyServerCertificate": true },
        "HttpRequest": { "ActivityTimeout": "00:00:30", "Version": "1.1", "VersionPolicy": "requestversionexact" },
        "Destinations": { "only": { "Address": "https://images.internal/" } }
      },
      "admin": {}
    }
  }
}
"""

DELEGATING = """
{
  "ReverseProxy": {
    "Routes": {
      "reports": { "ClusterId": "mixed", "Match": { "Path": "/reports/{**rest}" } }
    },
    "Clusters": {
      "mixed": {
        "Destinations": {
          "queue": {
            "Address": "http://*:80/reports/",
            "Metadata": { "HttpSysDelegationQueue": "ReportsQueue" }
          },
          "proxied": { "Address": "http://10.0.0.9:80/" }
        }
      }
    }
  }
}
"""


def section(routes=None, clusters=None):
    return {"ReverseProxy": {"Routes": routes or {}, "Clusters": clusters or {}}}


def load_route(route):
    return yarp.load(section({"r": route})).routes[0]


def load_cluster(cluster):
    return yarp.load(section(clusters={"c": cluster})).clusters[0]


def refused(document):
    """What is said about a document that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        yarp.load(document)
    return [str(problem) for problem in caught.value.problems]


def refused_text(text):
    try:
        _, problems = read_json(text)
    except ConfigError as error:
        problems = error.problems
    assert problems
    return [str(problem) for problem in problems]


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

    def test_a_file(self, tmp_path):
        path = tmp_path / "appsettings.json"
        path.write_text(SHOP, encoding="utf-8-sig")
        assert yarp.load_file(path) == yarp.loads(SHOP)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            yarp.load_file(tmp_path / "appsettings.json")

    def test_a_file_in_another_encoding(self, tmp_path):
        path = tmp_path / "appsettings.json"
        path.write_bytes('{"Größe": 1}'.encode("latin-1"))
        with pytest.raises(ConfigError, match=r"the file is not UTF-8 \(byte 4\); save it as UTF-8"):
            yarp.load_file(path)


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
        assert message.endswith(" is not a whole number; write one without fraction and exponent")

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
        [("1", "1.0"), ("1.0", "1.0"), (1.1, "1.1"), ("2", "2"), (2, "2"), (2.0, "2"), ("3.0", "3")],
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
            'Routes.api.Ordre: "Ordre" is not a key here; did you mean Order?',
            (
                'Routes.api.Match.Headers[0].Mode: "Equals" is none of ExactHeader, HeaderPrefix, Contains, NotContains, '
                "Exists, NotExists; write one of them"
            ),
            "Routes.api.Match.Headers[0].Name: is missing and required; add it",
            "Routes.api.Match.Headers[1]: null is not an object; write {...}",
            'Routes.api.Match.Pth: "Pth" is not a key here; did you mean Path?',
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
            'routes: routes stands at the top; put it under "ReverseProxy"',
            'Clusters: Clusters stands at the top; put it under "ReverseProxy"',
        ]
        assert yarp.load({"ReverseProxy": {"Clusters": {"c": {}}}, "Routes": {}}) == Config(
            clusters=[Cluster("c")]
        )

    @pytest.mark.parametrize(("key", "meant"), [("ReverseProxi", "ReverseProxy"), ("Url", "Urls")])
    def test_a_slip_at_the_top(self, key, meant):
        assert refused({key: {}}) == [
            f'{key}: "{key}" is not a section that hostler knows; did you mean {meant}?'
        ]

    def test_a_slip_in_the_section(self):
        assert refused({"ReverseProxy": {"Route": {"a": {}}}}) == [
            'Route: "Route" is not a key here; did you mean Routes?'
        ]

    def test_a_key_like_no_other_gets_the_list(self):
        assert refused(section(clusters={"c": {"HttpClient": {"WebProxy": {"Address": "a", "Xyz": 1}}}})) == [
            (
                'Clusters.c.HttpClient.WebProxy.Xyz: "Xyz" is not a key here; '
                "remove it, or use one of Address, BypassOnLocal, UseDefaultCredentials"
            )
        ]

    def test_ids_are_keys_and_nothing_else(self):
        assert "is not a key here" in refused(section(clusters={"c": {"Id": "d"}}))[0]

    def test_a_key_of_match_beside_it(self):
        assert refused(section({"r": {"Path": "/", "Mtch": 1}})) == [
            'Routes.r.Path: "Path" belongs under Match; move it there',
            'Routes.r.Mtch: "Mtch" is not a key here; did you mean Match?',
        ]

    def test_match_is_not_an_object(self):
        assert refused(section({"r": {"Match": "/"}})) == [
            'Routes.r.Match: is not an object; write {"Path": "/..."}'
        ]

    def test_a_key_twice(self):
        assert refused(section({"r": {"Order": 1, "order": 2}})) == [
            "Routes.r.Order: stands more than once (case does not matter); keep one"
        ]

    def test_a_list_is_expected(self):
        assert refused(section({"r": {"Match": {"Hosts": "a", "Methods": {"first": "GET"}}}})) == [
            'Routes.r.Match.Hosts: "a" is not a list; write [...]',
            'Routes.r.Match.Methods: {"first": "GET"} is not a list; write [...]',
        ]

    def test_long_values_are_cut(self):
        [message] = refused(section({"r": {"Order": "x" * 100}}))
        assert message.startswith('Routes.r.Order: "' + "x" * 56 + "... is not")


class TestJson:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('\ufeff{"a": 1}', {"a": 1}),
            ("// first\n[1, // one\n 2 /* two */, /* three\n */ ]", [1, 2]),
            ('{"a": [1, 2,], "b": {"c": 3 , } , }', {"a": [1, 2], "b": {"c": 3}}),
            ('"http://a/*b*/,]"', "http://a/*b*/,]"),
            (r'["\"// ,]", "\\", "/*"]', ['"// ,]', "\\", "/*"]),
            ("[/**/1/***/]//", [1]),
        ],
    )
    def test_what_is_read(self, text, value):
        assert read_json(text) == (value, [])

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("", "line 1, column 1"),
            ("[1, 2", "line 1, column 6"),
            ('{\n  "a": 1\n  "b": 2\n}', "line 3, column 3"),
            ("/* one\ntwo */ [1 // three\n x]", "line 3, column 2"),
            ("\ufeffx", "line 1, column 1"),
            ("[1]\n  /* never", "line 2, column 3"),
            ("[,]", "line 1, column 2"),
            ("{,}", "line 1, column 2"),
            ('"abc // def', "line 1, column 1"),
            ("[1 /x]", "line 1, column 4"),
        ],
    )
    def test_a_mistake_is_placed(self, text, where):
        [message] = refused_text(text)
        assert message.startswith(f"{where}: not JSON: ")

    @pytest.mark.parametrize("text", ["[1,,]", "[1,/**/,]", '{"a":,}', '{"a":1,,}', ",]"])
    def test_a_trailing_comma_follows_a_value(self, text):
        assert "not JSON" in refused_text(text)[0]

    @pytest.mark.parametrize(
        ("text", "why"),
        [("[NaN]", "NaN is not a number"), ("[" * 100_000, ""), ("9" * 5000, "limit")],
    )
    def test_what_python_would_read_or_choke_on(self, text, why):
        [message] = refused_text(text)
        assert message.startswith("the document is not JSON that can be read: ")
        assert why in message

    def test_repeated_keys_are_named_with_their_place(self):
        text = '{"ReverseProxy": {"Routes": {"a": {"x": 1, "X": 2}}}, "l": [{"k": 1, "k": {"z": 1, "z": 2}}], "L": 1}'
        ending = "stands more than once in one object (case does not matter); keep one"
        assert refused_text(text) == [
            f'Routes.a.X: "X" {ending}',
            f'l[0].k: "k" {ending}',
            f'L: "L" {ending}',
        ]

    def test_a_deep_document_is_no_trap(self):
        depth = 500
        assert refused_text('{"a": 1, "A": 2, "b": ' + "[" * depth + "]" * depth + "}")[0].startswith("A: ")

    @pytest.mark.parametrize("piece", ['"\\"', "/*", ",", ", ", "[", '"', "//"])
    def test_reading_takes_time_in_proportion(self, piece):
        refused_text(piece * 100_000)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text('a"\\/*,[]{}: \n')
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('b"\\/*,]}'), inner),
)
SPACE = st.sampled_from(["", " ", "\n", "// }],\n", '/* " ] , // */', "/*\n*/\r\n"])


@st.composite
def decorated(draw, value):
    """Write a value as JSON with comments and trailing commas wherever they may stand."""
    if isinstance(value, list | dict):
        opening, closing = "[]" if isinstance(value, list) else "{}"
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        items = [
            ("" if key is None else json.dumps(key) + draw(SPACE) + ":") + draw(decorated(item))
            for key, item in pairs
        ]
        last = draw(st.sampled_from(["", ","])) + draw(SPACE) if items else ""
        text = opening + draw(SPACE) + ",".join(items) + last + closing
    else:
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return draw(SPACE) + text + draw(SPACE)


@given(st.data(), JSON)
def test_comments_and_trailing_commas_never_change_the_meaning(data, value):
    assert read_json(data.draw(decorated(value))) == (value, [])


@given(st.text('"\\/*,[]{}:1\n '))
def test_any_text_is_json_or_a_configuration_error(text):
    try:
        plain = json.loads(text)
    except ValueError:
        plain = None
    try:
        value, repeated = read_json(text)
    except ConfigError:
        assert plain is None
    else:
        assert plain is None or repeated or value == plain


TEXT = st.text(max_size=8)
MAYBE = st.none() | TEXT
SECONDS = st.integers(-(10**13), 10**13).map(lambda ticks: ticks / 10**7)
TEXTS = st.lists(TEXT, max_size=3)
METADATA = st.dictionaries(TEXT, TEXT, max_size=3)
AFFINITY = st.builds(
    SessionAffinity,
    TEXT,
    enabled=st.booleans(),
    policy=TEXT,
    failure_policy=TEXT,
    cookie=st.builds(
        AffinityCookie,
        path=TEXT,
        domain=MAYBE,
        http_only=st.booleans(),
        secure_policy=st.sampled_from(SecurePolicy),
        same_site=st.sampled_from(SameSite),
        expiration=st.none() | SECONDS,
        max_age=st.none() | SECONDS,
        is_essential=st.booleans(),
    ),
)
HEALTH = st.builds(
    HealthCheck,
    passive=st.builds(PassiveHealthCheck, enabled=st.booleans(), policy=TEXT, reactivation_period=SECONDS),
    active=st.builds(
        ActiveHealthCheck,
        enabled=st.booleans(),
        interval=SECONDS,
        timeout=SECONDS,
        policy=TEXT,
        path=MAYBE,
        query=MAYBE,
    ),
    available_destinations_policy=TEXT,
)
CLIENT = st.builds(
    HttpClient,
    ssl_protocols=TEXTS,
    dangerous_accept_any_server_certificate=st.booleans(),
    max_connections_per_server=st.none() | st.integers(-(2**31), 2**31),
    enable_multiple_http2_connections=st.booleans(),
    request_header_encoding=MAYBE,
    response_header_encoding=MAYBE,
    web_proxy=st.none() | st.builds(WebProxy, TEXT, st.booleans(), st.booleans()),
)
REQUEST = st.builds(
    HttpRequest,
    activity_timeout=SECONDS,
    version=st.sampled_from(["1.0", "1.1", "2", "3"]),
    version_policy=st.sampled_from(VersionPolicy),
    allow_response_buffering=st.booleans(),
)
DESTINATION = st.builds(Destination, TEXT, id=TEXT, health=MAYBE, host=MAYBE, metadata=METADATA)
CLUSTER = st.builds(
    Cluster,
    TEXT,
    st.lists(DESTINATION, max_size=3, unique_by=lambda destination: destination.id),
    balance=TEXT,
    affinity=st.none() | AFFINITY,
    health_check=HEALTH,
    http_client=CLIENT,
    http_request=REQUEST,
    metadata=METADATA,
)
ROUTE = st.builds(
    Route,
    MAYBE,
    MAYBE,
    id=TEXT,
    hosts=TEXTS,
    methods=TEXTS,
    headers=st.lists(
        st.builds(HeaderMatch, TEXT, TEXTS, st.sampled_from(HeaderMatchMode), st.booleans()), max_size=2
    ),
    query_parameters=st.lists(
        st.builds(QueryMatch, TEXT, TEXTS, st.sampled_from(QueryMatchMode), st.booleans()), max_size=2
    ),
    order=st.integers(-(2**31), 2**31),
    max_request_body_size=st.none() | st.integers(-1, 2**62),
    authorization_policy=MAYBE,
    timeout=st.none() | SECONDS,
    cors_policy=MAYBE,
    metadata=METADATA,
    transforms=st.lists(METADATA, max_size=2),
)


class TestDump:
    @given(st.lists(ROUTE, max_size=3, unique_by=lambda route: route.id))
    def test_routes_are_read_back(self, routes):
        config = Config(routes)
        assert yarp.load(json.loads(json.dumps(yarp.dump(config)))) == config

    @given(st.lists(CLUSTER, max_size=2, unique_by=lambda cluster: cluster.id))
    def test_clusters_are_read_back(self, clusters):
        config = Config(clusters=clusters, urls=["http://a", "http://b"])
        assert yarp.load(json.loads(json.dumps(yarp.dump(config)))) == config

    def test_says_what_is_not_yarps_default(self):
        config = Config(
            [Route("/api/{**rest}", "api", id="api", timeout=1.5)],
            [Cluster("api", {"d1": "http://a/"}, affinity=SessionAffinity("key")), Cluster("none")],
            ["http://a", "http://b"],
        )
        assert yarp.dump(config) == {
            "Urls": "http://a;http://b",
            "ReverseProxy": {
                "Routes": {
                    "api": {
                        "ClusterId": "api",
                        "Match": {"Path": "/api/{**rest}"},
                        "Timeout": "00:00:01.5000000",
                    }
                },
                "Clusters": {
                    "api": {
                        "Destinations": {"d1": {"Address": "http://a/"}},
                        "SessionAffinity": {"Enabled": True, "AffinityKeyName": "key"},
                    },
                    "none": {},
                },
            },
        }

    def test_seconds_given_as_whole_numbers_are_not_taken_for_days(self):
        config = Config(
            [Route("/", id="r", timeout=30)], [Cluster("c", http_request=HttpRequest(activity_timeout=30))]
        )
        assert yarp.load(yarp.dump(config)) == config

    @pytest.mark.parametrize("text", [SHOP, DELEGATING])
    def test_documents_are_read_back(self, text):
        config = yarp.loads(text)
        assert yarp.loads(json.dumps(yarp.dump(config))) == config


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

"""What is written is read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler import (
    ConcurrencyDefinition,
    Definitions,
    RateLimiterDefinition,
    RedisDefinition,
    TimeoutDefinition,
)
from hostler.config import yarp
from hostler.config.limits import RateLimitAlgorithm, RedisWhenDown
from hostler.config.model import (
    ActiveHealthCheck,
    AffinityCookie,
    Cluster,
    Config,
    Destination,
    HashBy,
    HeaderMatch,
    HeaderMatchMode,
    HealthCheck,
    HttpClient,
    HttpRequest,
    LoadBalancing,
    PassiveHealthCheck,
    QueryMatch,
    QueryMatchMode,
    Route,
    SameSite,
    SecurePolicy,
    SessionAffinity,
    VersionPolicy,
    WebProxy,
)
from hostler.config.transforms import request_transform
from hostler.errors import ConfigError
from tests.config.yarp.documents import DELEGATING, SHOP

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
    sealing_key_file=MAYBE,
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
NUMBER = st.integers(-(2**31), 2**31)
DESTINATION = st.builds(
    Destination, TEXT, id=TEXT, health=MAYBE, host=MAYBE, weight=NUMBER, priority=NUMBER, metadata=METADATA
)
BALANCING = st.builds(LoadBalancing, st.sampled_from(HashBy), TEXT, NUMBER)
INTEGERS = st.integers(-(2**31), 2**31)
SECTION_NAME = st.text(min_size=1, max_size=8)
CONCURRENCY = st.builds(ConcurrencyDefinition, INTEGERS, queue_limit=INTEGERS, queue_timeout=SECONDS)
DEFINITIONS = st.builds(
    Definitions,
    timeouts=st.dictionaries(SECTION_NAME, st.builds(TimeoutDefinition, SECONDS, INTEGERS), max_size=2),
    rate_limiters=st.dictionaries(
        SECTION_NAME,
        st.builds(
            RateLimiterDefinition,
            INTEGERS,
            SECONDS,
            algorithm=st.sampled_from(RateLimitAlgorithm),
            partition_by=TEXT,
            header=TEXT,
            ipv6_prefix_length=INTEGERS,
            max_keys=INTEGERS,
            redis=st.none()
            | st.builds(RedisDefinition, TEXT, timeout=SECONDS, when_down=st.sampled_from(RedisWhenDown)),
        ),
        max_size=2,
    ),
    concurrency=st.dictionaries(SECTION_NAME, CONCURRENCY, max_size=2),
)
CLUSTER = st.builds(
    Cluster,
    TEXT,
    st.lists(DESTINATION, max_size=3, unique_by=lambda destination: destination.id),
    balance=TEXT,
    load_balancing=BALANCING,
    affinity=st.none() | AFFINITY,
    health_check=HEALTH,
    http_client=CLIENT,
    destination_concurrency=st.none() | CONCURRENCY,
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
    concurrency_policy=MAYBE,
    rate_limiter_policy=MAYBE,
    timeout_policy=MAYBE,
    metadata=METADATA,
    transforms=st.lists(METADATA, max_size=2),
)


class TestDump:
    @given(DEFINITIONS)
    def test_definitions_are_read_back(self, definitions):
        config = Config(definitions=definitions)
        assert yarp.load(json.loads(json.dumps(yarp.dump(config)))) == config

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


def test_a_function_cannot_be_written():
    route = Route("/", "c", id="r", transforms=[request_transform(repr)])
    with pytest.raises(ConfigError, match="the function repr cannot be written"):
        yarp.dump(Config([route]))

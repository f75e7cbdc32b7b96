"""What must not stand in the way of responses that the server keeps."""

import pytest

from hostler import Cluster, Config, InMemorySource, Mirror, Route, queue
from hostler.config.model import HeaderMatch, SessionAffinity
from hostler.config.transforms import request_transform
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.errors import ConfigError, Severity
from hostler.pipeline import for_routes
from hostler.policies import Policies
from hostler.proxy import Proxy
from tests.config.checks.saying import check_all


def said(*others, cluster=None, path="/{**rest}", **fields):
    """Return what is said of a route's `ResponseCaching`."""
    route = Route(path, "c", id="r", response_caching=True, **fields)
    config = Config([route, *others], [Cluster("c", **({"destinations": ["http://a"]} | (cluster or {})))])
    return [problem for problem in check_all(config) if problem.path == "Routes.r.ResponseCaching"]


@pytest.mark.parametrize(
    ("fields", "begins"),
    [
        (
            {"authorization_policy": "staff"},
            'AuthorizationPolicy: "staff" guards requests, and a request that the server',
        ),
        ({"rate_limiter_policy": "slow"}, 'RateLimiterPolicy: "slow" counts requests'),
        ({"concurrency_policy": "few"}, 'ConcurrencyPolicy: "few" counts requests'),
        ({"cors_policy": "pages"}, 'CorsPolicy: "pages" answers by the origin of requests'),
        ({"mirror": Mirror("c")}, "Mirror: copies requests"),
        ({"headers": [HeaderMatch("x", "1")]}, "Match.Headers: decides by headers"),
        (
            {"cluster": {"affinity": SessionAffinity(enabled=True, key_name="k")}},
            'ClusterId: cluster "c" has SessionAff',
        ),
    ],
)
def test_what_stands_in_the_way_is_named(fields, begins):
    [problem] = said(**fields)
    assert problem.severity is Severity.ERROR
    assert problem.message.startswith(begins)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"authorization_policy": "Anonymous"},
        {"rate_limiter_policy": "Disable", "concurrency_policy": "disable", "cors_policy": "Disable"},
        {"timeout": 1.0},
        {"cluster": {"affinity": SessionAffinity(enabled=False)}},
    ],
)
def test_what_asks_for_nothing_does_not(fields):
    assert said(**fields) == []


@pytest.mark.parametrize(
    ("other", "meets"),
    [
        (Route("/{**rest}", "c", id="o"), False),
        (Route("/{**rest}", "c", id="o", headers=[HeaderMatch("x", "1")]), True),
        (Route("/a/{id}", "c", id="o", headers=[HeaderMatch("x", "1")]), True),
        (Route("/A", "c", id="o", headers=[HeaderMatch("x", "1")]), True),
        (Route("/b/{id}", "c", id="o", headers=[HeaderMatch("x", "1")]), False),
        (Route("/a/b/{**rest}", "c", id="o", headers=[HeaderMatch("x", "1")]), True),
        (Route("/{**rest}", "c", id="o", order=1, headers=[HeaderMatch("x", "1")]), False),
        (Route("/{**rest}", "c", id="o", hosts=["b.example"], headers=[HeaderMatch("x", "1")]), False),
        (Route("/{**rest}", "c", id="o", hosts=["*.example"], headers=[HeaderMatch("x", "1")]), True),
    ],
)
def test_a_route_that_goes_by_headers_must_not_share_urls(other, meets):
    problems = said(other, path="/a/{id?}", hosts=["a.example"])
    assert ["route o has Match.Headers" in problem.message for problem in problems] == (
        [True] if meets else []
    )


def test_what_is_delegated_is_up_to_who_answers():
    [problem] = said(cluster={"destinations": [queue("q", "http://*:80/")]})
    assert problem.severity is Severity.WARNING
    assert "does nothing for what is delegated" in problem.message


def proxy(*stages):
    return Proxy(
        [Route("/{**rest}", "c", id="r", response_caching=True)],
        [Cluster("c", ["http://a"])],
        pipeline=[*stages, *DEFAULT_PIPELINE],
    )


def test_a_stage_of_the_users_own_is_named():
    def audit(exchange, onward):
        return onward(exchange)

    with pytest.raises(ConfigError, match=r"Routes\.r\.ResponseCaching: the stage audit concerns the route"):
        proxy(audit)


def test_a_stage_of_the_users_own_is_named_whatever_an_update_comes_from():
    def audit(exchange, onward):
        return onward(exchange)

    source = InMemorySource(Config())
    followed = Proxy.from_sources([source], pipeline=[audit, *DEFAULT_PIPELINE])
    with pytest.raises(ConfigError, match=r"Routes\.r\.ResponseCaching: the stage audit concerns the route"):
        followed.update(proxy().config)


def test_a_transform_that_the_users_own_code_makes_is_named():
    def sign(transform):
        return [request_transform(lambda context: None)]

    source = Config(
        [
            Route(
                "/{**rest}",
                "c",
                id="r",
                response_caching=True,
                transforms=[{"pathprefix": "/a"}, {"sign": "x"}],
            )
        ],
        [Cluster("c", ["http://a"])],
    )
    with pytest.raises(
        ConfigError, match=r"Routes\.r\.ResponseCaching: Transforms: your own code makes Sign of a tra"
    ):
        Proxy.from_config(source, policies=Policies(transforms={"Sign": sign}))


def test_a_stage_that_leaves_the_route_out_is_none():
    @for_routes(lambda route: route.id == "another")
    def audit(exchange, onward):
        return onward(exchange)

    assert proxy(audit).config.routes[0].response_caching


def test_a_pipeline_without_the_stage_is_refused():
    with pytest.raises(ConfigError, match="the stage cache does, which the pipeline does not have"):
        Proxy(
            [Route("/{**rest}", "c", id="r", response_caching=True)],
            [Cluster("c", ["http://a"])],
            pipeline=DEFAULT_PIPELINE[-1:],
        )

"""What is said of transforms that do nothing, or nothing for what is delegated."""

from __future__ import annotations

import pytest

from hostler import Cluster, Config, Route, queue, request_transform, response_transform
from hostler.errors import Severity
from hostler.steps import finish
from hostler.transforms.warnings import find_transform_warnings, find_undelegated_requests

FORWARDED, DELEGATED = Cluster("f", ["http://a"]), Cluster("d", [queue("q", "http://a/")])
QUEUES = 'cluster "d" has request queues'


def warnings(transforms, cluster="f", path="/a/{b}/{**rest}"):
    config = Config([Route(path, cluster, id="r", transforms=transforms)], [FORWARDED, DELEGATED])
    found = finish(find_transform_warnings(config))
    assert all(problem.severity is Severity.WARNING for problem in found)
    return [(problem.path, problem.message) for problem in found]


@pytest.mark.parametrize(
    ("transform", "key"),
    [
        ({"QueryRouteParameter": "q", "Set": "c"}, "Set"),
        ({"RequestHeaderRouteValue": "q", "append": "c"}, "append"),
        ({"PathPattern": "/{B}/{c}/{d?}"}, "PathPattern"),
    ],
)
def test_a_route_value_that_the_route_does_not_have(transform, key):
    message = 'the route\'s path has no parameter "c", so that nothing is written for it; it has b, rest'
    assert warnings([transform]) == [(f"Routes.r.Transforms[0].{key}", message)]


def test_route_values_that_the_route_has():
    transforms = [
        {"QueryRouteParameter": "q", "Set": "REST"},
        {"PathPattern": "/{B}/{c?}/{**rest}"},
        {"RequestHeader": "X", "Set": "c"},
    ]
    assert warnings(transforms) == []
    assert warnings([{"QueryRouteParameter": "q", "Set": "catchall"}], path=None) == []


def test_what_does_not_hold_for_what_is_delegated():
    transforms = [
        {"PathPrefix": "/a"},
        {"RequestHeader": "host", "Set": "x"},
        {"ResponseHeader": "A", "Append": "1", "When": "Always"},
        {"ResponseHeader": "A", "Append": "1"},
        {"ResponseTrailerRemove": "A"},
        request_transform(repr),
        response_transform(repr),
    ]
    assert warnings(transforms) == []
    answers = (
        "does not hold for what is delegated: its answer does not come this way, so that a header can only be added to it "
        f"(Append, When: Always), and {QUEUES}"
    )
    assert warnings(transforms, "d") == [
        ("Routes.r.Transforms[1]", f"does not hold for what is delegated: Host stays as the client asked for it, and {QUEUES}"),
        ("Routes.r.Transforms[3]", answers),
        ("Routes.r.Transforms[4]", answers),
        ("Routes.r.Transforms[6]", f"repr is not called for what is delegated: its answer does not come this way, and {QUEUES}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("transforms", "cluster", "said"),
    [
        ([{"PathPrefix": "/a"}], "d", True),
        ([{"RequestHeadersCopy": "false"}], "d", True),
        ([{"ResponseHeader": "A", "Set": "1"}], "d", False),
        ([{"PathPrefix": "/a"}], "f", False),
        ([], "d", False),
    ],
)
def test_a_server_that_hands_over_what_came_says_which_routes_want_more(transforms, cluster, said):
    config = Config([Route("/", cluster, id="r", transforms=transforms)], [FORWARDED, DELEGATED])
    found = [str(problem) for problem in find_undelegated_requests(config, {})]
    message = f"warning: Routes.r.Transforms: do not hold for what is delegated: HTTP.sys hands over the request as it came, and {QUEUES}"
    assert found == [message] * said

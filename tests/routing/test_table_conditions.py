"""The table with conditions on headers and the query: who wins, 404 or 405, preflights, and what a look-up costs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostler.config.model import HeaderMatch, HeaderMatchMode, QueryMatch, QueryMatchMode, Route
from hostler.fleet import LiveRoute
from hostler.routing.candidate import Candidate
from hostler.routing.table import Match, Miss, MissKind, Table
from hostler.routing.template import Template
from hostler.testing import exchange

NOT_FOUND, NOT_ALLOWED, AMBIGUOUS = MissKind.NOT_FOUND, MissKind.METHOD_NOT_ALLOWED, MissKind.AMBIGUOUS


def route(path=None, name=None, **rules):
    config = Route(path, "cluster", **({"id": name} if name else {}), **rules)
    return LiveRoute(config.id, config)


def look_up(table, target="/", method="GET", headers=(), host="example.com"):
    request = exchange(method, target, headers=headers, host=host)
    return table.find(method, request.host, request.port, request.path, request)


def find(table, *args, **rules):
    found = look_up(table, *args, **rules)
    return found.route.id if isinstance(found, Match) else found.kind


def tenant(value, name=None, **rules):
    return route("/a", name or value, headers=[HeaderMatch("X-Tenant", value)], **rules)


class TestPrecedence:
    """YARP's: order, path, method, host, headers, query."""

    def test_a_route_with_conditions_comes_before_one_without(self):
        table = Table([route("/a", "plain"), tenant("red"), tenant("blue")])
        assert find(table, "/a", headers=[("x-tenant", "red")]) == "red"
        assert find(table, "/a", headers=[("x-tenant", "blue")]) == "blue"
        assert find(table, "/a", headers=[("x-tenant", "green")]) == "plain"

    def test_more_conditions_on_headers_beat_fewer_whatever_they_are(self):
        many = [
            HeaderMatch("b", mode=HeaderMatchMode.EXISTS),
            HeaderMatch("c", mode=HeaderMatchMode.NOT_EXISTS),
        ]
        table = Table([route("/a", "one", headers=[HeaderMatch("b", "1")]), route("/a", "two", headers=many)])
        assert find(table, "/a", headers=[("b", "1")]) == "two"
        assert find(table, "/a", headers=[("b", "1"), ("c", "1")]) == "one"

    def test_more_conditions_on_the_query_beat_fewer(self):
        exists = [QueryMatch(name, mode=QueryMatchMode.EXISTS) for name in "bc"]
        table = Table(
            [
                route("/a", "one", query_parameters=exists[:1]),
                route("/a", "two", query_parameters=exists),
                route("/a", "none"),
            ]
        )
        assert find(table, "/a?b=1") == "one"
        assert find(table, "/a?b=1&c=1") == "two"
        assert find(table, "/a?c=1") == "none"

    @pytest.mark.parametrize(
        ("better", "worse"),
        [
            ({"order": -1}, {"path": "/a"}),
            ({"path": "/a"}, {"path": "/{p}", "methods": ["GET"]}),
            ({"path": "/a", "methods": ["GET"]}, {"path": "/a", "hosts": ["h"]}),
            ({"path": "/a", "hosts": ["h"]}, {"path": "/a", "headers": 2}),
            ({"path": "/a", "headers": 2}, {"path": "/a", "headers": 1, "query_parameters": 3}),
            ({"path": "/a", "headers": 1}, {"path": "/a", "query_parameters": 3}),
            ({"path": "/a", "query_parameters": 3}, {"path": "/a", "query_parameters": 2}),
            ({"path": "/a", "query_parameters": 1}, {"path": "/a"}),
        ],
    )
    def test_each_place_in_the_order_counts_more_than_those_behind_it(self, better, worse):
        def made(name, rules):
            rules = dict(rules)
            headers = [HeaderMatch(f"h{n}", "1") for n in range(rules.pop("headers", 0))]
            query = [QueryMatch(f"q{n}", "1") for n in range(rules.pop("query_parameters", 0))]
            return route(rules.pop("path", None), name, headers=headers, query_parameters=query, **rules)

        for routes in (
            [made("better", better), made("worse", worse)],
            [made("worse", worse), made("better", better)],
        ):
            headers = [(f"h{n}", "1") for n in range(3)]
            assert find(Table([*routes]), "/a?q0=1&q1=1&q2=1", headers=headers, host="h") == "better"

    def test_equal_rank_is_an_error_that_names_the_routes_where_both_match(self):
        table = Table(
            [
                route("/a", "x", headers=[HeaderMatch("x", "1", HeaderMatchMode.HEADER_PREFIX)]),
                route("/a", "y", headers=[HeaderMatch("y", ["1", "2"])]),
            ]
        )
        assert find(table, "/a", headers=[("x", "1")]) == "x"
        assert find(table, "/a", headers=[("y", "2, 1")]) == "y"
        miss = look_up(table, "/a", headers=[("x", "1"), ("y", "1")])
        assert isinstance(miss, Miss)
        assert (miss.status, sorted(miss.routes)) == (500, ["x", "y"])

    def test_a_better_route_whose_conditions_fail_hides_nothing(self):
        table = Table(
            [route("/a", "first", order=-1, headers=[HeaderMatch("x", "1")]), route("/{p}", "last")]
        )
        assert find(table, "/a") == "last"

    def test_every_condition_must_hold(self):
        rules = {
            "headers": [HeaderMatch("x", "1"), HeaderMatch("y", "1")],
            "query_parameters": [QueryMatch("q", "1")],
        }
        table = Table([route("/a", "it", **rules)])
        both = [("x", "1"), ("y", "1")]
        assert find(table, "/a?q=1", headers=both) == "it"
        assert find(table, "/a", headers=both) is NOT_FOUND
        assert find(table, "/a?q=1", headers=both[:1]) is NOT_FOUND

    def test_case_counts_where_a_condition_says_so(self):
        table = Table([route("/a", "it", headers=[HeaderMatch("x", ["Ab", "c"], is_case_sensitive=True)])])
        assert find(table, "/a", headers=[("x", "Ab")]) == "it"
        assert find(table, "/a", headers=[("x", "ab")]) is NOT_FOUND

    def test_a_value_that_is_sent_twice_finds_one_route(self):
        assert (
            find(Table([tenant("red")]), "/a", headers=[("x-tenant", "red,RED, red"), ("x-tenant", "red")])
            == "red"
        )


class TestWithoutARoute:
    """405 is for methods alone: conditions are asked of what the method has left (HttpMethodMatcherPolicy)."""

    exact = HeaderMatch("x", "1")
    exists = HeaderMatch("x", mode=HeaderMatchMode.EXISTS)

    @pytest.mark.parametrize("condition", [exact, exists])
    def test_a_method_that_no_route_has_is_405_whatever_the_conditions_say(self, condition):
        table = Table(
            [
                route("/a", "get", methods=["GET"], headers=[condition]),
                route("/a", "put", methods=["PUT"]),
            ]
        )
        for headers in ((), [("x", "1")]):
            miss = look_up(table, "/a", "POST", headers=headers)
            assert isinstance(miss, Miss)
            assert (miss.status, miss.allow) == (405, ("GET", "PUT"))

    @pytest.mark.parametrize("condition", [exact, exists])
    def test_a_condition_that_fails_is_404(self, condition):
        table = Table(
            [
                route("/a", "get", methods=["GET"], headers=[condition]),
                route("/a", "put", methods=["PUT"]),
            ]
        )
        assert find(table, "/a") is NOT_FOUND
        assert find(table, "/a", "PUT") == "put"

    @pytest.mark.parametrize("condition", [exact, exists])
    def test_so_it_is_where_a_route_takes_any_method(self, condition):
        table = Table([route("/a", "any", headers=[condition]), route("/a", "put", methods=["PUT"])])
        assert find(table, "/a", "POST") is NOT_FOUND

    def test_a_constraint_that_fails_leaves_no_method_to_allow(self):
        table = Table([route("/{n:int}", "it", methods=["GET"], headers=[self.exact])])
        assert find(table, "/x", "POST") is NOT_FOUND
        assert find(table, "/1", "POST") is NOT_ALLOWED


ASKING = [("Origin", "https://page.example"), ("Access-Control-Request-Method", "PUT")]


class TestPreflights:
    """Of a CORS preflight, the method that it asks about counts (HttpMethodMatcherPolicy; ProxyEndpointFactory)."""

    def test_a_route_with_a_policy_takes_those_for_its_methods(self):
        table = Table([route("/a", "it", methods=["PUT"], cors_policy="ours")])
        assert find(table, "/a", "OPTIONS", headers=ASKING) == "it"
        assert find(table, "/a", "PUT", headers=ASKING) == "it"

    @pytest.mark.parametrize("policy", ["Default", "ours", "Disable"])
    def test_disable_is_a_policy_too_which_answers_that_nothing_is_allowed(self, policy):
        assert (
            find(Table([route("/a", "it", methods=["PUT"], cors_policy=policy)]), "/a", "OPTIONS", ASKING)
            == "it"
        )

    @pytest.mark.parametrize("policy", [None, ""])
    def test_without_a_policy_it_is_a_request_like_any_other(self, policy):
        table = Table([route("/a", "it", methods=["PUT"], cors_policy=policy)])
        assert find(table, "/a", "OPTIONS", headers=ASKING) is NOT_ALLOWED

    def test_a_method_that_none_has_is_404_not_405(self):
        table = Table([route("/a", "it", methods=["GET"], cors_policy="ours")])
        assert find(table, "/a", "OPTIONS", headers=ASKING) is NOT_FOUND

    @pytest.mark.parametrize(
        "headers", [(), ASKING[:1], ASKING[1:], [*ASKING[:1], ("Access-Control-Request-Method", "")]]
    )
    def test_an_options_request_that_is_no_preflight_is_itself(self, headers):
        table = Table([route("/a", "it", methods=["PUT"], cors_policy="ours")])
        assert find(table, "/a", "OPTIONS", headers=headers) is NOT_ALLOWED

    def test_the_routes_without_a_policy_do_not_take_it(self):
        table = Table(
            [
                route("/a", "options", methods=["OPTIONS"]),
                route("/a", "any"),
                route("/a", "it", methods=["PUT"], cors_policy="ours", order=9),
            ]
        )
        assert find(table, "/a", "OPTIONS", headers=ASKING) == "it"
        assert find(table, "/a", "OPTIONS") == "options"

    def test_they_do_where_no_route_with_methods_has_one(self):
        table = Table([route("/a", "options", methods=["OPTIONS"]), route("/a", "any", cors_policy="ours")])
        assert find(table, "/a", "OPTIONS", headers=ASKING) == "options"
        assert find(Table([route("/a", "any", cors_policy="ours")]), "/a", "OPTIONS", headers=ASKING) == "any"

    def test_a_route_for_any_method_with_a_policy_takes_what_is_left(self):
        table = Table(
            [route("/a", "get", methods=["GET"], cors_policy="ours"), route("/a", "any", cors_policy="ours")]
        )
        assert find(table, "/a", "OPTIONS", headers=ASKING) == "any"

    def test_a_route_that_lists_options_itself_is_asked_for_the_method_all_the_same(self):
        table = Table([route("/a", "it", methods=["OPTIONS"], cors_policy="ours")])
        assert find(table, "/a", "OPTIONS", headers=ASKING) is NOT_FOUND
        assert find(table, "/a", "OPTIONS") == "it"

    def test_conditions_and_constraints_hold_for_them_too(self):
        table = Table(
            [
                route(
                    "/{n:int}", "red", methods=["PUT"], cors_policy="ours", headers=[HeaderMatch("x", "red")]
                ),
                route(
                    "/{n:int}",
                    "blue",
                    methods=["PUT"],
                    cors_policy="ours",
                    headers=[HeaderMatch("x", "blue")],
                ),
                route("/{name}", "options", methods=["OPTIONS"]),
            ]
        )
        assert find(table, "/1", "OPTIONS", headers=[*ASKING, ("x", "blue")]) == "blue"
        assert find(table, "/1", "OPTIONS", headers=ASKING) is NOT_FOUND
        assert find(table, "/x", "OPTIONS", headers=ASKING) == "options"


# -- against a naive matcher ------------------------------------------------------------------------------------------

PATHS = ["/a", "/{p}", "/{p:int}", "/{**rest}", "/a/{p?}"]
HEADER_RULES = st.one_of(
    st.builds(
        HeaderMatch,
        st.sampled_from(["x", "Y", "cookie"]),
        st.lists(st.sampled_from(["a", "B", "ab"]), min_size=1, max_size=2, unique=True),
        st.sampled_from([mode for mode in HeaderMatchMode if "EXISTS" not in mode.name]),
        st.booleans(),
    ),
    st.builds(
        HeaderMatch,
        st.sampled_from(["x", "Y"]),
        st.just(()),
        st.sampled_from([HeaderMatchMode.EXISTS, HeaderMatchMode.NOT_EXISTS]),
    ),
)
QUERY_RULES = st.builds(
    QueryMatch,
    st.sampled_from(["q", "R"]),
    st.lists(st.sampled_from(["a", "B", "ab"]), min_size=1, max_size=2, unique=True),
    st.sampled_from([mode for mode in QueryMatchMode if mode is not QueryMatchMode.EXISTS]),
    st.booleans(),
)
ROUTES = st.builds(
    dict,
    path=st.sampled_from(PATHS),
    order=st.sampled_from([0, 0, 0, 1]),
    methods=st.sampled_from([(), (), ("GET",), ("PUT", "GET"), ("OPTIONS",)]),
    hosts=st.sampled_from([(), (), ("h",), ("*.h", "h")]),
    headers=st.lists(HEADER_RULES, max_size=2),
    query_parameters=st.lists(QUERY_RULES, max_size=2),
    cors_policy=st.sampled_from([None, None, "ours"]),
)
VALUES = st.sampled_from(["a", "b", "B", "ab", "", "a, b", "b; ab", '"ab"', "zab"])
REQUESTS = st.builds(
    dict,
    method=st.sampled_from(["GET", "PUT", "POST", "OPTIONS"]),
    path=st.sampled_from(["/a", "/7", "/x", "/a/b", "/"]),
    query=st.lists(
        st.tuples(st.sampled_from(["q", "Q", "r"]), st.sampled_from(["a", "b", "AB", ""])), max_size=3
    ),
    headers=st.lists(st.tuples(st.sampled_from(["X", "y", "Cookie"]), VALUES), max_size=3),
    host=st.sampled_from(["h", "s.h", "other"]),
    preflight=st.sampled_from([None, "GET", "PUT"]),
)


def naive_value(rule, values, *, split):
    """Judge a condition by the values of its header or parameter, in the plainest words."""
    mode = rule.mode.value.removesuffix("Header").removeprefix("Header")
    fold = str if rule.is_case_sensitive else str.upper
    if split and mode in {"Exact", "Prefix"}:
        tokens = [token.lstrip(" ") for value in values for token in value.split(split)]
        values = [
            token[1:-1] if token[:1] == token[-1:] == '"' and len(token) > 1 else token for token in tokens
        ]
    wanted = [fold(value) for value in rule.values]
    values = [fold(value) for value in values]
    pairs = [(value, part) for value in values for part in wanted]
    return {
        "Exact": any(value == part for value, part in pairs),
        "Prefix": any(value.startswith(part) for value, part in pairs),
        "Contains": any(part in value for value, part in pairs),
        "NotContains": not any(part in value for value, part in pairs),
        "Exists": values not in ([], [""]),
        "NotExists": values in ([], [""]),
    }[mode]


def naive_conditions(config, request):
    for rule in config.headers:
        values = [value for name, value in request["headers"] if name.lower() == rule.name.lower()]
        if not naive_value(rule, values, split=";" if rule.name.lower() == "cookie" else ","):
            return False
    for rule in config.query_parameters:
        values = [value for name, value in request["query"] if name.lower() == rule.name.lower()]
        if not naive_value(rule, values, split=""):
            return False
    return True


def naive_host(hosts, host):
    """Return the rank of the best of a route's hosts that a request's is one of; None when it is none of them."""
    if not hosts:
        return 2, 0
    fitting = [(0, 0) for one in hosts if one == host]
    fitting += [(1, -len(one)) for one in hosts if one[0] == "*" and host.endswith(one[1:])]
    return min(fitting, default=None)


def naive(configs, request):
    """Find the ids of the routes of the smallest rank, or the status: every route is looked at, rule by rule."""
    fitting = []
    for config in configs:
        host = naive_host(config.hosts, request["host"])
        template = Template.parse(config.path)
        if host is not None and template.match(request["path"]) is not None:
            rank = (config.order, template.precedence, not config.methods, host, -len(config.headers),
                    -len(config.query_parameters))  # fmt: skip
            fitting.append((rank, config))
    asks = request["preflight"] if request["method"] == "OPTIONS" else None
    if asks and any(config.cors_policy and config.methods for _, config in fitting):
        admitted = [
            (rank, config)
            for rank, config in fitting
            if config.cors_policy and (not config.methods or asks in config.methods)
        ]
    else:
        asks = None
        admitted = [pair for pair in fitting if not pair[1].methods or request["method"] in pair[1].methods]
    matching = [(rank, config.id) for rank, config in admitted if naive_conditions(config, request)]
    if matching:
        best = min(matching)[0]
        return sorted(name for rank, name in matching if rank == best)
    return 405 if fitting and not admitted and asks is None else 404


@settings(max_examples=600)
@given(st.lists(ROUTES, max_size=6), REQUESTS)
def test_the_table_agrees_with_a_naive_matcher(routes, request):
    configs = [Route(cluster_id="c", id=str(number), **rules) for number, rules in enumerate(routes)]
    headers = list(request["headers"])
    if request["preflight"]:
        headers += [("Origin", "https://o"), ("Access-Control-Request-Method", request["preflight"])]
    target = request["path"] + "?" + "&".join(f"{name}={value}" for name, value in request["query"])
    table = Table([LiveRoute(config.id, config) for config in configs])
    found = look_up(table, target, request["method"], headers, request["host"])
    expected = naive(configs, request)
    if isinstance(found, Match):
        assert [found.route.id] == expected
    elif found.kind is AMBIGUOUS:
        assert len(expected) > 1
        assert sorted(found.routes) == expected
    else:
        assert found.status == expected


# -- what a look-up costs ---------------------------------------------------------------------------------------------


@pytest.fixture
def tested(monkeypatch):
    """The candidates that are tested, one by one."""
    seen = []
    accepts = Candidate.accepts

    def counted(candidate, pieces, end, subjects):
        seen.append(candidate)
        return accepts(candidate, pieces, end, subjects)

    monkeypatch.setattr(Candidate, "accepts", counted)
    return seen


@pytest.mark.parametrize("count", [10, 10_000])
def test_routes_that_differ_in_a_header_only_are_not_looked_at_one_by_one(tested, count):
    table = Table([route("/a", "plain"), *(tenant(f"tenant{number}") for number in range(count))])
    assert find(table, "/a", headers=[("x-tenant", "TENANT7")]) == "tenant7"
    assert find(table, "/a", headers=[("x-tenant", "nobody")]) == "plain"
    assert find(table, "/a") == "plain"
    assert len(tested) <= 4


@pytest.mark.parametrize("count", [10, 10_000])
def test_so_it_is_for_the_query_and_for_what_no_route_takes(tested, count):
    table = Table(
        [
            route(
                "/{n:int}", f"{number}", methods=["GET"], query_parameters=[QueryMatch("page", f"{number}")]
            )
            for number in range(count)
        ]
    )
    assert find(table, "/1?page=7") == "7"
    assert find(table, "/1?page=none") is NOT_FOUND
    assert find(table, "/1?page=7", "POST") is NOT_ALLOWED
    assert len(tested) <= 2


def test_routes_are_found_by_the_rarest_of_their_values(tested):
    table = Table(
        [
            route(
                "/a",
                f"{n}",
                headers=[HeaderMatch("env", "prod"), HeaderMatch("org", [f"org{n}", f"alias{n}"])],
            )
            for n in range(1000)
        ]
    )
    assert find(table, "/a", headers=[("env", "prod"), ("org", "alias500")]) == "500"
    assert len(tested) <= 2


@pytest.mark.parametrize("count", [10, 10_000])
def test_ten_thousand_routes_cost_no_more_steps_than_ten(tested, count):
    """Over a tenth as many hosts, half of them with conditions."""
    hosts = count // 10
    table = Table(
        [
            route(
                f"/section{number // hosts}/{{**rest}}",
                f"{number}",
                hosts=[f"shop{number % hosts}.example.com"],
                headers=[HeaderMatch("x", "1")] if number % 2 else (),
            )
            for number in range(count)
        ]
    )
    for number in (0, 1, count - 1):
        tested.clear()
        target = f"/section{number // hosts}/items/7"
        host = f"shop{number % hosts}.example.com"
        assert find(table, target, headers=[("x", "1")], host=host) == f"{number}"
        assert len(tested) <= 1


class Unasked:
    """A head that nobody may look at."""

    def header_values(self, name):
        raise AssertionError("the headers were looked at")

    @property
    def target(self):
        raise AssertionError("the query was looked at")


def test_headers_are_not_looked_at_where_no_candidate_has_conditions():
    table = Table(
        [
            tenant("red"),
            route("/a/b", "post", methods=["POST"], cors_policy="ours"),
            route("/{**rest}", "plain"),
            route("/{**others}", "later", order=1),
        ]
    )
    assert isinstance(table.find("GET", "h", 80, "/b", Unasked()), Match)
    assert isinstance(table.find("GET", "h", 80, "/a/b", Unasked()), Match)
    assert table.find("POST", "h", 80, "/a/b", Unasked()).route.id == "post"
    with pytest.raises(AssertionError, match="headers were looked at"):
        table.find("GET", "h", 80, "/a", Unasked())

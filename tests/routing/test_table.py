"""The table: which route a request takes, and why another does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.config.model import Route
from hostler.fleet import LiveRoute
from hostler.routing.candidate import Candidate
from hostler.routing.pattern import TemplateError
from hostler.routing.table import MAX_NAMED, Match, Miss, MissKind, Table
from hostler.routing.template import Template


def route(path=None, name=None, **rules):
    config = Route(path, "cluster", **({"id": name} if name else {}), **rules)
    return LiveRoute(config.id, config)


def find(table, path="/", method="GET", host="example.com", port=80):
    found = table.find(method, host, port, path)
    return found.route.id if isinstance(found, Match) else found.kind


NOT_FOUND, NOT_ALLOWED, AMBIGUOUS = MissKind.NOT_FOUND, MissKind.METHOD_NOT_ALLOWED, MissKind.AMBIGUOUS


def test_an_empty_table_finds_nothing():
    miss = Table([]).find("GET", "example.com", 80, "/")
    assert isinstance(miss, Miss)
    assert (miss.kind, miss.status) == (NOT_FOUND, 404)


def test_a_route_without_a_path_takes_every_path():
    table = Table([route(name="all", hosts=["example.com"])])
    assert [find(table, path) for path in ("", "/", "/a", "//", "/a//b/")] == ["all"] * 5


def test_values_keep_the_spelling_of_the_request():
    found = Table([route("/Api/{id:int}/{*rest}")]).find("GET", "h", 80, "/aPI/7/Some/%2FThing/")
    assert isinstance(found, Match)
    assert dict(found.values("/aPI/7/Some/%2FThing/")) == {"id": "7", "rest": "Some/%2FThing/"}


def test_a_match_without_parameters_has_no_values():
    found = Table([route("/a")]).find("GET", "h", 80, "/a")
    assert isinstance(found, Match)
    assert dict(found.values("/a")) == {}


def test_a_path_that_is_no_template_is_refused():
    with pytest.raises(TemplateError, match="unclosed brace at 1"):
        Table([route("/{")])


class TestPath:
    table = Table(
        map(
            route,
            ["/{**all}", "/{*all:nonfile}", "/{p}", "/{p:int}", "/a", "/a/{p?}", "/a/b", "/a/{p}/c", "/a/x{p}y",
             "/{p}/b/d"],
        )
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/", "/{*all:nonfile}"),
            ("/x", "/{p}"),
            ("/x.js", "/{p}"),
            ("/7", "/{p:int}"),
            ("/A/", "/a"),
            ("/a/b", "/a/b"),
            ("/a/bc", "/a/{p?}"),
            ("/a/xzy", "/a/x{p}y"),
            ("/a/b/c", "/a/{p}/c"),
            ("/a/b/d", "/{p}/b/d"),
            ("/a/b/e", "/{*all:nonfile}"),
            ("/a/b/e.js", "/{**all}"),
        ],
    )
    def test_the_most_specific_path_wins(self, path, expected):
        assert find(self.table, path) == expected

    def test_order_comes_before_path(self):
        table = Table([route("/a", order=1), route("/{**all}"), route("/b", order=-1)])
        assert find(table, "/a") == "/{**all}"
        assert find(table, "/b") == "/b"

    def test_a_constraint_that_fails_leaves_the_next_route(self):
        table = Table([route("/{p:int}", order=-1), route("/{p}")])
        assert find(table, "/x") == "/{p}"

    def test_defaults_and_an_absent_catch_all_are_found_at_the_shorter_paths(self):
        table = Table([route("/a/{b=x}/{c=y}/{**d}")])
        found = table.find("GET", "h", 80, "/a")
        assert isinstance(found, Match)
        assert dict(found.values("/a")) == {"b": "x", "c": "y", "d": ""}
        assert find(table, "/") is NOT_FOUND


class TestMethod:
    table = Table(
        [route("/a", "get", methods=["get", "PUT"]), route("/a", "any"), route("/b", "b1", methods=["GET"]),
         route("/{p}", "p", methods=["DELETE", "OPTIONS"]), route("/{p:int}/c", "c", methods=["PUT"])]
    )  # fmt: skip

    def test_a_route_with_methods_comes_before_one_without(self):
        assert find(self.table, "/a") == "get"
        assert find(self.table, "/a", "POST") == "any"

    def test_the_method_chooses_among_all_paths_that_fit(self):
        assert find(self.table, "/b", "DELETE") == "p"

    def test_get_does_not_stand_for_head(self):
        assert find(self.table, "/b", "HEAD") is NOT_ALLOWED

    def test_a_request_s_method_is_case_sensitive(self):
        assert find(self.table, "/b", "get") is NOT_ALLOWED

    def test_a_refusal_tells_every_method_that_the_path_has(self):
        miss = self.table.find("POST", "h", 80, "/b")
        assert isinstance(miss, Miss)
        assert (miss.status, miss.allow) == (405, ("DELETE", "GET", "OPTIONS"))

    def test_a_path_that_fails_a_constraint_is_not_found_whatever_the_method(self):
        assert find(self.table, "/x/c", "POST") is NOT_FOUND
        assert find(self.table, "/1/c", "POST") is NOT_ALLOWED


class TestHost:
    table = Table(
        [
            route("/a", "none"),
            route("/a", "any:81", hosts=["*:81"]),
            route("/a", "wild", hosts=["*.example.com"]),
            route("/a", "wild.eu", hosts=["*.eu.Example.com"]),
            route("/a", "exact", hosts=["Example.com", "www.example.com"]),
            route("/a", "exact:8080", hosts=["example.com:8080"]),
            route("/a", "v6", hosts=["[0:0::1]:80"]),
            route("/a", "unicode", hosts=["*.bücher.example", "Bücher.example:443"]),
            route("/only", "only", hosts=["only.example"]),
        ]
    )

    @pytest.mark.parametrize(
        ("host", "port", "expected"),
        [
            ("example.com", 80, "exact"),
            ("example.com", 8080, "exact:8080"),
            ("example.com", 81, "exact"),
            ("www.example.com", 80, "exact"),
            ("foo.example.com", 80, "wild"),
            ("a.b.example.com", 80, "wild"),
            ("a.eu.example.com", 80, "wild.eu"),
            ("eu.example.com", 80, "wild"),
            ("fooexample.com", 80, "none"),
            ("other.com", 81, "any:81"),
            ("other.com", 80, "none"),
            ("[::1]", 80, "v6"),
            ("[::1]", 8000, "none"),
            ("xn--bcher-kva.example", 443, "unicode"),
            ("a.xn--bcher-kva.example", 80, "unicode"),
            ("xn--bcher-kva.example", 80, "none"),
            ("", 80, "none"),
        ],
    )
    def test_the_most_specific_host_wins(self, host, port, expected):
        assert find(self.table, "/a", host=host, port=port) == expected

    def test_a_wildcard_does_not_take_the_bare_domain(self):
        assert find(Table([route(hosts=["*.example.com"])]), host="example.com") is NOT_FOUND

    def test_another_host_is_not_found(self):
        assert find(self.table, "/only", host="only.example") == "only"
        assert find(self.table, "/only", host="example.com") is NOT_FOUND

    @pytest.mark.parametrize("host", ["only.example.", "ONLY.example.:80", "*.only.example."])
    def test_a_route_s_host_may_end_in_the_dot_of_the_root(self, host):
        table = Table([route(name="it", hosts=[host])])
        assert find(table, host="a.only.example" if "*" in host else "only.example") == "it"

    def test_methods_count_more_than_hosts_and_paths_more_than_both(self):
        table = Table(
            [route("/a", "host", hosts=["h"]), route("/a", "method", methods=["GET"]),
             route("/{p}", "both", hosts=["h"], methods=["GET"])]
        )  # fmt: skip
        assert find(table, "/a", host="h") == "method"
        assert find(table, "/a", "PUT", host="h") == "host"

    def test_a_route_that_a_host_finds_twice_is_one_route(self):
        table = Table([route(name="one", hosts=["a.example.com", "A.example.com", "*.example.com", "*"])])
        assert find(table, host="a.example.com") == "one"


class TestAmbiguity:
    def test_the_routes_of_one_rank_are_named(self):
        routes = [route("/{a}", "one"), route("/{b}", "two"), route("/{**c}", "rest"), route("/{c}", "three")]
        miss = Table(routes).find("GET", "h", 80, "/x")
        assert isinstance(miss, Miss)
        assert (miss.status, miss.routes) == (500, ("one", "two", "three"))

    def test_a_route_that_several_hosts_find_is_named_once(self):
        table = Table([route("/{a}", "one", hosts=["h"]), route("/{b}", "two", hosts=["h", "H"])])
        miss = table.find("GET", "h", 80, "/x")
        assert isinstance(miss, Miss)
        assert miss.routes == ("one", "two")

    def test_of_very_many_only_some_are_named(self):
        miss = Table([route("/{a}", str(number)) for number in range(1000)]).find("GET", "h", 80, "/x")
        assert isinstance(miss, Miss)
        assert miss.routes == tuple(map(str, range(MAX_NAMED + 1)))

    def test_it_shows_only_where_both_match(self):
        table = Table(
            [route("/{a:int}", "int"), route("/{a:alpha}", "alpha"), route("/{a:length(2)}", "two")]
        )
        assert find(table, "/5") == "int"
        assert find(table, "/abc") == "alpha"
        assert find(table, "/55") is AMBIGUOUS

    def test_a_better_route_hides_it(self):
        table = Table([route("/{a}", "one"), route("/{b}", "two"), route("/x", "x")])
        assert find(table, "/x") == "x"
        assert find(table, "/y") is AMBIGUOUS

    def test_different_methods_are_different_routes(self):
        table = Table([route("/a", "get", methods=["GET"]), route("/a", "put", methods=["PUT"])])
        assert [find(table, "/a", method) for method in ("GET", "PUT", "POST")] == ["get", "put", NOT_ALLOWED]

    def test_different_orders_settle_it(self):
        assert find(Table([route("/{a}", "late", order=2), route("/{a}", "early", order=1)]), "/x") == "early"


TEMPLATES = [
    "/", "/a", "/a/b", "/{p}", "/{p:int}", "/a/{p?}", "/{p}/b", "/{p=a}/{q=b}", "/x{p}", "/a/{**r}", "/{**r}",
    "/{p}.{q?}", "/{p:alpha}/{*r:nonfile}",
]  # fmt: skip
PATHS = st.lists(st.sampled_from(["a", "b", "x1", "7", "", "c.d", "A"]), max_size=4).map(
    lambda p: "/" + "/".join(p)
)


@given(st.lists(st.sampled_from(TEMPLATES), unique=True), PATHS)
def test_the_table_agrees_with_its_templates_one_by_one(templates, path):
    fitting = sorted(
        (t.precedence, t.text) for t in map(Template.parse, templates) if t.match(path) is not None
    )
    found = Table(map(route, templates)).find("GET", "h", 80, path)
    if isinstance(found, Match):
        assert (Template.parse(found.route.config.path).precedence, found.route.config.path) == fitting[0]
        assert dict(found.values(path)) == Template.parse(found.route.config.path).match(path)
        assert len(fitting) == 1 or fitting[0][0] < fitting[1][0]
    elif fitting:
        assert found.kind is AMBIGUOUS
        assert fitting[0][0] == fitting[1][0]
    else:
        assert found.kind is NOT_FOUND


def test_ten_thousand_routes_are_not_looked_at_one_by_one(monkeypatch):
    table = Table(
        route(path, f"{number}{path}", hosts=hosts)
        for number in range(2500)
        for hosts in ((), (f"shop{number}.example.com",))
        for path in (f"/section{number}/items/{{id:int}}", f"/section{number}/{{**rest}}")
    )
    looked_at = []
    accepts = Candidate.accepts

    def counted(candidate, pieces, end, subjects):
        looked_at.append(candidate)
        return accepts(candidate, pieces, end, subjects)

    monkeypatch.setattr(Candidate, "accepts", counted)
    for number in (0, 1234, 2499):
        for host in ("example.com", f"shop{number}.example.com"):
            looked_at.clear()
            found = table.find("GET", host, 80, f"/section{number}/items/7")
            assert found.route.config.path == f"/section{number}/items/{{id:int}}"
            assert found.route.config.hosts == (() if host == "example.com" else (host,))
            assert len(looked_at) <= 4
    assert isinstance(table.find("GET", "example.com", 80, "/section2500/items/7"), Miss)

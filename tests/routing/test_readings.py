"""Paths that a destination may take for others: which readings there are, and when a path is refused for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.config.model import HeaderMatch, QueryMatch, Route
from hostler.errors import ProtocolError
from hostler.fleet import LiveRoute
from hostler.http.target import parse_target
from hostler.routing.readings import READINGS, find_conflict
from hostler.routing.table import Match, Table
from hostler.server.placing import make_exchange
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.testing import FakeStream, exchange

GUARDED = ("/admin/{**rest}", "/{**rest}")


def table(*paths):
    return Table([LiveRoute(path, Route(path, "c", id=path), None) for path in paths])


def conflict(path, *routes):
    return find_conflict(exchange("GET", path), table(*routes or GUARDED))


def readings(path):
    target = parse_target("GET", path.encode())
    return {target.path, *(reading.read(target) for reading in READINGS)}


class TestReadings:
    def test_there_are_at_most_eight_with_the_proxy_s_own(self):
        assert len(READINGS) + 1 <= 8

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/a/b", {"/a/b"}),
            ("/a;x=1/b;y", {"/a;x=1/b;y"}),
            ("//a///b//", {"//a///b//", "/a/b/"}),
            ("/x/..//a", {"//a", "/a"}),
            ("/a%2fb", {"/a%2Fb", "/a/b"}),
            ("/a%2f/b", {"/a%2F/b", "/a//b", "/a/b"}),
            ("/a%252fb", {"/a%2fb", "/a/b"}),
            ("/x/%252e%252E/a", {"/x/%2e%2E/a", "/a"}),
            ("/a%5Cb", {"/a\\b", "/a/b"}),
            ("/a%255cb", {"/a%5cb", "/a\\b", "/a/b"}),
            ("/x/..;/a", {"/x/..;/a", "/a"}),
            ("/x/.;v=1/a", {"/x/.;v=1/a", "/x/a"}),
            ("/x/%2e%2e%3bv=1/a", {"/x/..;v=1/a", "/a"}),
            ("/a/..;", {"/a/..;", "/"}),
            ("/..;/a", {"/..;/a", None}),
            ("/a/%252e%252e/%252e%252e", {"/a/%2e%2e/%2e%2e", None}),
            ("/100%25", {"/100%"}),
            ("/caf%C3%A9%2F%ff", {"/café%2F\udcff", "/café/\udcff"}),
        ],
    )
    def test_each_of_a_path(self, path, expected):
        assert readings(path) == expected


class TestConflicts:
    @pytest.mark.parametrize(
        "path",
        ["//admin/s", "/x/..//admin/s", "/admin%2fs", "/admin%2Fs", "/x/..;/admin/s", "/x/..;v=1/admin/s",
         "/admin%5cs", "/admin%252fs", "/admin%255Cs", "/x/%252e%252e/admin/s", "/.;/admin/s", "/x/%2e%2e;/admin/s",
         "/%2fadmin/s", "/%5cadmin/s", "///admin", "/%2561dmin/s", "/y/x%2f/%252e%252e/%252e%252e/admin"],
    )  # fmt: skip
    def test_a_way_around_a_guard(self, path):
        assert "route /admin/{**rest}" in conflict(path)

    @pytest.mark.parametrize(
        "path",
        [
            "/a%2fb",
            "//a//b",
            "/a%5Cb",
            "/100%25",
            "/a/..;/b",
            "/admin//s",
            "/admin/a%2Fb",
            "/ADMIN//x%252f",
            "/a;/admin",
        ],
    )
    def test_readings_that_lead_to_the_same_route(self, path):
        assert conflict(path) is None

    @pytest.mark.parametrize("path", ["/..;/manager/html", "/x/..;/..;/y", "/%252e%252e/y", "/..;"])
    def test_a_reading_above_the_root_leaves_every_route(self, path):
        assert "it climbs above the root" in conflict(path, "/{**rest}")

    def test_no_route_is_a_different_route(self):
        assert "leads to no route; with " in conflict("//a", "/a")
        assert "leads to route /{name}; with " in conflict("/a%2Fb", "/{name}")
        assert conflict("/a%2Fb", "/other") is None

    def test_the_method_and_the_host_are_the_request_s(self):
        routes = [
            LiveRoute("put", Route("/admin", "c", id="put", methods=["PUT"]), None),
            LiveRoute("host", Route("/admin", "c", id="host", hosts=["h.example"]), None),
            LiveRoute("all", Route("/{**rest}", "c", id="all"), None),
        ]
        found = Table(routes)
        assert find_conflict(exchange("GET", "//admin"), found) is None
        assert "route put" in find_conflict(exchange("PUT", "//admin"), found)
        assert "route host" in find_conflict(exchange("GET", "//admin", host="h.example"), found)

    def test_conditions_are_judged_by_the_request_s_headers_and_query(self):
        routes = [
            Route("/admin/{**rest}", "c", id="guarded", headers=[HeaderMatch("X-Staff", "yes")]),
            Route("/admin/{**rest}", "c", id="asked", query_parameters=[QueryMatch("as", "staff")]),
            Route("/{**rest}", "c", id="all"),
        ]
        found = Table([LiveRoute(route.id, route, None) for route in routes])
        assert find_conflict(exchange("GET", "//admin/s"), found) is None
        staff = [("x-staff", "yes")]
        assert "leads to route guarded" in find_conflict(exchange("GET", "//admin/s", headers=staff), found)
        assert "leads to route asked" in find_conflict(exchange("GET", "/admin%2Fs?as=staff"), found)

    def test_the_sentence_names_the_path_as_it_stands_and_as_it_may_be_read(self):
        assert conflict("/x/..;/admin/s") == (
            "GET '/x/..;/admin/s' leads to route /{**rest}; with parameters of dot segments dropped, as Tomcat does, "
            "it is '/admin/s' and leads to route /admin/{**rest}"
        )


class Under:
    """Places by URL prefixes, as the user-mode server does."""

    def __init__(self, *prefixes):
        self.table = PrefixTable()
        for prefix in prefixes:
            self.table.add(UrlPrefix.parse(prefix))

    def place(self, scheme, host, server, path):
        match = self.table.match(scheme, host, server[1], server[0], path)
        if match is None:
            raise ProtocolError("no prefix", 404)
        return match.path_base, match.path


class TestPrefixes:
    def conflict(self, path, *prefixes):
        made = exchange("GET", path)
        placed = make_exchange(made.request, FakeStream(), Under(*prefixes), made.client, made.server, "http")
        return find_conflict(placed, table(*GUARDED))

    def test_the_whole_path_is_read_and_not_what_is_under_the_prefix(self):
        assert self.conflict("/app/..;/admin", "http://*:80/app/").endswith("leads to no route")
        assert self.conflict("/app/x/..;/admin", "http://*:80/app/").endswith(
            "route /admin/{**rest} under '/app'"
        )
        assert self.conflict("/app//x", "http://*:80/app/") is None

    def test_another_prefix_is_another_place(self):
        prefixes = ("http://*:80/app/", "http://*:80/")
        assert self.conflict("/app%2Fx", *prefixes).endswith("route /{**rest} under '/app'")
        assert self.conflict("/App//x", *prefixes) is None
        assert self.conflict("//app/x", *prefixes) is None


SEGMENTS = st.sampled_from(
    [
        "/",
        "//",
        "admin",
        "x",
        "..",
        ".",
        ";",
        "%2e",
        "%2f",
        "%5c",
        "%252e",
        "%252f",
        "%255c",
        "%25",
        "%3b",
        "a",
    ]
)


@given(st.lists(SEGMENTS, max_size=12).map(lambda pieces: "/" + "".join(pieces)))
def test_what_goes_through_leads_to_the_same_route_in_every_reading(path):
    try:
        made = exchange("GET", path)
    except ProtocolError:
        return
    found = table(*GUARDED, "/x/{id}", "/a%2Fa/{**rest}")
    if made.target.is_ambiguous and find_conflict(made, found) is not None:
        return

    def route(path):
        match = found.find("GET", "localhost", 80, path)
        return match.route.id if isinstance(match, Match) else None

    assert {route(reading) for reading in readings(path)} == {route(made.path)}

"""The model: what is written, and what is filled in."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.config import model
from hostler.config.model import (
    Cluster,
    Config,
    Destination,
    HeaderMatch,
    QueryMatch,
    Route,
    check_queue_name,
    queue,
)
from hostler.errors import QueueNameError


class TestIds:
    def test_a_route_is_named_by_its_template(self):
        assert Route("/api/{**rest}", "api").id == "/api/{**rest}"

    def test_a_route_without_a_path_is_named_by_the_template_that_it_stands_for(self):
        assert Route(None, "api").id == "/{**catchall}"

    def test_a_destination_is_named_by_its_address(self):
        assert Destination("http://10.0.0.1/").id == "http://10.0.0.1/"


class TestDestinations:
    def test_are_written_as_addresses(self):
        assert Cluster("c", ["http://a/"]).destinations == (Destination("http://a/"),)

    def test_are_written_as_objects(self):
        one = Destination("http://a/", id="one")
        assert Cluster("c", [one]).destinations == (one,)

    def test_are_written_as_a_mapping_from_id_to_either(self):
        cluster = Cluster("c", {"d1": "http://a/", "d2": Destination("http://b/", health="http://b/up")})
        assert cluster.destinations == (
            Destination("http://a/", id="d1"),
            Destination("http://b/", id="d2", health="http://b/up"),
        )

    def test_are_forwarded_to_unless_they_name_a_queue(self):
        assert Destination("http://a/").queue is None
        assert queue("reports", "http://*:80/").queue == "reports"

    def test_a_queue_is_named_by_itself_or_as_you_like(self):
        assert queue("reports", "http://*:80/").id == "reports"
        assert queue("reports", "http://*:80/", id="r1").id == "r1"


class TestValues:
    def test_a_single_string_stands_for_a_list_of_one(self):
        route = Route("/", "c", hosts="example.com", methods="GET", headers=[HeaderMatch("x", "1")])
        assert (route.hosts, route.methods) == (("example.com",), ("GET",))
        assert route.headers[0].values == ("1",)

    def test_lists_become_tuples(self):
        route = Route("/", "c", query_parameters=[QueryMatch("q", ["1", "2"])])
        assert route.query_parameters == (QueryMatch("q", ("1", "2")),)
        config = Config([route], [Cluster("c")], ["http://a/"])
        assert (config.routes, config.clusters, config.urls) == ((route,), (Cluster("c"),), ("http://a/",))

    def test_what_was_given_can_change_without_changing_the_configuration(self):
        metadata, transform = {"a": "1"}, {"PathPrefix": "/x"}
        route = Route("/", "c", metadata=metadata, transforms=[transform])
        metadata["a"] = transform["PathPrefix"] = "changed"
        assert route.metadata == {"a": "1"}
        assert route.transforms == ({"PathPrefix": "/x"},)

    def test_nothing_can_be_assigned(self):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            Cluster("c").balance = "Random"
        with pytest.raises(TypeError):
            Cluster("c", metadata={"a": "1"}).metadata["a"] = "2"

    def test_every_public_name_exists(self):
        assert all(hasattr(model, name) for name in model.__all__)


class TestQueueNames:
    @pytest.mark.parametrize(
        "name", ["reports", "Default App Pool", "a.b", "...", "größe", "x" * 130, "😀" * 65]
    )
    def test_legal(self, name):
        check_queue_name(name)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("", "is empty"),
            ("x" * 131, "262 bytes of UTF-16"),
            ("😀" * 66, "264 bytes of UTF-16"),
            (".", "names a directory"),
            ("..", "names a directory"),
            ("a/b", "'/' at 1"),
            ("../x", "'/' at 2"),
            ("a\0", r"'\x00' at 1"),
            ("a\nb", r"'\n' at 1"),
            ("\x9f", r"'\x9f' at 0"),
            ("\ud800", r"'\ud800' at 0"),
        ],
    )
    def test_illegal(self, name, why):
        with pytest.raises(QueueNameError) as caught:
            check_queue_name(name)
        assert why in str(caught.value)

    @given(st.text(max_size=5), st.sampled_from('\\/:*?"<>|'), st.text(max_size=5))
    def test_no_name_holds_what_file_names_cannot(self, before, bad, after):
        with pytest.raises(QueueNameError, match="not a queue name"):
            check_queue_name(before + bad + after)


def test_one_destination_where_a_list_is_expected():
    with pytest.raises(TypeError, match=r"is one address where a list is expected: write \['http://x'\]"):
        model.Cluster("a", "http://x")

"""What several sources say, as one configuration."""

from __future__ import annotations

from functools import partial

from hostler.config.definitions import Definitions, TimeoutDefinition
from hostler.config.model import Cluster, Config, Route
from hostler.config.places import Origin, read_json_places
from hostler.config.source import Loaded
from hostler.config.union import unite
from hostler.errors import Problem
from hostler.steps import finish

TEXT = '{\n"ReverseProxy": {\n"Routes": {\n"Shop": {}}}}'
FILE = Origin("a.json", partial(read_json_places, TEXT))
SHOP = Route("/", id="Shop")


def draft(*said):
    return finish(unite([(f"source {number}", loaded) for number, loaded in enumerate(said)]))


def test_all_that_they_say():
    config = draft(
        Loaded(Config([SHOP], [Cluster("a")], ["http://a/"])),
        Loaded(Config([Route("/b", id="b")], [Cluster("b")], ["http://b/", "http://a/"])),
    ).config
    assert config == Config(
        [SHOP, Route("/b", id="b")], [Cluster("a"), Cluster("b")], ["http://a/", "http://b/"]
    )


def test_one_says_what_it_said():
    config = Config([SHOP, SHOP], [Cluster("a")])
    one = draft(Loaded(config, (Problem("", "wrong"),), (FILE,)))
    assert one.config == config
    assert one.problems == (Problem("", "wrong"),)
    assert one.names == "a.json"


def test_a_route_of_two_sources_is_refused_with_both_places():
    both = draft(Loaded(Config([SHOP]), origins=(FILE,)), Loaded(Config([Route("/x", id="shop")])))
    assert both.config.routes == (SHOP,)
    assert [str(problem) for problem in both.problems] == [
        (
            'source 1: Routes.shop: duplicate id "shop": a.json, line 4, has it too (ids are case-insensitive); '
            "choose another"
        )
    ]


def test_a_cluster_of_two_sources_is_refused_with_both_places():
    other = Origin("b.json", partial(read_json_places, '{"ReverseProxy": {"Clusters": {"c": 1}}}'))
    both = draft(
        Loaded(Config(clusters=[Cluster("c")])), Loaded(Config(clusters=[Cluster("c")]), (), (other,))
    )
    assert [str(problem) for problem in both.problems] == [
        (
            'b.json: line 1: Clusters.c: duplicate id "c": source 0 has it too (ids are case-insensitive); '
            "choose another"
        )
    ]


def test_variables_that_no_document_has_taken():
    said = [Loaded(Config(), left=("a", "b")), Loaded(Config(), left=("b", "c")), Loaded(Config())]
    [warning] = draft(*said).problems
    assert str(warning).startswith("b: warning: is not read: none of the documents has what it names")


def test_a_policy_of_two_sources_is_refused_with_both_places():
    short, long = TimeoutDefinition(1.0), TimeoutDefinition(60.0)
    both = draft(
        Loaded(Config(definitions=Definitions(timeouts={"Short": short}))),
        Loaded(Config(definitions=Definitions(timeouts={"short": long, "long": long}))),
    )
    assert both.config.definitions == Definitions(timeouts={"Short": short, "long": long})
    assert [str(problem) for problem in both.problems] == [
        (
            'source 1: Policies.Timeouts.short: duplicate id "short": source 0 has it too '
            "(ids are case-insensitive); choose another"
        )
    ]

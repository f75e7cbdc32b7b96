"""Which delegation rules are open, and when they are closed."""

from __future__ import annotations

import pytest

from hostler.config.model import Cluster, Config, queue
from hostler.errors import UnsupportedError
from hostler.fleet.delegation import DestinationRules
from hostler.fleet.snapshot import Fleet
from hostler.policies import Policies
from hostler.steps import finish
from hostler.testing import FakeRule


class Delegating:
    """A server that has rules, and refuses those for the queue "bad"."""

    def __init__(self):
        self.open = []

    def open_rule(self, name, prefix):
        if name == "bad":
            raise UnsupportedError("no such luck")
        rule = FakeRule(name, prefix)
        self.open.append(rule)
        return rule

    def close_rule(self, rule):
        self.open.remove(rule)


class Reloading:
    """A fleet of one cluster, and its rules on a server."""

    def __init__(self):
        self.server = Delegating()
        self.rules = DestinationRules(self.server)
        self.fleet = Fleet(Policies().recipes)

    def reload(self, destinations):
        built = finish(self.fleet.build(Config(clusters=[Cluster("c", destinations)])))
        wanted = self.rules.open(built.clusters.values())
        self.fleet.apply(built)
        self.rules.apply(wanted)

    def named(self):
        return [(rule.queue, rule.prefix) for rule in self.server.open]

    def rule_of(self, name):
        return next(live.rule for live in self.fleet.find_cluster("c").destinations if live.id == name)


@pytest.fixture
def proxy():
    return Reloading()


def test_a_rule_for_each_destination_that_names_a_queue(proxy):
    proxy.reload({"a": queue("one", "http://*:80/"), "b": "http://b/"})
    assert proxy.named() == [("one", "http://*:80/")]
    assert proxy.rule_of("a") is proxy.server.open[0]
    assert proxy.rule_of("b") is None


def test_a_rule_stays_open_while_its_queue_and_prefix_are_the_same(proxy):
    proxy.reload({"a": queue("one", "http://*:80/")})
    before = proxy.rule_of("a")
    proxy.reload({"a": queue("one", "http://*:80/"), "b": queue("two", "http://*:80/")})
    assert proxy.rule_of("a") is before
    proxy.reload({"a": queue("one", "http://*:80/x/")})
    assert proxy.named() == [("one", "http://*:80/x/")]
    assert proxy.rule_of("a") is proxy.server.open[0]


def test_a_destination_that_names_no_queue_any_more_has_no_rule(proxy):
    proxy.reload({"a": queue("one", "http://*:80/")})
    proxy.reload({"a": "http://a/"})
    assert (proxy.named(), proxy.rule_of("a")) == ([], None)


def test_a_destination_that_was_removed_keeps_its_closed_rule(proxy):
    proxy.reload({"a": queue("one", "http://*:80/"), "b": "http://b/"})
    removed = proxy.fleet.find_cluster("c").destinations[0]
    rule = removed.rule
    proxy.reload({"b": "http://b/"})
    assert (proxy.named(), removed.rule) == ([], rule)


def test_when_one_rule_is_refused_nothing_has_changed(proxy):
    proxy.reload({"a": queue("one", "http://*:80/")})
    before = proxy.rule_of("a")
    with pytest.raises(UnsupportedError):
        proxy.reload({"a": queue("new", "http://*:80/"), "b": queue("bad", "http://*:80/")})
    assert proxy.server.open == [before]
    assert proxy.rule_of("a") is before


def test_closing_closes_every_rule(proxy):
    proxy.reload({"a": queue("one", "http://*:80/"), "b": queue("two", "http://*:80/")})
    proxy.rules.close()
    assert (proxy.named(), proxy.rule_of("a"), proxy.rule_of("b")) == ([], None, None)

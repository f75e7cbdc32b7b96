"""The table of delegation rules, on targets and rules that only note what is done to them."""

from types import SimpleNamespace

import pytest

from hostler.server.delegation import DelegationRules


class Target:
    def __init__(self, name):
        self.name, self.rules, self.closed = name, 0, 0

    def close(self):
        self.closed += 1


def make_rule(target, prefix):
    return SimpleNamespace(target=target, queue=target.name, prefix=prefix, users=0)


@pytest.fixture
def rules():
    return DelegationRules(Target, make_rule)


def test_a_rule_is_shared_by_queue_and_prefix_without_case(rules):
    rule = rules.open("Reports", "http://*:80/A/")
    assert rules.open("REPORTS", "HTTP://*:80/a/") is rule
    assert rules.open("reports", "http://*:80/b/") is not rule
    assert rules.open("other", "http://*:80/a/") is not rule


def test_rules_of_one_queue_share_its_handle(rules):
    one, two = rules.open("q", "a"), rules.open("Q", "b")
    assert one.target is two.target
    assert rules.open("r", "a").target is not one.target


def test_a_rule_stays_open_until_it_was_closed_as_often_as_it_was_opened(rules):
    rule = rules.open("q", "a")
    rules.open("q", "a")
    rules.close(rule)
    assert (rules.open("q", "a") is rule, rule.target.closed) == (True, 0)
    rules.close(rule)
    rules.close(rule)
    assert rule.target.closed == 1
    assert rules.open("q", "a") is not rule


def test_the_last_rule_of_a_queue_closes_its_handle(rules):
    one, two = rules.open("q", "a"), rules.open("q", "b")
    rules.close(one)
    assert one.target.closed == 0
    rules.close(two)
    assert one.target.closed == 1


def test_what_was_closed_with_everything_may_be_closed_again(rules):
    rule = rules.open("q", "a")
    rules.close_all()
    rules.close(rule)
    assert (rule.target.closed, rule.target.rules, rule.users) == (1, 0, 0)


def test_names_are_compared_character_by_character(rules):
    assert rules.open("straße", "a") is not rules.open("STRASSE", "a")
    assert rules.open("ÖL", "a") is rules.open("öl", "a")

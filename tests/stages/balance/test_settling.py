"""What the last stages do with several candidates."""

from __future__ import annotations

import logging

from hostler.config.model import Route
from hostler.stages.balance import place, settle_for_one
from hostler.testing import exchange
from tests.stages.balance.setting import Numbers, fleet_of


def test_settling_takes_one_at_random_and_warns(caplog):
    given = exchange(cluster=fleet_of("a", "b"), route=Route("/", "api", id="home"))
    picked = settle_for_one(given, logging.getLogger("hostler.test"), Numbers(0.7))
    assert (picked.id, given.candidates) == ("b", (picked,))
    (message,) = caplog.messages
    assert message == (
        "route home, cluster api: 2 destinations are left and no stage chose one; took http://b:80 at random; "
        "put `balance` into the pipeline"
    )


def test_settling_is_silent_about_a_single_one(caplog):
    given = exchange(cluster=fleet_of("a"))
    assert settle_for_one(given, logging.getLogger("hostler.test"), Numbers()).id == "a"
    assert not caplog.messages


def test_a_place_without_route_and_cluster():
    assert place(exchange()) == "route -, cluster -"

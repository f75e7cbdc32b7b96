from __future__ import annotations

from hostler.config.model import Cluster, Destination, queue
from hostler.testing import live


def test_a_destinations_name_is_its_queue_or_its_address():
    cluster = live(Cluster("api", [queue("reports", "http://*:80/"), "http://a:80"]))
    assert [destination.name for destination in cluster.destinations] == ["reports", "http://a:80"]


def test_a_destination_that_warms_up_has_a_part_of_its_weight():
    (destination,) = live(Cluster("api", [Destination("http://a", weight=4)])).destinations
    assert destination.weight == 4
    destination.ramp = lambda: 0.25
    assert destination.weight == 1

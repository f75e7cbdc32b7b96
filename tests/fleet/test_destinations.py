from __future__ import annotations

from hostler.config.model import Cluster, queue
from hostler.testing import live


def test_a_destinations_name_is_its_queue_or_its_address():
    cluster = live(Cluster("api", [queue("reports", "http://*:80/"), "http://a:80"]))
    assert [destination.name for destination in cluster.destinations] == ["reports", "http://a:80"]

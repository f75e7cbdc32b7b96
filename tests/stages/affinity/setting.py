"""Clusters with affinity, and exchanges that go through its stage."""

from __future__ import annotations

from hostler.config.model import Cluster, SessionAffinity
from hostler.stages import affinity, forward
from hostler.stages.affinity.hashed import HASH_COOKIE
from hostler.testing import live

# xxh64_hexdigest("A".encode("utf-16-le")), and so on, by the reference implementation
KEYS = {"a": "489580109ac1745b", "b": "41c1ee230e9949d1", "api-a": "5397517cfc5581c7"}
CONFIG = SessionAffinity("sticky")


def cluster_of(*ids, config=CONFIG, policy=None, sender=None):
    return live(
        Cluster("api", {name: f"http://{name}:80" for name in ids}, affinity=config),
        affinity=HASH_COOKIE(config) if policy is None and config is not None else policy,
        sender=sender,
    )


async def passed(given):
    """Run the stage and forward to the first candidate; return the ids that were left, and the cookies set."""
    left = []

    async def onward(exchange):
        left.extend(destination.id for destination in exchange.candidates)
        exchange.candidates = exchange.candidates[:1]
        return await forward(exchange, never)

    await affinity(given, onward)
    return left, given.stream.response.headers.get_all("set-cookie")


async def never(exchange):
    raise AssertionError("forward is the last stage")

"""A cluster without connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.client.probe import ProbeResponse
from hostler.fleet import LiveCluster, LiveDestination
from hostler.fleet.available import AVAILABLE_DESTINATIONS
from hostler.fleet.equipment import Equipment
from hostler.stages.affinity import AFFINITY, AFFINITY_FAILURE, redistribute
from hostler.stages.balance import BALANCE
from hostler.stages.balance.even import first_alphabetical
from hostler.stages.balance.stage import RANKED, RANKS
from hostler.stages.forward import SENDER
from hostler.stages.health import PASSIVE_HEALTH

if TYPE_CHECKING:
    from hostler.client.probe import ProbeRequest
    from hostler.config.model import Cluster
    from hostler.errors import Failure
    from hostler.exchange import Exchange
    from hostler.outcome import Outcome
    from hostler.stages.affinity import AffinityPolicy
    from hostler.stages.balance import BalancePolicy
    from hostler.stages.forward import Sender
    from hostler.stages.health import PassiveHealthPolicy

__all__ = ["FakeSender", "live"]


class FakeSender:
    """Forwards to nowhere: answers 200, or ends each exchange with `failure`.

    `sent` has what was forwarded where, `probed` what health checks asked.
    """

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.sent: list[tuple[Exchange, LiveDestination | str]] = []
        self.probed: list[ProbeRequest] = []
        self.closed = False

    async def send(self, exchange: Exchange, destination: LiveDestination | str) -> Outcome:
        """Answer at once."""
        self.sent.append((exchange, destination))
        if not isinstance(destination, str):
            destination.in_flight += 1
        try:
            return await self.answer(exchange)
        finally:
            if not isinstance(destination, str):
                destination.in_flight -= 1

    async def answer(self, exchange: Exchange) -> Outcome:
        """Answer as the destination does."""
        if self.failure is not None:
            return await exchange.fail(self.failure)
        return await exchange.respond(200, "forwarded")

    async def probe(self, request: ProbeRequest, timeout: float) -> ProbeResponse:
        """Record the probe and answer 200."""
        self.probed.append(request)
        return ProbeResponse(200)

    def close(self) -> None:
        """Record that it was closed."""
        self.closed = True


def live(
    config: Cluster,
    *,
    sender: Sender | None = None,
    balance: BalancePolicy = first_alphabetical,
    affinity: AffinityPolicy | None = None,
    passive: PassiveHealthPolicy | None = None,
) -> LiveCluster:
    """Bring a cluster to life, with the given policies and a `FakeSender`."""
    destinations = tuple(LiveDestination(item.id, item) for item in config.destinations)
    cluster = LiveCluster(
        config.id, config, _equipment(config, sender, balance, affinity, passive), destinations
    )
    for destination in destinations:
        destination._find_cluster = lambda: cluster
    cluster.refresh()
    return cluster


def _equipment(
    config: Cluster,
    sender: Sender | None,
    balance: BalancePolicy,
    affinity: AffinityPolicy | None,
    passive: PassiveHealthPolicy | None,
) -> Equipment:
    available = {name.lower(): make for name, make in AVAILABLE_DESTINATIONS.builtin.items()}
    equipment = Equipment()
    equipment[AVAILABLE_DESTINATIONS] = available[config.health_check.available_destinations_policy.lower()](
        config.health_check
    )
    equipment[SENDER] = FakeSender() if sender is None else sender
    equipment[BALANCE] = balance
    if RANKS.settings(config) is not None:
        equipment[RANKED] = RANKS.make()
    if affinity is not None:
        equipment[AFFINITY], equipment[AFFINITY_FAILURE] = affinity, redistribute
    if passive is not None:
        equipment[PASSIVE_HEALTH] = passive
    return equipment

"""Named policies: which there are, and how a name in a configuration becomes an object."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from hostler.client.forwarder import Forwarder
from hostler.config import check
from hostler.errors import ConfigError, Problem
from hostler.fleet import Equipment
from hostler.stages.affinity import AFFINITY_POLICIES
from hostler.stages.balance import BALANCE_POLICIES
from hostler.stages.health import PASSIVE_POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Cluster, Config, SessionAffinity
    from hostler.fleet import AffinityPolicy, BalancePolicy, LiveCluster, PassivePolicy, Sender

__all__ = ["Policies", "make_sender"]


_Factories = Mapping[str, Callable[..., Any]]


def _balance(given: _Factories) -> _Factories:
    return _lower(BALANCE_POLICIES, given)


def _affinity(given: _Factories) -> _Factories:
    return _lower(AFFINITY_POLICIES, given)


def _passive(given: _Factories) -> _Factories:
    return _lower(PASSIVE_POLICIES, given)


def _lower(*layers: _Factories) -> _Factories:
    return {name.lower(): factory for layer in layers for name, factory in layer.items()}


def _spelled(names: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Give hostler's own names in YARP's spelling."""
    spelling = {name.lower(): name for name in known}
    return frozenset(spelling.get(name, name) for name in names)


@frozen(kw_only=True)
class Policies:
    """The policies that a proxy's configuration may name, without case: yours on top of hostler's.

    Each mapping goes from a name to what makes a policy object for one cluster. A name with a colon in it,
    `package.module:attribute`, is imported instead.
    """

    balance: Mapping[str, Callable[[], BalancePolicy]] = field(factory=dict, converter=_balance)
    affinity: Mapping[str, Callable[[SessionAffinity], AffinityPolicy]] = field(
        factory=dict, converter=_affinity
    )
    passive_health: Mapping[str, Callable[[Cluster], PassivePolicy]] = field(factory=dict, converter=_passive)

    def names(self) -> check.Policies:
        """Return the names, for `config.check`."""
        known = check.Policies()
        return check.Policies(
            balance=_spelled(self.balance, known.balance),
            affinity=_spelled(self.affinity, known.affinity),
            passive_health=_spelled(self.passive_health, known.passive_health),
        )

    def unresolved(self, config: Config) -> Iterator[Problem]:
        """Find the names that stand for nothing: those that cannot be imported."""
        for cluster in config.clusters:
            where = f"Clusters.{cluster.id}"
            affinity, passive = cluster.affinity, cluster.health_check.passive
            named: list[tuple[_Factories, str, str]] = [
                (self.balance, cluster.balance, f"{where}.LoadBalancingPolicy")
            ]
            if affinity is not None and affinity.enabled:
                named.append((self.affinity, affinity.policy, f"{where}.SessionAffinity.Policy"))
            if passive.enabled:
                named.append((self.passive_health, passive.policy, f"{where}.HealthCheck.Passive.Policy"))
            for known, name, path in named:
                try:
                    if name:
                        _resolve(known, name, path)
                except ConfigError as error:
                    yield from error.problems

    def equip(self, config: Cluster, previous: LiveCluster | None) -> Equipment:
        """Resolve what a cluster's configuration names; what did not change is kept, with its memory.

        Raises ConfigError when a dotted name cannot be imported.
        """
        old = previous.config if previous is not None else None
        kept = previous.equipment if previous is not None else None
        where = f"Clusters.{config.id}"
        balance = (
            kept.balance
            if kept is not None and old is not None and old.balance == config.balance
            else _resolve(
                self.balance, config.balance or "PowerOfTwoChoices", f"{where}.LoadBalancingPolicy"
            )()
        )
        same_client = (
            old is not None
            and old.http_client == config.http_client
            and old.http_request == config.http_request
        )
        sender = kept.sender if kept is not None and same_client else make_sender(config)
        affinity, passive = config.affinity, config.health_check.passive
        return Equipment(
            balance,
            sender,
            _resolve(self.affinity, affinity.policy or "HashCookie", f"{where}.SessionAffinity.Policy")(
                affinity
            )
            if affinity is not None and affinity.enabled
            else None,
            _resolve(
                self.passive_health,
                passive.policy or "TransportFailureRate",
                f"{where}.HealthCheck.Passive.Policy",
            )(config)
            if passive.enabled
            else None,
        )


def make_sender(config: Cluster) -> Sender:
    """Make the client of a cluster's destinations, without connections yet."""
    return Forwarder(config.http_client, config.http_request)


def _resolve(known: Mapping[str, Callable[..., Any]], name: str, path: str) -> Callable[..., Any]:
    """Return what makes the policy that `name` names."""
    factory = known.get(name.lower())
    if factory is not None:
        return factory
    module, _, attribute = name.partition(":")
    try:
        found: Any = operator.attrgetter(attribute)(importlib.import_module(module))
    except Exception as error:  # importing runs a stranger's code
        message = f"{name!r} cannot be imported ({error!r}): write it as package.module:attribute"
        raise ConfigError([Problem(path, message)]) from error
    if not callable(found):
        message = f"{name!r} is {found!r}, which cannot be called: name what makes the policy"
        raise ConfigError([Problem(path, message)])
    imported: Callable[..., Any] = found
    return imported

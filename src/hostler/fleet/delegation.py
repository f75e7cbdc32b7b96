"""The delegation rules that a proxy has open: one for each destination that names a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hostler.fleet.clusters import LiveCluster
    from hostler.fleet.destinations import LiveDestination
    from hostler.server.base import DelegationRule, Delegator

__all__ = ["DestinationRules", "OpenRule"]


@frozen(eq=False)
class OpenRule:
    """A rule that is open for one destination."""

    key: tuple[str, str]
    """The queue and the URL prefix, as the configuration writes them."""

    rule: DelegationRule


class DestinationRules:
    """The open rules of a proxy's destinations on one server."""

    def __init__(self, server: Delegator) -> None:
        self._server = server
        self._rules: Mapping[LiveDestination, OpenRule] = {}

    def open(self, clusters: Iterable[LiveCluster]) -> dict[LiveDestination, OpenRule]:
        """Open the rules that clusters need, as far as they are not open; `apply` puts them in force.

        Raises UnsupportedError when the server cannot delegate; then none was opened.
        """
        wanted: dict[LiveDestination, OpenRule] = {}
        try:
            for cluster in clusters:
                for live, config in zip(cluster.destinations, cluster.config.destinations, strict=True):
                    if config.queue is not None:
                        wanted[live] = self._open(live, (config.queue, config.address))
        except BaseException:
            self._close(wanted, self._rules)
            raise
        return wanted

    def _open(self, destination: LiveDestination, key: tuple[str, str]) -> OpenRule:
        held = self._rules.get(destination)
        return held if held is not None and held.key == key else OpenRule(key, self._server.open_rule(*key))

    def apply(self, wanted: Mapping[LiveDestination, OpenRule]) -> None:
        """Give destinations the rules that `open` returned, and close those that are not among them.

        Destinations have their new configuration by then. One that was removed keeps its rule, though that is closed:
        exchanges that had chosen it are still on their way.
        """
        before, self._rules = self._rules, wanted
        for destination in before.keys() - wanted.keys():
            if destination.config.queue is None:
                destination.rule = None
        for destination, held in wanted.items():
            destination.rule = held.rule
        self._close(before, wanted)

    def _close(
        self, rules: Mapping[LiveDestination, OpenRule], kept: Mapping[LiveDestination, OpenRule]
    ) -> None:
        for destination, held in rules.items():
            if kept.get(destination) is not held:
                self._server.close_rule(held.rule)

    def reset(self, queue: str, prefix: str) -> None:
        """Let go of the queue that is delegated to under `prefix`, both without case; the next request opens it anew."""
        for held in self._rules.values():
            if (held.key[0].lower(), held.key[1].lower()) == (queue.lower(), prefix.lower()):
                held.rule.reset()
                return

    def close(self) -> None:
        """Close every rule, and take it from its destination."""
        rules, self._rules = self._rules, {}
        for destination in rules:
            destination.rule = None
        self._close(rules, {})

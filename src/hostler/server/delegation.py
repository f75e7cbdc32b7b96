"""Delegation rules, shared and counted: the table that every server keeps of its own kind of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DelegationRules", "SharedRule", "SharedTarget"]


class SharedTarget(Protocol):
    """A process's one handle on a queue that it delegates to; the rules of the queue share it."""

    rules: int
    """Rules that use it; it is closed with the last of them."""

    def close(self) -> None:
        """Let go of the queue."""


TargetT = TypeVar("TargetT", bound=SharedTarget)
TargetT_co = TypeVar("TargetT_co", bound=SharedTarget, covariant=True)


class SharedRule(Protocol[TargetT_co]):
    """A delegation rule that destinations share; `hostler.server.base.DelegationRule`."""

    queue: str
    prefix: str
    users: int
    """How often it was opened and not yet closed; with none it is closed."""

    @property
    def target(self) -> TargetT_co:
        """The handle on the rule's queue."""


RuleT = TypeVar("RuleT", bound=SharedRule[SharedTarget])


class DelegationRules(Generic[TargetT, RuleT]):
    """The delegation rules of one server, shared by queue and prefix, compared without case."""

    def __init__(
        self, make_target: Callable[[str], TargetT], make_rule: Callable[[TargetT, str], RuleT]
    ) -> None:
        """Keep what `make_target(queue)` and `make_rule(target, prefix)` return."""
        self._make_target = make_target
        self._make_rule = make_rule
        self._targets: dict[str, TargetT] = {}
        self._rules: dict[tuple[str, str], RuleT] = {}

    def open(self, queue: str, prefix: str) -> RuleT:
        """Open a rule, or share the one that is open."""
        key = _key(queue, prefix)
        rule = self._rules.get(key)
        if rule is None:
            target = self._targets.get(key[0])
            if target is None:
                target = self._targets[key[0]] = self._make_target(queue)
            target.rules += 1
            rule = self._rules[key] = self._make_rule(target, prefix)
        rule.users += 1
        return rule

    def close(self, rule: RuleT) -> None:
        """Give a rule back; the queue's last one closes its handle. A rule that is closed already stays closed."""
        if not rule.users:
            return
        rule.users -= 1
        if rule.users:
            return
        key = _key(rule.queue, rule.prefix)
        del self._rules[key]
        rule.target.rules -= 1
        if not rule.target.rules:
            del self._targets[key[0]]
            rule.target.close()

    def close_all(self) -> None:
        """Close every rule and every handle."""
        rules, self._rules = self._rules, {}
        targets, self._targets = self._targets, {}
        for rule in rules.values():
            rule.users = 0
        for target in targets.values():
            target.rules = 0
            target.close()


def _key(queue: str, prefix: str) -> tuple[str, str]:
    # Windows compares character by character, so that casefold would join too many
    return queue.lower(), prefix.lower()

"""Delegation rules: a queue and a URL prefix each, shared and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.server.usermode.target import TargetQueue

if TYPE_CHECKING:
    from hostler.errors import Failure
    from hostler.server.options import ServerOptions
    from hostler.server.usermode.loan import Loan, Returned

__all__ = ["Lender", "Rule"]


class Rule:
    """A delegation rule: an open handle on a target queue, and the URL prefix to delegate under."""

    def __init__(self, target: TargetQueue, prefix: str) -> None:
        self.queue = target.name
        self.prefix = prefix
        self.target = target
        self.users = 0

    async def lend(self, loan: Loan) -> Returned | Failure:
        """Have a process of the queue answer."""
        return await self.target.lend(loan, self.prefix)

    def reset(self) -> None:
        """Let go of the queue; the next request opens it anew."""
        self.target.close()


class Lender:
    """The delegation rules of one server, shared by (queue, prefix), without case, and counted."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._targets: dict[str, TargetQueue] = {}
        self._rules: dict[tuple[str, str], Rule] = {}
        self._closed = False

    def open_rule(self, queue: str, prefix: str) -> Rule:
        """Open or share a rule."""
        key = (queue.lower(), prefix.lower())
        rule = self._rules.get(key)
        if rule is None:
            target = self._targets.get(key[0])
            if target is None:
                target = self._targets[key[0]] = TargetQueue(queue, self._options)
            target.rules += 1
            rule = self._rules[key] = Rule(target, prefix)
        rule.users += 1
        return rule

    def close_rule(self, rule: Rule) -> None:
        """Give a rule back; the last one closes the handle."""
        if self._closed:
            return
        rule.users -= 1
        if rule.users:
            return
        if self._rules.pop((rule.queue.lower(), rule.prefix.lower()), None) is None:
            return  # every handle was closed before
        rule.target.rules -= 1
        if not rule.target.rules:
            del self._targets[rule.queue.lower()]
            rule.target.close()

    def close(self) -> None:
        """Close every handle; rules that are given back later are closed already."""
        self._closed = True
        for target in self._targets.values():
            target.close()
        self._targets.clear()
        self._rules.clear()

"""Delegation rules: a target queue and a URL prefix each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.server.delegation import DelegationRules
from hostler.server.usermode.queues.lender import TargetQueue

if TYPE_CHECKING:
    from hostler.server.options import ServerOptions
    from hostler.server.usermode.queues.loan import Loan

__all__ = ["Rule", "delegation_rules"]


class Rule:
    """A delegation rule: an open handle on a target queue, and the URL prefix to delegate under."""

    def __init__(self, target: TargetQueue, prefix: str) -> None:
        self.queue = target.name
        self.prefix = prefix
        self.target = target
        self.users = 0

    def lend(self, loan: Loan) -> Loan:
        """Have a process of the queue answer; returns the loan, which is completed when it has."""
        loan.prefix = self.prefix
        self.target.lend(loan)
        return loan

    def reset(self) -> None:
        """Let go of the queue; the next request opens it anew."""
        self.target.close()


def delegation_rules(options: ServerOptions) -> DelegationRules[TargetQueue, Rule]:
    """Return the table of a server's rules."""
    return DelegationRules(lambda queue: TargetQueue(queue, options), Rule)

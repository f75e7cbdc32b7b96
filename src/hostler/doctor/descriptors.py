"""How many files, and so connections, a process may have open."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from hostler.doctor.finding import Finding, Verdict
from hostler.processes.loop import MAX_DESCRIPTORS

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context

__all__ = ["examine_descriptors"]

_WHAT: Final = "descriptor limit"
_ENOUGH: Final = 4096
"""Descriptors below which a busy proxy is likely to run out: two for each client whose request is forwarded."""

_OTHERS: Final = 64
"""Descriptors that are no connections: listening sockets, files, the event loop's own."""


def examine_descriptors(context: Context) -> Iterator[Finding]:
    """Find what the system lets a process have, of which hostler takes as much as it may when it starts."""
    yield _limit()


if sys.platform == "win32":

    def _limit() -> Finding:
        return Finding(_WHAT, Verdict.OK, "Windows has none for sockets")

else:

    def _limit() -> Finding:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return judge(soft, hard if hard != resource.RLIM_INFINITY else MAX_DESCRIPTORS)


def judge(soft: int, hard: int) -> Finding:
    """Judge the soft and the hard limit; hostler raises the soft one itself when it starts."""
    taken = max(soft, min(hard, MAX_DESCRIPTORS))
    clients = max(taken - _OTHERS, 0) // 2
    detail = f"{soft}, of at most {hard}: room for {clients} clients at once whose requests are forwarded"
    if taken >= _ENOUGH:
        return Finding(_WHAT, Verdict.OK, detail)
    return Finding(
        _WHAT, Verdict.WARNING, detail,
        f"raise the hard limit: LimitNOFILE={MAX_DESCRIPTORS} in a systemd unit, --ulimit nofile={MAX_DESCRIPTORS} for "
        "a container, a line with hard nofile in /etc/security/limits.conf for a user",
    )  # fmt: skip

"""How an exchange ended."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from hostler.errors import Failure

__all__ = ["Kind", "Outcome"]


class Kind(enum.Enum):
    """How an exchange ended."""

    RESPONDED = "responded"
    FORWARDED = "forwarded"
    DELEGATED = "delegated"
    FAILED = "failed"


@define(eq=False)
class Outcome:
    """How an exchange ended: what became of it, and whose fault it was when it broke."""

    kind: Kind
    status: int
    """What the client got; 0 when it got nothing."""

    destination: str | None = None
    """The address that it was forwarded to, or the queue that it was delegated to."""

    bytes_received: int = 0
    bytes_sent: int = 0
    failure: Failure | None = None

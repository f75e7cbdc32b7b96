"""When to say that a certificate ends: 30, 7 and 1 days before, once each, and each day after."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.server.usermode.tls.examination import day

if TYPE_CHECKING:
    from hostler.server.usermode.tls.examination import Examined

__all__ = ["Expiry"]

_DAY: Final = 86400.0
_DAYS_BEFORE: Final = (1, 7, 30)


class Expiry:
    """What has been said of the end of one certificate."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: int | None = None
        """The number of days before the end, negative after it, that was said last."""

    def due(self, examined: Examined, now: float) -> tuple[int, str] | None:
        """Return what is to be said at a time, and at which level of logging; None for nothing new.

        A certificate that is made for less than twice as many days is said nothing of at that number.
        """
        left, lifetime = examined.not_after - now, examined.not_after - examined.not_before
        if left > 0:
            marks = [days for days in _DAYS_BEFORE if left <= days * _DAY and 2 * days * _DAY <= lifetime]
            mark = min(marks, default=None)
        else:
            mark = int(left // _DAY)
        if mark is None or (self._said is not None and mark >= self._said):
            return None
        self._said = mark
        if left > 0:
            ends = "within a day" if mark == 1 else f"in {left / _DAY:.0f} days"
            return logging.WARNING, f"{examined.path}: it ends {ends}, on {day(examined.not_after)}; renew it"
        text = (
            f"{examined.path}: it ended on {day(examined.not_after)}, and clients do not accept it; renew it"
        )
        return logging.ERROR, text

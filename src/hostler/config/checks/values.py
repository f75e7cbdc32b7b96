"""Rules that several concerns share: ids, times, statuses, and what comes later."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from hostler.config.statuses import parse_statuses
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["TOKEN", "check_ids", "check_positive", "check_statuses", "refuse_later"]

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of a header or a cookie (RFC 9110 5.6.2)."""


def check_ids(path: str, ids: Iterable[str]) -> Iterator[Problem]:
    """Find ids that are empty or, in any case, not the only one."""
    seen: set[str] = set()
    for name in ids:
        key = name.lower()
        if not name:
            yield Problem(path, "an id is empty; give each a name")
        elif key in seen:
            yield Problem(
                f"{path}.{name}", f'duplicate id "{name}" (ids are case-insensitive); choose another'
            )
        seen.add(key)


def check_positive(path: str, seconds: float) -> Iterator[Problem]:
    """Find a time that is not a finite number of seconds above 0."""
    if not 0 < seconds < math.inf:
        yield Problem(path, f"{seconds:g} seconds is out of range; use more than 0")


def check_statuses(path: str, statuses: Iterable[str]) -> Iterator[Problem]:
    """Find what is no status of an answer, nor a class of them."""
    for index, status in enumerate(statuses):
        try:
            parse_statuses([status])
        except ValueError as error:
            yield Problem(f"{path}[{index}]", str(error))


def refuse_later(path: str, used: Mapping[str, bool]) -> Iterator[Problem]:
    """Refuse the keys that are used, since the program does not do what they ask for yet."""
    for key, is_used in used.items():
        if is_used:
            yield Problem(f"{path}.{key}", f"not supported yet: {key}; remove it")

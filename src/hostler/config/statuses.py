"""Statuses as a configuration writes them: "503", or "5xx" for a class of them (RFC 9110 15)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["parse_statuses"]

_FORM: Final = re.compile("([2-5])([0-9]{2}|xx|XX)")


def parse_statuses(texts: Iterable[str]) -> frozenset[int]:
    """Return the statuses that are meant; raises ValueError for a text that means none."""
    found: set[int] = set()
    for text in texts:
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f'"{text}" is no final status; write a number such as "503", or "5xx"')
        first, rest = match.groups()
        found |= set(range(int(first) * 100, int(first) * 100 + 100)) if rest in {"xx", "XX"} else {int(text)}
    return frozenset(found)

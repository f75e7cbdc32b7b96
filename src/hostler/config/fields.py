"""How what is given for a field of a frozen value is kept."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NOTHING", "mapping", "mapping_of_strings", "statuses", "strings"]

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""The mapping with nothing in it."""


def mapping(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep a mapping so that nobody changes it."""
    return MappingProxyType(dict(value)) if value else NOTHING


def mapping_of_strings(value: Mapping[str, str]) -> Mapping[str, str]:
    """Keep a mapping of texts so that nobody changes it."""
    return mapping(value)


def strings(value: Iterable[str]) -> tuple[str, ...]:
    """Keep the texts of a list; a text by itself is a list of one."""
    return (value,) if isinstance(value, str) else tuple(value)


def statuses(value: str | Iterable[str | int]) -> tuple[str, ...]:
    """Keep statuses, such as 503 or "5xx", as the texts that `parse_statuses` reads."""
    return (value,) if isinstance(value, str) else tuple(map(str, value))

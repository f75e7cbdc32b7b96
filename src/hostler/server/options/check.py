"""Validators that say what was expected, and of which option."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["ULONG", "Choice", "text", "whole", "yes_or_no"]

ULONG: Final = 0xFFFF_FFFF
"""The largest number in 32 bits; HTTP.sys takes it for "no limit"."""

Validator = Any
"""(instance, attribute, value) -> None, as attrs calls it."""


def whole(low: int, high: int, what: str, *, none: bool = True, infinite: bool = False) -> Validator:
    """Accept whole numbers from `low` to `high` that are `what`; None and `math.inf` where they mean something."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if (none and value is None) or (infinite and value == math.inf):
            return
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            others = (", None for the default" if none else "") + (
                ", math.inf for no limit" if infinite else ""
            )
            raise ValueError(f"{attribute.name}: {value!r} is not {what} from {low} to {high}{others}")

    return check


def text(what: str, *, longest: int = 32766) -> Validator:
    """Accept None, and text without control characters that is `what`, up to `longest` characters (UTF-16)."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if value is None:
            return
        if not isinstance(value, str) or not value or any(ord(character) < 32 for character in value):
            raise ValueError(f"{attribute.name}: {value!r} is not {what}; give printable text, or None")
        size = len(value.encode("utf-16-le", "surrogatepass")) // 2
        if size > longest:
            raise ValueError(
                f"{attribute.name}: {size} characters are too many for {what}; {longest} are the most"
            )

    return check


def yes_or_no(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept a bool, and nothing that merely is true."""
    if not isinstance(value, bool):
        raise ValueError(f"{attribute.name}: {value!r} is not True or False")  # noqa: TRY004 - one error for options


class Choice(enum.Enum):
    """An enumeration whose members may be given by their values, and which says what they are."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        known = ", ".join(repr(member.value) for member in cls)
        raise ValueError(f"unknown {cls.__name__} {value!r}; use one of {known}")

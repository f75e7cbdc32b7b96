"""The policies that a document defines for its routes to name: its `Policies` section, ours beside YARP's.

Times are seconds (float), sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - `keys_of` asks for the types
from types import MappingProxyType
from typing import Any, TypeVar

from attrs import field, frozen

from hostler.config.access import AuthorizationDefinition, CorsDefinition  # noqa: TC001 - likewise

__all__ = ["Definitions", "TimeoutDefinition"]

T = TypeVar("T")

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _frozen_mapping(value: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType(dict(value)) if value else _NOTHING


@frozen
class TimeoutDefinition:
    """How long exchanges may take (Route.TimeoutPolicy; ASP.NET's RequestTimeoutPolicy)."""

    timeout: float
    """Seconds from the request to the end of its answer."""

    timeout_status_code: int = 504
    """What a client gets whose answer has not begun by then."""


@frozen(kw_only=True)
class Definitions:
    """The `Policies` section: definitions by name, which is case-insensitive."""

    timeouts: Mapping[str, TimeoutDefinition] = field(default=_NOTHING, converter=_frozen_mapping)
    cors: Mapping[str, CorsDefinition] = field(default=_NOTHING, converter=_frozen_mapping)
    authorization: Mapping[str, AuthorizationDefinition] = field(default=_NOTHING, converter=_frozen_mapping)

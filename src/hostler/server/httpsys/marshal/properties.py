"""What URL groups and request queues are set to: options to the structures of HttpSet...Property.

Only what differs from Windows' own default becomes a property: nothing set is nothing called.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from attrs import field, fields, frozen

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    LIMIT_INFINITE,
    EnabledState,
    QosSettingType,
    ServerProperty,
    Verbosity503,
)
from hostler.server.httpsys.marshal.log import logging_info
from hostler.server.httpsys.marshal.logins import authentication_info, channel_bind_info, is_extended
from hostler.server.options import ServerOptions, Timeouts
from hostler.server.options.httpsys import HttpSysOptions, Verbosity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.windows.libraries import CData, Handle

__all__ = [
    "Property",
    "binding",
    "delegation",
    "enabled",
    "queue_state",
    "request_queue_properties",
    "url_group_properties",
]

_PRESENT: Final = 1
"""HTTP_PROPERTY_FLAGS.Present: the property has a value."""

_FOR_EVER: Final = 0xFFFF
"""Seconds: the timer never runs out."""

_ANY_RATE: Final = 0xFFFF_FFFF
"""Bytes a second: no client is too slow."""


@frozen(eq=False)
class Property:
    """A property and its value, ready for HttpSet...Property; owns what the value points to."""

    id: ServerProperty
    value: CData
    """A pointer to the property's structure."""

    keep: tuple[Any, ...] = field(default=(), repr=False)
    """What the structure points to."""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return int(ffi.sizeof(ffi.typeof(self.value).item))

    @property
    def name(self) -> str:
        """The property, for messages."""
        return str(self.id.name)


# -- what is set in passing ---------------------------------------------------------------------------------------


def binding(queue: Handle) -> Property:
    """Have a URL group's requests go to a queue; NULL unbinds it (HTTP_BINDING_INFO)."""
    return Property(ServerProperty.BINDING, _queue(queue, present=queue != ffi.NULL))


def delegation(queue: Handle, *, present: bool = True) -> Property:
    """Let a URL group's requests be delegated to a queue, or no more (HTTP_BINDING_INFO)."""
    return Property(ServerProperty.DELEGATION, _queue(queue, present=present))


def _queue(queue: Handle, *, present: bool) -> CData:
    return ffi.new("HTTP_BINDING_INFO *", (_PRESENT if present else 0, queue))


def enabled(active: bool) -> Property:
    """Have a URL group serve, or answer 503 (HTTP_STATE_INFO)."""
    return Property(ServerProperty.STATE, ffi.new("HTTP_STATE_INFO *", (_PRESENT, _state(active))))


def queue_state(active: bool) -> Property:
    """Have a request queue take requests, or answer them with 503 (HTTP_ENABLED_STATE)."""
    return Property(ServerProperty.STATE, ffi.new("HTTP_ENABLED_STATE *", _state(active)))


def _state(active: bool) -> EnabledState:
    return EnabledState.ACTIVE if active else EnabledState.INACTIVE


# -- what options say ---------------------------------------------------------------------------------------------


def request_queue_properties(options: ServerOptions) -> list[Property]:
    """Return what a queue that was created is to be set to (HttpSetRequestQueueProperty)."""
    own = options.httpsys or HttpSysOptions()
    found = []
    if options.request_queue_limit != fields(ServerOptions).request_queue_limit.default:
        length = ffi.new("uint32_t *", options.request_queue_limit)
        found.append(Property(ServerProperty.QUEUE_LENGTH, length))
    if own.verbosity is not Verbosity.BASIC:
        verbosity = ffi.new("HTTP_503_RESPONSE_VERBOSITY *", Verbosity503[own.verbosity.name])
        found.append(Property(ServerProperty.VERBOSITY_503, verbosity))
    return found


def url_group_properties(options: ServerOptions) -> list[Property]:
    """Return what a URL group is to be set to (HttpSetUrlGroupProperty)."""
    return list(_url_group_properties(options, options.httpsys or HttpSysOptions()))


def _url_group_properties(options: ServerOptions, own: HttpSysOptions) -> Iterator[Property]:
    timeouts = _timeouts(options.timeouts, own.min_send_rate)
    if any(timeouts):
        value = ffi.new("HTTP_TIMEOUT_LIMIT_INFO *", (_PRESENT, *timeouts))
        yield Property(ServerProperty.TIMEOUTS, value)
    if own.max_connections is not None:
        most = LIMIT_INFINITE if own.max_connections == math.inf else int(own.max_connections)
        limit = ffi.new("HTTP_CONNECTION_LIMIT_INFO *", (_PRESENT, most))
        yield _qos(QosSettingType.CONNECTION_LIMIT, limit)
    if own.bandwidth is not None:
        limit = ffi.new("HTTP_BANDWIDTH_LIMIT_INFO *", (_PRESENT, own.bandwidth))
        yield _qos(QosSettingType.BANDWIDTH, limit)
    if own.authentication is not None:
        extended = is_extended(own.authentication)
        kind = ServerProperty.EXTENDED_AUTHENTICATION if extended else ServerProperty.AUTHENTICATION
        yield Property(kind, *authentication_info(own.authentication))
    if own.channel_binding is not None:
        yield Property(ServerProperty.CHANNEL_BIND, *channel_bind_info(own.channel_binding))
    if own.logging is not None:
        yield Property(ServerProperty.LOGGING, *logging_info(own.logging))
    if not own.enabled:
        yield enabled(active=False)


def _timeouts(timeouts: Timeouts, rate: int | None) -> tuple[int, ...]:
    """Return the numbers of HTTP_TIMEOUT_LIMIT_INFO; 0 stands for the default."""
    defaults = Timeouts()
    seconds = [
        0 if given == default else _FOR_EVER if given == math.inf else int(given)
        for given, default in (
            (timeouts.entity_body, defaults.entity_body),
            (timeouts.drain_entity_body, defaults.drain_entity_body),
            (timeouts.request_queue, defaults.request_queue),
            (timeouts.idle_connection, defaults.idle_connection),
            (timeouts.header_wait, defaults.header_wait),
        )
    ]
    return *seconds, 0 if rate is None else rate or _ANY_RATE


def _qos(kind: QosSettingType, limit: CData) -> Property:
    value = ffi.new("HTTP_QOS_SETTING_INFO *", (kind, limit))
    return Property(ServerProperty.QOS, value, (limit,))

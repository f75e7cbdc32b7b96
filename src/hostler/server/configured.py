"""Options that a document or the command line says: the `HttpSys` section -> ServerOptions."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import Factory, evolve, fields, fields_dict, frozen

from hostler.config.yarp.keys import keys_of
from hostler.config.yarp.scalars import write_time
from hostler.errors import ConfigError, Problem
from hostler.server.options import ServerOptions, Timeouts
from hostler.server.options.authentication import Authentication, AuthScheme, ChannelBinding
from hostler.server.options.check import whole
from hostler.server.options.httpsys import HttpSysOptions
from hostler.server.options.log import LogField, Logging

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Mapping

    from hostler.config.httpsys import HttpSys

__all__ = ["SECTION", "check_httpsys", "configured_options"]

SECTION: Final = "HttpSys"
_LONGEST: Final = 65534
"""Seconds of a timeout: 65535 is how HTTP.sys spells "for ever"."""

_FOR_EVER: Final = -0.001
"""Seconds: .NET's Timeout.InfiniteTimeSpan."""

_MAX_QUEUE_LENGTH: Final = 0x7FFF_FFFF
T = TypeVar("T")


def configured_options(section: HttpSys) -> ServerOptions:
    """Return the options that a section says; raises ConfigError with every problem."""
    reading = _Reading()
    options = reading.options(section)
    if reading.problems:
        raise ConfigError(reading.problems)
    return options


def check_httpsys(section: HttpSys) -> list[Problem]:
    """List everything that is wrong with a section, in the order of the options."""
    reading = _Reading()
    reading.options(section)
    return reading.problems


# -- values -----------------------------------------------------------------------------------------------------------


def _lower(value: str) -> str:
    return value.strip().lower()


def _or_infinite(value: int) -> float:
    return math.inf if value == -1 else value


def _seconds(value: float) -> float:
    if value == _FOR_EVER:
        return math.inf
    if not (1 <= value <= _LONGEST and float(value).is_integer()):
        raise ValueError(
            f'"{write_time(value)}" is not whole seconds from "{write_time(1)}" to "{write_time(_LONGEST)}", which HTTP.sys '
            f'counts; "{write_time(_FOR_EVER)}" is no limit'
        )
    return value


def _flags(kind: type[enum.Flag]) -> Callable[[tuple[str, ...]], enum.Flag]:
    """Return what reads the names of flags, in any case, with underscores or without."""
    known = {member.name.replace("_", "").lower(): member for member in kind if member.name is not None}
    labels = {key: str(member.name).title().replace("_", "") for key, member in known.items()}

    def read(names: tuple[str, ...]) -> enum.Flag:
        made = kind(0)
        for name in names:
            key = name.strip().replace("_", "").lower()
            if key not in known:
                close = difflib.get_close_matches(key[:100], known, n=1)
                hint = f"did you mean {labels[close[0]]}?" if close else f"use {', '.join(labels.values())}"
                raise ValueError(f'unknown name "{name}"; {hint}')
            made |= known[key]
        return made

    return read


# -- from the section's attributes to those of options ------------------------------------------------------------------

_OWN: Final = {
    "max_accepts": "receives",
    "max_connections": "max_connections",
    "http503_verbosity": "verbosity",
    "request_queue_security_descriptor": "security_descriptor",
    "enable_kernel_response_buffering": "kernel_buffering",
    "receive_buffer": "receive_buffer",
    "bandwidth": "bandwidth",
    "completion": "completion",
    "active": "enabled",
}
_TIMEOUTS: Final = dict.fromkeys(
    ("entity_body", "drain_entity_body", "request_queue", "idle_connection", "header_wait")
)
_AUTHENTICATION: Final = {
    "schemes": "schemes",
    "enable_kerberos_credential_caching": "kerberos_caching",
    **{name: name for name in fields_dict(Authentication) if name not in {"schemes", "kerberos_caching"}},
}
_READ: Final[Mapping[tuple[type, str], Callable[[Any], Any]]] = {
    (HttpSysOptions, "verbosity"): _lower,
    (HttpSysOptions, "completion"): _lower,
    (HttpSysOptions, "max_connections"): _or_infinite,
    **{(Timeouts, name): _seconds for name in _TIMEOUTS},
    (Authentication, "schemes"): _flags(AuthScheme),
    (ChannelBinding, "level"): _lower,
    (Logging, "format"): _lower,
    (Logging, "fields"): _flags(LogField),
    (Logging, "rollover"): _lower,
    (Logging, "rollover_size"): _or_infinite,
    (Logging, "only"): _lower,
}
"""What an option's value is read by, where it is not the section's."""

_LIMIT: Final = whole(1, _MAX_QUEUE_LENGTH, "a number of requests", none=False)


@frozen
class _Reading:
    """Makes options of a section, and keeps what is wrong."""

    problems: list[Problem] = Factory(list)

    def options(self, section: HttpSys) -> ServerOptions:
        """Return the options, without those that are wrong."""
        own = self._values(section, _OWN, HttpSysOptions, SECTION)
        timeouts: dict[str, Any] = {}
        if section.timeouts is not None:
            path = f"{SECTION}.Timeouts"
            timeouts = self._values(section.timeouts, {name: name for name in _TIMEOUTS}, Timeouts, path)
            rate = {"min_send_bytes_per_second": "min_send_rate"}
            own |= self._values(section.timeouts, rate, HttpSysOptions, path)
        for name, table, cls, required in (
            ("authentication", _AUTHENTICATION, Authentication, "schemes"),
            ("channel_binding", {key: key for key in fields_dict(ChannelBinding)}, ChannelBinding, None),
            ("logging", {key: key for key in fields_dict(Logging)}, Logging, "directory"),
        ):
            part = getattr(section, name)
            if part is not None:
                path = f"{SECTION}.{name.title().replace('_', '')}"
                own[name] = self._part(part, table, cls, path, required)
        options = ServerOptions(timeouts=Timeouts(**timeouts), httpsys=HttpSysOptions(**own))
        if section.request_queue_limit is not None:
            attribute = fields(ServerOptions).request_queue_limit
            try:
                _LIMIT(None, attribute, section.request_queue_limit)
                return evolve(options, request_queue_limit=section.request_queue_limit)
            except ValueError as error:
                self._complain(f"{SECTION}.RequestQueueLimit", error, {attribute.name: ""})
        return options

    def _part(
        self, section: object, table: Mapping[str, str], cls: type[T], path: str, required: str | None
    ) -> T | None:
        before = len(self.problems)
        values = self._values(section, table, cls, path)
        if required is not None and getattr(section, required) is None:
            self.problems.append(Problem(f"{path}.{required.title()}", "is missing and required; add it"))
        if len(self.problems) > before:
            return None
        try:
            return cls(**values)
        except ValueError as error:
            self._complain(path, error, _labels(section, table))
            return None

    def _values(self, section: object, table: Mapping[str, str], cls: type, path: str) -> dict[str, Any]:
        """Return the values of a class's attributes, each as the class would take it."""
        labels = _labels(section, table)
        made: dict[str, Any] = {}
        for name, option in table.items():
            value = getattr(section, name)
            if value is None:
                continue
            attribute: Any = fields_dict(cls)[option]
            try:
                value = _READ.get((cls, option), _same)(value)
                if attribute.converter is not None:
                    value = attribute.converter(value)
                if attribute.validator is not None:
                    attribute.validator(None, attribute, value)
            except ValueError as error:
                self._complain(f"{path}.{labels[option]}", error, labels)
            else:
                made[option] = value
        return made

    def _complain(self, path: str, error: ValueError, labels: Mapping[str, str]) -> None:
        """Keep what is wrong with an option, in the document's words."""
        text = str(error)
        for option, label in labels.items():
            text = re.sub(rf"^{option}: ", "", text)
            text = re.sub(rf"\b{option}\b(?!')", label, text) if "_" in option else text
        text = text.replace(", None for the default", "").replace(", or None", "").replace("math.inf", "-1")
        self.problems.append(Problem(path, text))


def _same(value: T) -> T:
    return value


def _labels(section: Any, table: Mapping[str, str]) -> dict[str, str]:
    """Return the document's keys by the options that they set."""
    cls: Any = type(section)
    keys = {key.name: key.label for key in keys_of(cls)}
    return {option: keys[name] for name, option in table.items()}

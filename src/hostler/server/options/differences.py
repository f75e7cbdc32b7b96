"""What one server has and the other has not: options are obeyed or refused, never passed over in silence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hostler.errors import UnsupportedError
from hostler.http.limits import Limits
from hostler.server.options.server import ServerOptions, Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["refuse_unsupported", "unsupported_by_httpsys", "unsupported_by_usermode"]

_REGISTRY: Final = r"HKLM\System\CurrentControlSet\Services\HTTP\Parameters"
_MAX_TIMEOUT_SECONDS: Final = 65534
"""Seconds: 65535 is how HTTP.sys spells "for ever"."""

_MAX_QUEUE_LENGTH: Final = 0x7FFF_FFFF
"""HTTP_MAX_SERVER_QUEUE_LENGTH."""

_ONLY_HTTPSYS: Final = {
    "receives": "it takes every request as it comes",
    "receive_buffer": "it takes every request as it comes; limits.head says how long a head may be",
    "max_connections": "limit them in what stands in front, or limit the process' open files",
    "verbosity": "its 503 is always an answer",
    "min_send_rate": "timeouts.send says how long a client may take nothing",
    "bandwidth": "limit it in what stands in front",
    "security_descriptor": "its queues belong to the user who makes them",
    "authentication": "authenticate in a stage or in the application",
    "channel_binding": "it has no Windows authentication that could be bound",
    "logging": "Python's logging has its requests",
    "enabled": "stop the server, or answer 503 in a stage",
    "completion": "its event loop waits by itself",
    "kernel_buffering": "the system buffers what is sent anyway",
}
"""Each option of HttpSysOptions, and what the user-mode server has in its place."""

_ONLY_USERMODE: Final = {
    "limits.request_line": f"HTTP.sys has UrlSegmentMaxLength, UrlSegmentMaxCount and MaxRequestBytes in {_REGISTRY}",
    "limits.head": f"HTTP.sys has MaxRequestBytes and MaxFieldLength in {_REGISTRY}",
    "limits.headers": f"HTTP.sys limits their bytes: MaxRequestBytes in {_REGISTRY}",
    "limits.trailers": f"HTTP.sys limits them with the head: MaxRequestBytes in {_REGISTRY}",
    "timeouts.half_closed": "HTTP.sys decides itself what to do with such a client",
    "half_closing_clients": "HTTP.sys decides itself what to do with such a client",
    "min_body_rate": "HTTP.sys has timeouts.entity_body, for the next bytes of a body",
    "timeouts.send": "HTTP.sys has httpsys.min_send_rate, in bytes a second",
    "timeouts.queue_restart": "HTTP.sys answers 503 as soon as nobody serves a queue",
    "handshake_limit": "HTTP.sys leaves handshakes to Schannel",
    "tls": "HTTP.sys has certificates bound to addresses and ports, for the whole machine: hostler cert",
    "endpoints": "HTTP.sys has certificates bound to addresses and ports (hostler cert), and no PROXY protocol",
    "backlog": "HTTP.sys listens itself; request_queue_limit says how many requests may wait",
}
"""Each option that HTTP.sys has not, and what it has in its place."""

_COUNTED: Final = ("header_wait", "entity_body", "drain_entity_body", "idle_connection", "request_queue")
"""The timeouts that HTTP.sys has too (HTTP_TIMEOUT_LIMIT_INFO)."""


def unsupported_by_usermode(options: ServerOptions) -> list[str]:
    """Return a sentence for each option that was set and that the user-mode server does not have."""
    own = options.httpsys
    if own is None:
        return []
    defaults = type(own)()
    return [
        f"httpsys.{name} = {getattr(own, name)!r} is for HTTP.sys, and this is the user-mode server: "
        f"{instead}; leave it out"
        for name, instead in _ONLY_HTTPSYS.items()
        if getattr(own, name) != getattr(defaults, name)
    ]


def unsupported_by_httpsys(options: ServerOptions) -> list[str]:
    """Return a sentence for each option that was set and that HTTP.sys does not have, or not so."""
    found = [
        f"{name} = {value!r} is for the user-mode server, and this is HTTP.sys: {_ONLY_USERMODE[name]}; leave it out"
        for name, value, default in _usermode_values(options)
        if value != default
    ]
    for name in _COUNTED:
        seconds = getattr(options.timeouts, name)
        if seconds != math.inf and not (seconds <= _MAX_TIMEOUT_SECONDS and float(seconds).is_integer()):
            found.append(
                f"timeouts.{name} = {seconds!r} cannot be had from HTTP.sys, which counts whole seconds from 1 to "
                f"{_MAX_TIMEOUT_SECONDS}; give such a number, or math.inf for no limit"
            )
    if options.request_queue_limit > _MAX_QUEUE_LENGTH:
        found.append(
            f"request_queue_limit = {options.request_queue_limit!r} is more than HTTP.sys can have wait; "
            f"{_MAX_QUEUE_LENGTH} is the limit"
        )
    return found


def _usermode_values(options: ServerOptions) -> Iterator[tuple[str, object, object]]:
    """Give (name, value, default) of each option that only the user-mode server has."""
    for name in _ONLY_USERMODE:
        group, _, option = name.rpartition(".")
        if group:
            yield name, getattr(getattr(options, group), option), getattr(_DEFAULTS[group], option)
        else:
            yield name, getattr(options, name), getattr(_DEFAULTS[""], name)


_DEFAULTS: Final = {"": ServerOptions(), "limits": Limits(), "timeouts": Timeouts()}


def refuse_unsupported(sentences: Iterable[str], server: str) -> None:
    """Raise UnsupportedError with all of `sentences`, which say what `server` cannot do; with none do nothing."""
    found = list(sentences)
    if found:
        raise UnsupportedError(
            f"{server} cannot be had with these options:\n" + "\n".join(f"- {one}" for one in found)
        )

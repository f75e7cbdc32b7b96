"""The `HttpSys` section of a document: what ASP.NET Core's HttpSysOptions say, by their names, and ours beside them.

Everything may be left out. Times are seconds (float), sizes are bytes. What the values mean, and which there are, is
known to `hostler.server.configured`.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - `keys_of` asks for the types
from typing import Any, ClassVar

import attrs
from attrs import field, frozen

from hostler.config.fields import strings

__all__ = [
    "HttpSys",
    "HttpSysAuthentication",
    "HttpSysChannelBinding",
    "HttpSysLogging",
    "HttpSysTimeouts",
    "lay_over",
]


def _names(values: Any) -> tuple[str, ...] | None:
    return None if values is None else strings(values)


@frozen(kw_only=True)
class HttpSysTimeouts:
    """How long HTTP.sys waits (TimeoutManager)."""

    entity_body: float | None = None
    drain_entity_body: float | None = None
    request_queue: float | None = None
    idle_connection: float | None = None
    header_wait: float | None = None
    min_send_bytes_per_second: int | None = None


@frozen(kw_only=True)
class HttpSysAuthentication:
    """Windows authentication (AuthenticationManager)."""

    schemes: tuple[str, ...] | None = field(default=None, converter=_names, metadata={"flags": True})
    enable_kerberos_credential_caching: bool | None = None
    capture_credentials: bool | None = None
    ntlm_caching: bool | None = None
    basic_realm: str | None = None
    digest_realm: str | None = None
    digest_domain: str | None = None
    mutual: bool | None = None
    context: bool | None = None


@frozen(kw_only=True)
class HttpSysChannelBinding:
    """Extended protection; ASP.NET Core does not have it."""

    level: str | None = None
    service_names: tuple[str, ...] | None = field(default=None, converter=_names)


@frozen(kw_only=True)
class HttpSysLogging:
    """The log that HTTP.sys writes; ASP.NET Core does not have it."""

    directory: str | None = None
    format: str | None = None
    fields: tuple[str, ...] | None = field(default=None, converter=_names, metadata={"flags": True})
    rollover: str | None = None
    rollover_size: int | None = None
    local_time: bool | None = None
    utf8: bool | None = None
    only: str | None = None
    software: str | None = None


@frozen(kw_only=True)
class HttpSys:
    """The section; what is left out stays as it is."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "urlprefixes": "write them in Urls, separated by ;",
        "requestqueuename": "give --queue to hostler serve",
        "requestqueuemode": "give --mode to hostler serve",
        "maxrequestbodysize": "write MaxRequestBodySize in the routes",
    }
    """What ASP.NET Core's options have, and hostler says in another place."""

    max_accepts: int | None = None
    max_connections: int | None = None
    request_queue_limit: int | None = None
    http503_verbosity: str | None = None
    request_queue_security_descriptor: str | None = None
    enable_kernel_response_buffering: bool | None = None
    receive_buffer: int | None = None
    bandwidth: int | None = None
    completion: str | None = None
    active: bool | None = field(default=None, metadata={"key": "Enabled"})
    timeouts: HttpSysTimeouts | None = None
    authentication: HttpSysAuthentication | None = None
    channel_binding: HttpSysChannelBinding | None = None
    logging: HttpSysLogging | None = None


def lay_over(below: HttpSys | None, above: HttpSys | None) -> HttpSys | None:
    """Return a section with what another says of it: key by key, and a list as a whole."""
    made: HttpSys | None = _lay_over(below, above)
    return made


def _lay_over(below: Any, above: Any) -> Any:
    if below is None or above is None or not attrs.has(type(above)):
        return below if above is None else above
    names = [attribute.name for attribute in attrs.fields(type(above))]
    return type(above)(**{name: _lay_over(getattr(below, name), getattr(above, name)) for name in names})

"""The sections `HttpsRedirection` and `Hsts` of a document: what ASP.NET Core's options of these names say.

ASP.NET Core reads neither of a document; its programs set HttpsRedirectionOptions and HstsOptions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from hostler.config.fields import strings

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["Hsts", "HttpsRedirection"]

_STATUSES: Final = (301, 302, 307, 308)
_MAX_PORT: Final = 65535


def _port(instance: object, attribute: Attribute[Any], value: int | None) -> None:
    if value is not None and not 1 <= value <= _MAX_PORT:
        raise ValueError(f"HttpsPort: {value!r} is not a port; give one from 1 to {_MAX_PORT}")


def _status(instance: object, attribute: Attribute[Any], value: int) -> None:
    if value not in _STATUSES:
        raise ValueError(
            f"RedirectStatusCode: {value!r} is not a status of a redirection; give one of {', '.join(map(str, _STATUSES))}"
        )


def _age(instance: object, attribute: Attribute[Any], value: float) -> None:
    if not 0 <= value < math.inf or value != int(value):
        raise ValueError(f"MaxAge: {value!r} is not a whole number of seconds; give 0 or more")


@frozen(kw_only=True)
class HttpsRedirection:
    """Sends clients of http to https (HttpsRedirectionOptions)."""

    active: bool = field(default=True, metadata={"key": "Enabled"})
    https_port: int | None = field(default=None, validator=_port)
    """Of the URLs that clients are sent to; None for that of the one https prefix there is."""

    redirect_status_code: int = field(default=307, validator=_status)


@frozen(kw_only=True)
class Hsts:
    """Has browsers come over https alone from now on (HstsOptions; RFC 6797)."""

    active: bool = field(default=True, metadata={"key": "Enabled"})
    max_age: float = field(default=2_592_000.0, validator=_age)
    """For how many seconds; 30 days. With 0 browsers forget it."""

    include_sub_domains: bool = False
    preload: bool = False
    """Whether the host may be put on the lists that browsers come with (hstspreload.org)."""

    excluded_hosts: tuple[str, ...] = field(default=("localhost", "127.0.0.1", "[::1]"), converter=strings)
    """Hosts that nothing is said for, without their ports."""

"""The `TrustedProxies` section of a document: which proxies in front are believed. Neither YARP nor ASP.NET Core has one.

Everything but the networks may be left out. What the values mean is known to `hostler.server.trusted`.
"""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen

from hostler.config.fields import strings

__all__ = ["TrustedSection", "lay_over"]


def _strings(values: Any) -> tuple[str, ...] | None:
    return None if values is None else strings(values)


@frozen(kw_only=True)
class TrustedSection:
    """The section, by the names of ASP.NET's ForwardedHeadersOptions; what is left out stays as it is."""

    networks: tuple[str, ...] | None = field(default=None, converter=_strings, metadata={"flags": True})
    headers: str | None = None
    forward_limit: int | None = None
    """How many proxies in a row are believed; -1 for any number."""

    allowed_hosts: tuple[str, ...] | None = field(default=None, converter=_strings, metadata={"flags": True})


def lay_over(below: TrustedSection | None, above: TrustedSection | None) -> TrustedSection | None:
    """Return a section with what another says of it, key by key, and a list as a whole."""
    if below is None or above is None:
        return above or below
    said = {name: value for name, value in attrs.asdict(above).items() if value is not None}
    return attrs.evolve(below, **said)

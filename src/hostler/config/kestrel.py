"""The `Kestrel` section of a document: what Kestrel reads of it, by its names, and ours beside them.

Everything may be left out but an endpoint's Url. What the values mean, and which there are, is known to
`hostler.server.kestrel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, fields_dict, frozen

from hostler.config.fields import NOTHING, mapping, strings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Kestrel",
    "KestrelCertificate",
    "KestrelEndpoint",
    "KestrelEndpointDefaults",
    "KestrelSni",
    "beside",
    "lay_over",
]


def _names(values: Any) -> tuple[str, ...] | None:
    return None if values is None else strings(values)


@frozen(kw_only=True)
class KestrelCertificate:
    """Where a certificate is: in files, or in the certificate store of Windows."""

    path: str | None = None
    """PEM or PKCS #12; from a document's file it is relative to the document's directory."""

    key_path: str | None = None
    password: str | None = field(default=None, repr=False)
    subject: str | None = None
    store: str | None = None
    location: str | None = None
    allow_invalid: bool | None = None


@frozen(kw_only=True)
class KestrelEndpointDefaults:
    """What holds for every endpoint that does not say otherwise."""

    protocols: str | None = None
    ssl_protocols: tuple[str, ...] | None = field(default=None, converter=_names, metadata={"flags": True})
    client_certificate_mode: str | None = None
    client_certificate_authority: str | None = None
    """Ours: a file with the certificates that those of clients must lead to; relative as `KestrelCertificate.path`."""


@frozen(kw_only=True)
class KestrelSni(KestrelEndpointDefaults):
    """What differs for clients that name a host."""

    certificate: KestrelCertificate | None = None


@frozen(kw_only=True)
class KestrelEndpoint(KestrelSni):
    """Where to listen, and what holds there."""

    url: str
    sni: Mapping[str, KestrelSni] = field(default=NOTHING, converter=mapping)
    proxy_protocol: bool | None = None
    """Ours: whether connections begin with a header of the PROXY protocol."""

    socket_mode: str | None = None
    """Ours: the mode of a Unix socket's file, in octal digits, such as 660."""


@frozen(kw_only=True)
class Kestrel:
    """The section; what is left out stays as it is."""

    endpoints: Mapping[str, KestrelEndpoint] = field(default=NOTHING, converter=mapping)
    endpoint_defaults: KestrelEndpointDefaults | None = None
    certificates: Mapping[str, KestrelCertificate] = field(default=NOTHING, converter=mapping)


def lay_over(below: Kestrel | None, above: Kestrel | None) -> Kestrel:
    """Return a section with what the command line says over it: a default certificate, and defaults of endpoints."""
    below, above = below or Kestrel(), above or Kestrel()
    names = {name.lower() for name in above.certificates}
    kept = {name: item for name, item in below.certificates.items() if name.lower() not in names}
    defaults = below.endpoint_defaults
    if above.endpoint_defaults is not None:
        said = {
            name: value
            for name in fields_dict(KestrelEndpointDefaults)
            if (value := getattr(above.endpoint_defaults, name)) is not None
        }
        defaults = evolve(defaults or KestrelEndpointDefaults(), **said)
    return evolve(below, certificates={**kept, **above.certificates}, endpoint_defaults=defaults)


_FILES: Final = ("path", "key_path", "client_certificate_authority")


def beside(section: Kestrel, directory: Path) -> Kestrel:
    """Return a section whose files are found from where the program is, not from a directory."""
    made: Kestrel = _beside(section, directory)
    return made


def _beside(value: Any, directory: Path) -> Any:
    """Return a value of the section, all the way down, with the names of its files behind a directory's."""
    if isinstance(value, Mapping):
        return {name: _beside(item, directory) for name, item in value.items()}
    if not isinstance(value, Kestrel | KestrelCertificate | KestrelEndpointDefaults):
        return value
    made: dict[str, Any] = {}
    for name in fields_dict(type(value)):
        held = getattr(value, name)
        made[name] = (
            str(directory / held) if held is not None and name in _FILES else _beside(held, directory)
        )
    return type(value)(**made)

"""The lines of netsh that do what hostler does, for people who know or need those.

They can be given to cmd and to PowerShell: what PowerShell would take for code is in quotation marks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

    from hostler.server.httpsys.configuration.endpoint import TlsEndpoint
    from hostler.server.prefix import UrlPrefix

__all__ = ["add_certificate", "add_reservation", "delete_certificate", "delete_reservation"]


_PLAIN: Final = re.compile(r"[\w:/.+*\[\]=~-]+")
"""What no shell takes for anything else."""


def add_reservation(prefix: UrlPrefix, *, user: str | None = None, sddl: str | None = None) -> str:
    """Reserve a URL for a user or a group, or for whoever a security descriptor names."""
    who = f'sddl="{sddl}"' if sddl is not None else f'user="{user}"'
    return f"netsh http add urlacl {_word(f'url={prefix}')} {who}"


def delete_reservation(prefix: UrlPrefix) -> str:
    """Remove a reservation."""
    return f"netsh http delete urlacl {_word(f'url={prefix}')}"


def add_certificate(
    endpoint: TlsEndpoint,
    thumbprint: bytes,
    app: UUID,
    store: str,
    *,
    client_certificates: bool,
    replace: bool,
) -> str:
    """Bind a certificate, or replace the one that is bound."""
    verb = "update" if replace else "add"
    rest = " clientcertnegotiation=enable" if client_certificates else ""
    return (
        f"netsh http {verb} sslcert {_key(endpoint)} certhash={thumbprint.hex()} "
        f"{_word(f'appid={{{app}}}')} {_word(f'certstorename={store}')}{rest}"
    )


def delete_certificate(endpoint: TlsEndpoint) -> str:
    """Remove what is bound."""
    return f"netsh http delete sslcert {_key(endpoint)}"


def _key(endpoint: TlsEndpoint) -> str:
    return f"{'hostnameport' if endpoint.address is None else 'ipport'}={endpoint}"


def _word(text: str) -> str:
    """Write `key=value` as one word."""
    return text if _PLAIN.fullmatch(text) else f'"{text}"'

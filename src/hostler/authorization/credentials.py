"""The Authorization header, and the challenges that ask for one (RFC 9110 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.authorization.decision import Denied

if TYPE_CHECKING:
    from hostler.http.headers import Headers

__all__ = ["challenge", "credentials", "only_value"]


def only_value(headers: Headers, name: str) -> bytes | Denied | None:
    """Return the value of a header that carries a secret, None when there is none.

    On several lines it is denied with 400: the destination may read another one than this proxy does.
    """
    values = headers.get_all_raw(name.lower().encode("latin-1"))
    if len(values) > 1:
        return Denied(400, reason=f"{len(values)} {name} headers")
    return values[0] if values else None


def credentials(headers: Headers, scheme: str) -> bytes | Denied | None:
    """Return what the Authorization header says in a scheme, whose name has no case; None when it says nothing in it."""
    value = only_value(headers, "Authorization")
    if not isinstance(value, bytes):
        return value
    said, _, given = value.partition(b" ")
    return given.strip(b" ") if said.lower() == scheme.lower().encode("ascii") else None


def challenge(scheme: str, **parameters: str) -> tuple[str, str]:
    """Make a WWW-Authenticate header."""
    quoted = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
        for name, value in parameters.items()
    )
    return "WWW-Authenticate", f"{scheme} {', '.join(quoted)}"

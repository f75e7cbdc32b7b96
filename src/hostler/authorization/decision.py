"""What an authorization policy answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from hostler.exchange import Exchange

__all__ = ["AuthorizationPolicy", "Decision", "Denied", "Granted"]


def _claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(claims))


def _headers(headers: Iterable[tuple[str, str]] | Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(headers.items() if isinstance(headers, Mapping) else headers)


@frozen
class Granted:
    """The exchange may go on."""

    user: str | None = None
    """Who asks, where the policy knows."""

    claims: Mapping[str, Any] = field(factory=dict, converter=_claims, repr=False)
    """What else is known of them; of a bearer token, its claims."""


@frozen
class Denied:
    """The exchange is answered with an error: 401 for who is not known, 403 for who is known and may not."""

    status: int = 403
    headers: tuple[tuple[str, str], ...] = field(default=(), converter=_headers)
    """Headers of the answer, given as pairs or as a mapping; with 401 one is `WWW-Authenticate` (RFC 9110 15.5.2)."""

    reason: str = ""
    """Why, for the log; clients do not see it."""


Decision: TypeAlias = Granted | Denied


class AuthorizationPolicy(Protocol):
    """Decides whether an exchange may go on; an async function of the exchange is one."""

    def __call__(self, exchange: Exchange, /) -> Awaitable[Decision]:
        """Return a decision; whatever it raises fails the exchange with 500."""
        ...

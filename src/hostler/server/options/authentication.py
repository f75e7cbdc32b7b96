"""Who a client is: what HTTP.sys does of Windows authentication (HTTP_SERVER_AUTHENTICATION_INFO)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from hostler.server.options.check import Choice, text, yes_or_no

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["AuthScheme", "Authentication", "ChannelBinding", "Hardening"]


class AuthScheme(enum.Flag):
    """Ways to authenticate that HTTP.sys knows (HTTP_AUTH_ENABLE_...)."""

    BASIC = enum.auto()
    DIGEST = enum.auto()
    NTLM = enum.auto()
    NEGOTIATE = enum.auto()
    KERBEROS = enum.auto()


def _schemes(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, AuthScheme) or not value:
        raise ValueError(
            f"schemes: {value!r} names no AuthScheme; combine them with |, or leave authentication out"
        )


@frozen(kw_only=True)
class Authentication:
    """Which ways to authenticate HTTP.sys carries through (HttpServerAuthenticationProperty; AuthenticationManager).

    HTTP.sys answers a client's Authorization; the first 401, with WWW-Authenticate, is the application's. What came
    of it stands in each request.
    """

    schemes: AuthScheme = field(validator=_schemes)
    """Which (AuthenticationManager.Schemes)."""

    basic_realm: str | None = field(default=None, validator=text("a realm"))
    """The realm of Basic; None for none."""

    digest_realm: str | None = field(default=None, validator=text("a realm"))
    """The realm of Digest; None for none."""

    digest_domain: str | None = field(default=None, validator=text("a domain"))
    """The URLs that Digest protects; None for everything on the server."""

    mutual: bool = field(default=False, validator=yes_or_no)
    """The server proves to the client who it is, too (ReceiveMutualAuth)."""

    context: bool = field(default=False, validator=yes_or_no)
    """The finished security context comes with the request (ReceiveContextHandle)."""

    ntlm_caching: bool = field(default=True, validator=yes_or_no)
    """A connection that NTLM has authenticated stays so (DisableNTLMCredentialCaching, turned round)."""

    kerberos_caching: bool = field(default=False, validator=yes_or_no)
    """A connection that Kerberos has authenticated stays so (EnableKerberosCredentialCaching)."""

    capture_credentials: bool = field(default=False, validator=yes_or_no)
    """The client's credentials are kept for the application (CaptureCredentials)."""

    def __attrs_post_init__(self) -> None:
        """Refuse what belongs to a scheme that is not there."""
        tickets = AuthScheme.NEGOTIATE | AuthScheme.KERBEROS
        for given, needed, name in (
            (self.basic_realm, AuthScheme.BASIC, "basic_realm"),
            (self.digest_realm, AuthScheme.DIGEST, "digest_realm"),
            (self.digest_domain, AuthScheme.DIGEST, "digest_domain"),
            (self.kerberos_caching, tickets, "kerberos_caching"),
            (self.capture_credentials, tickets, "capture_credentials"),
        ):
            if given and not self.schemes & needed:
                names = " or ".join(str(scheme.name) for scheme in needed)
                raise ValueError(
                    f"{name} is for {names}, which is not among the schemes; add it, or leave {name} out"
                )


class Hardening(Choice):
    """How strictly a login must belong to its TLS connection (HTTP_AUTHENTICATION_HARDENING_LEVELS)."""

    LEGACY = "legacy"
    """Not at all."""

    MEDIUM = "medium"
    """Where the client says which connection it means."""

    STRICT = "strict"
    """Always."""


def _names(instance: object, attribute: Attribute[Any], value: tuple[object, ...]) -> None:
    for name in value:
        if not isinstance(name, str) or not name or "\0" in name:
            raise ValueError(
                f"service_names: {name!r} is no service principal name, as in HTTP/www.example.com"
            )


def _tuple(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@frozen(kw_only=True)
class ChannelBinding:
    """Extended protection: a login counts only on the connection it was made on (HTTP_CHANNEL_BIND_INFO)."""

    level: Hardening = field(default=Hardening.MEDIUM, converter=Hardening)
    """How strictly; Windows' own default is legacy."""

    service_names: tuple[str, ...] = field(default=(), converter=_tuple, validator=_names)
    """Service principal names that a client may have meant, as in HTTP/www.example.com; none means any."""

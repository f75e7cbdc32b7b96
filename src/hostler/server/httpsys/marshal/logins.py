"""Windows authentication as a URL group is told of it: HTTP_SERVER_AUTHENTICATION_INFO, HTTP_CHANNEL_BIND_INFO.

Each function returns the structure and what it points to, which must live as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    AuthEnable,
    AuthExFlag,
    ChannelBindFlag,
    HardeningLevel,
    ServiceBindingType,
)
from hostler.server.httpsys.marshal.memory import wide
from hostler.server.options.authentication import AuthScheme

if TYPE_CHECKING:
    from hostler.server.options.authentication import Authentication, ChannelBinding
    from hostler.windows.libraries import CData

__all__ = ["authentication_info", "channel_bind_info", "is_extended"]

_PRESENT: Final = 1


def is_extended(login: Authentication) -> bool:
    """Whether it needs HttpServerExtendedAuthenticationProperty, which knows Kerberos."""
    return bool(login.schemes & AuthScheme.KERBEROS or login.kerberos_caching or login.capture_credentials)


def authentication_info(login: Authentication) -> tuple[CData, tuple[Any, ...]]:
    """Build the HTTP_SERVER_AUTHENTICATION_INFO."""
    flags = AuthExFlag(0)
    if login.kerberos_caching:
        flags |= AuthExFlag.ENABLE_KERBEROS_CREDENTIAL_CACHING
    if login.capture_credentials:
        flags |= AuthExFlag.CAPTURE_CREDENTIAL
    info = ffi.new("HTTP_SERVER_AUTHENTICATION_INFO *")
    info.Flags = _PRESENT
    info.AuthSchemes = sum(AuthEnable[str(scheme.name)] for scheme in login.schemes)
    info.ReceiveMutualAuth = login.mutual
    info.ReceiveContextHandle = login.context
    info.DisableNTLMCredentialCaching = not login.ntlm_caching
    info.ExFlags = flags
    domain, domain_size = wide(login.digest_domain)
    realm, realm_size = wide(login.digest_realm)
    basic, basic_size = wide(login.basic_realm)
    info.DigestParams = (domain_size, domain, realm_size, realm)
    info.BasicParams = (basic_size, basic)
    return info, (domain, realm, basic)


def channel_bind_info(binding: ChannelBinding) -> tuple[CData, tuple[Any, ...]]:
    """Build the HTTP_CHANNEL_BIND_INFO; without service names none is checked."""
    texts = [wide(name) for name in binding.service_names]
    names = [
        ffi.new("HTTP_SERVICE_BINDING_W *", ((ServiceBindingType.W,), text, size)) for text, size in texts
    ]
    array = ffi.new(
        "HTTP_SERVICE_BINDING_BASE *[]", [ffi.cast("HTTP_SERVICE_BINDING_BASE *", name) for name in names]
    )
    flags = 0 if names else ChannelBindFlag.NO_SERVICE_NAME_CHECK
    level = HardeningLevel[binding.level.name]
    info = ffi.new("HTTP_CHANNEL_BIND_INFO *", (level, flags, array if names else ffi.NULL, len(names)))
    return info, (array, names, texts)

"""A server's options: those that every server has, those of HTTP.sys alone, and what each server does not have.

What is HTTP.sys' alone is in `httpsys`, `authentication` and `log`, and imported where HTTP.sys is. Imports point to
`hostler.http`, `hostler.errors` and `hostler.tls.certificate`; nothing here knows a server.
"""

from __future__ import annotations

from hostler.server.options.differences import (
    refuse_unsupported,
    unsupported_by_httpsys,
    unsupported_by_usermode,
)
from hostler.server.options.server import ServerOptions, Timeouts
from hostler.server.options.tls import ClientCertificates, Endpoint, TlsOptions
from hostler.server.options.trusted import TrustedHeaders, TrustedProxies
from hostler.tls.certificate import Certificate

__all__ = [
    "Certificate",
    "ClientCertificates",
    "Endpoint",
    "ServerOptions",
    "Timeouts",
    "TlsOptions",
    "TrustedHeaders",
    "TrustedProxies",
    "refuse_unsupported",
    "unsupported_by_httpsys",
    "unsupported_by_usermode",
]

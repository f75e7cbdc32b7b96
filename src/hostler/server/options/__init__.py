"""A server's options: those that every server has, those of HTTP.sys alone, and what each server does not have.

Imports point to `hostler.http` and `hostler.errors`; nothing here knows a server.
"""

from __future__ import annotations

from hostler.server.options.authentication import Authentication, AuthScheme, ChannelBinding, Hardening
from hostler.server.options.differences import (
    refuse_unsupported,
    unsupported_by_httpsys,
    unsupported_by_usermode,
)
from hostler.server.options.httpsys import Completion, HttpSysOptions, Verbosity
from hostler.server.options.log import LogField, LogFormat, Logging, LogOnly, Rollover
from hostler.server.options.server import ServerOptions, Timeouts

__all__ = [
    "AuthScheme",
    "Authentication",
    "ChannelBinding",
    "Completion",
    "Hardening",
    "HttpSysOptions",
    "LogField",
    "LogFormat",
    "LogOnly",
    "Logging",
    "Rollover",
    "ServerOptions",
    "Timeouts",
    "Verbosity",
    "refuse_unsupported",
    "unsupported_by_httpsys",
    "unsupported_by_usermode",
]

"""Trusted proxies that a document or the command line says: the `TrustedProxies` section -> an option."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from hostler.errors import ConfigError, Problem, Severity
from hostler.server.options import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hostler.config.trusted import TrustedSection

__all__ = ["SECTION", "check_trusted", "configured_proxies"]

SECTION: Final = "TrustedProxies"
_KEYS: Final[Mapping[str, str]] = {
    "networks": "Networks",
    "headers": "Headers",
    "forward_limit": "ForwardLimit",
    "allowed_hosts": "AllowedHosts",
}
_NO_LIMIT: Final = -1


def configured_proxies(section: TrustedSection) -> TrustedProxies:
    """Return what a section says; raises ConfigError with every problem."""
    options, problems = _read(section)
    if options is None:
        raise ConfigError(problems)
    return options


def check_trusted(section: TrustedSection) -> list[Problem]:
    """List everything that is wrong with a section, and what is dangerous in it."""
    options, problems = _read(section)
    return problems if options is None else list(_dangers(options))


def _read(section: TrustedSection) -> tuple[TrustedProxies | None, list[Problem]]:
    """Read a section, each key for itself, so that all that is wrong is said at once."""
    if section.networks is None:
        missing = "is missing and required; add the addresses of the proxies in front, as in 10.0.0.0/8, or give --trusted-proxy"
        return None, [Problem(f"{SECTION}.Networks", missing)]
    said: dict[str, tuple[str, Any]] = {"networks": ("networks", section.networks)}
    if section.headers is not None:
        said["headers"] = "headers", section.headers.strip().lower()
    if section.forward_limit is not None:
        said["limit"] = "forward_limit", None if section.forward_limit == _NO_LIMIT else section.forward_limit
    if section.allowed_hosts is not None:
        said["hosts"] = "allowed_hosts", section.allowed_hosts
    problems = []
    for option, (name, value) in said.items():
        try:
            TrustedProxies(**{"networks": ("unix",), option: value})
        except ValueError as error:
            text = (
                str(error)
                .removeprefix(f"{option}: ")
                .replace(", None for the default", ", or -1 for any number")
            )
            problems.append(Problem(f"{SECTION}.{_KEYS[name]}", text))
    if problems:
        return None, problems
    return TrustedProxies(**{option: value for option, (_, value) in said.items()}), []


def _dangers(options: TrustedProxies) -> Iterator[Problem]:
    for text in options.networks:
        if (
            "/" in text
            and not ipaddress.ip_network(text.partition("%")[0] if "%" in text else text).prefixlen
        ):
            yield Problem(
                f"{SECTION}.Networks",
                f"{text} holds every address: every client can say that it is another; name the proxies in front",
                Severity.WARNING,
            )
    if "*" in options.hosts:
        yield Problem(
            f"{SECTION}.AllowedHosts",
            '"*" lets a proxy in front, and whoever it passes the header on for, choose the route by any host; name the hosts',
            Severity.WARNING,
        )

"""What the server that is to run refuses of a document: a check for `hostler.documents.examine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import ConfigError, Problem, Severity
from hostler.server.base import ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Config

__all__ = ["find_refused"]


def find_refused(config: Config, server: ServerKind) -> Iterator[Problem]:
    """Find what the server refuses once it listens, unless `--url` says otherwise."""
    if server is ServerKind.HTTPSYS:
        if config.kestrel is not None:
            yield Problem(
                "Kestrel",
                "is not read by HTTP.sys, which listens where Urls say, with the certificates that hostler cert binds; "
                "leave it out, or check it with --server usermode",
                Severity.WARNING if config.urls or not config.kestrel.endpoints else Severity.ERROR,
            )
        return
    if config.httpsys is not None:
        yield Problem(
            "HttpSys",
            "is for HTTP.sys, and this is the user-mode server; leave it out, or check it with --server httpsys",
        )
    yield from _without_certificate(config)


def _without_certificate(config: Config) -> Iterator[Problem]:
    """Find where https is to be spoken and the document names no certificate."""
    section = config.kestrel
    message = (
        "{} has no certificate, and will not be listened on without --cert; add Kestrel.Certificates.Default "
        "(hostler dev-cert makes one for development)"
    )
    if section is None or not section.endpoints:
        named = () if section is None else [name.lower() for name in section.certificates]
        for url in config.urls:
            if url.startswith("https://") and "default" not in named:
                yield Problem("Urls", message.format(url), Severity.WARNING)
        return
    from hostler.server.kestrel import configured_endpoints  # noqa: PLC0415 - for who has the section

    try:
        found = configured_endpoints(section)
    except ConfigError:
        return  # which is said elsewhere
    for name, url in zip(section.endpoints, found.urls, strict=True):
        if url.startswith("https://") and found.endpoints[url].tls is None:
            yield Problem(f"Kestrel.Endpoints.{name}", message.format(url), Severity.WARNING)

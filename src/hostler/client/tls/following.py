"""Following the files that a cluster's TLS settings name: its client certificate, its key, its authorities."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hostler.client.tls.contexts import tls_context
from hostler.errors import CertificateError

if TYPE_CHECKING:
    import ssl

    from hostler.config.model import HttpClient

__all__ = ["PATIENCE", "FollowedFiles"]

PATIENCE: Final = 10.0
"""Seconds that files which have changed may take to fit: a certificate and its key change one after the other."""

_log: Final = logging.getLogger("hostler.certificates")


class FollowedFiles:
    """The files of one cluster. They are read again when they have changed, and until they can be."""

    def __init__(self, client: HttpClient) -> None:
        """`client` names the files, which have just been read."""
        self._client = client
        own, authority = client.client_certificate, client.certificate_authority
        named = (own and own.path, own and own.key_path, authority)
        self._paths = [Path(path) for path in named if path]
        self._seen = self._stamps()
        self._wrong_since: float | None = None
        self._said = ""

    def look(self, now: float) -> ssl.SSLContext | None:
        """Return what connections are encrypted by from now on, where the files have changed. `now` is in seconds."""
        stamps = self._stamps()
        if stamps == self._seen and self._wrong_since is None:
            return None
        self._seen = stamps
        try:
            made = tls_context(self._client)
        except CertificateError as error:
            self._note(str(error), now)
            return None
        self._wrong_since, self._said = None, ""
        _log.info("%s: read again, for new connections to destinations", ", ".join(map(str, self._paths)))
        return made

    def _note(self, what: str, now: float) -> None:
        if self._wrong_since is None:
            self._wrong_since = now
        if now - self._wrong_since >= PATIENCE and what != self._said:
            self._said = what
            _log.error("%s; until then destinations are connected to with what was read before", what)

    def _stamps(self) -> list[tuple[int, ...] | None]:
        return [_stamp(path) for path in self._paths]


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

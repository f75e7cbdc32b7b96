"""Following the files that a cluster's TLS settings name: its client certificate, its key, its authorities."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.client.tls.contexts import tls_context
from hostler.errors import CertificateError
from hostler.tls.stamps import PATIENCE, RETRY, stamps_of

if TYPE_CHECKING:
    import ssl

    from hostler.config.model import HttpClient

__all__ = ["FollowedFiles"]

_log: Final = logging.getLogger("hostler.certificates")


class FollowedFiles:
    """The files of one cluster.

    They are read again when they have changed; while they cannot be used, at each look for `PATIENCE`, then every `RETRY`
    seconds.
    """

    def __init__(self, client: HttpClient) -> None:
        """`client` names the files, which have just been read."""
        self._client = client
        own, authority = client.client_certificate, client.certificate_authority
        self._paths = [path for path in (own and own.path, own and own.key_path, authority) if path]
        self._seen = stamps_of(self._paths)
        self._wrong_since: float | None = None
        self._said = ""
        self._tried = 0.0

    def look(self, now: float) -> ssl.SSLContext | None:
        """Return what connections are encrypted by from now on, where the files have changed. `now` is in seconds."""
        stamps = stamps_of(self._paths)
        if stamps == self._seen and not self._is_due(now):
            return None
        self._seen, self._tried = stamps, now
        try:
            made = tls_context(self._client)
        except CertificateError as error:
            self._note(str(error), now)
            return None
        self._wrong_since, self._said = None, ""
        _log.info("%s: read again, for new connections to destinations", ", ".join(self._paths))
        return made

    def _is_due(self, now: float) -> bool:
        """Whether files that have not changed are to be tried again."""
        return self._wrong_since is not None and (not self._said or now - self._tried >= RETRY)

    def _note(self, what: str, now: float) -> None:
        if self._wrong_since is None:
            self._wrong_since = now
        if now - self._wrong_since >= PATIENCE and what != self._said:
            self._said = what
            _log.error("%s; until then destinations are connected to with what was read before", what)

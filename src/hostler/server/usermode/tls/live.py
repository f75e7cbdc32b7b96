"""A context that is made anew when its files change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hostler.server.usermode.tls.loading import load

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from hostler.server.options import TlsOptions
    from hostler.server.usermode.tls.examination import Examined

__all__ = ["LiveContext", "Stamp"]

Stamp: TypeAlias = "tuple[int, int, int, int] | None"
"""By what a file is told from the one that was there before; None where it cannot be looked at."""


class LiveContext:
    """The context of one `TlsOptions`.

    Handshakes begin by `context` as it is at that moment; connections keep the one that they began with.
    """

    __slots__ = ("_prepare", "context", "examined", "names", "options", "seen")

    context: ssl.SSLContext
    examined: Examined | None
    seen: tuple[Stamp, ...]
    """By what the files that were read last, or could not be, are told from others."""

    def __init__(
        self,
        options: TlsOptions,
        prepare: Callable[[ssl.SSLContext], object],
        names: tuple[str, ...] = (),
        *,
        now: float | None = None,
    ) -> None:
        """Read the files; raises CertificateError. `prepare` is called with each context, before it is used.

        `names` are those of `TlsOptions.sni` that lead here.
        """
        self.options = options
        self.names = names
        self._prepare = prepare
        self.load(now)

    def load(self, now: float | None = None) -> None:
        """Read the files, in any thread; raises CertificateError, and keeps the context that it has."""
        self.seen = self.stamps()  # first: what changes meanwhile is read again
        loaded = load(self.options, now)
        self._prepare(loaded.context)
        self.context, self.examined = loaded.context, loaded.examined

    def stamps(self) -> tuple[Stamp, ...]:
        """Return by what its files are told from others."""
        certificate = self.options.certificate
        paths = (
            certificate and certificate.path,
            certificate and certificate.key_path,
            self.options.client_ca,
        )
        return tuple(_stamp(path) for path in paths if path)


def _stamp(path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

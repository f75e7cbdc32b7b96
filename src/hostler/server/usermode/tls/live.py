"""A context that is made anew when its files change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.server.usermode.tls.loading import load
from hostler.tls.stamps import stamps_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from hostler.server.options import TlsOptions
    from hostler.server.usermode.tls.examination import Examined
    from hostler.tls.stamps import Stamp

__all__ = ["LiveContext"]


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
        own = self.options.certificate
        named = () if own is None else (own.path, own.key_path)
        return stamps_of((*named, self.options.client_ca))

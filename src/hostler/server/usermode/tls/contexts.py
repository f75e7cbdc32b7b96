"""The contexts of one endpoint: its certificates, and which of them a client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.server.usermode.tls.live import LiveContext
from hostler.server.usermode.tls.session import Session

if TYPE_CHECKING:
    import ssl

    from hostler.server.options import TlsOptions

__all__ = ["TlsContexts"]


class TlsContexts:
    """What the handshakes of one endpoint go by."""

    def __init__(self, options: TlsOptions) -> None:
        """Read the certificates; raises CertificateError."""
        self.options = options
        self._default = LiveContext(options, _prepare)
        self._named = {name: LiveContext(each, _prepare, (name,)) for name, each in options.sni.items()}

    @property
    def default(self) -> ssl.SSLContext:
        """For a client of which no more is known than that it has connected."""
        return self._default.context

    @property
    def live(self) -> tuple[LiveContext, ...]:
        """Every context that there is, to be followed."""
        return self._default, *self._named.values()


def _prepare(context: ssl.SSLContext) -> None:
    context.sslobject_class = Session
    context.sni_callback = _on_name  # type: ignore[assignment]


def _on_name(session: Session, name: str | None, context: ssl.SSLContext) -> None:
    """Note the host that a client names, if it names one."""
    session.named = (name or "").lower()

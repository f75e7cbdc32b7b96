"""The contexts of one endpoint: its certificates, and which of them a client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.server.usermode.tls.loading import load_context
from hostler.server.usermode.tls.session import Session

if TYPE_CHECKING:
    import ssl

    from hostler.server.options import TlsOptions

__all__ = ["TlsContexts"]


class TlsContexts:
    """What the handshakes of one endpoint go by."""

    def __init__(self, options: TlsOptions) -> None:
        """Read the certificates."""
        self.options = options
        self.default = load_context(options)
        """For a client of which no more is known than that it has connected."""
        self.default.sslobject_class = Session
        self.default.sni_callback = _on_name  # type: ignore[assignment]


def _on_name(session: Session, name: str | None, context: ssl.SSLContext) -> None:
    """Note the host that a client names, if it names one."""
    session.named = (name or "").lower()

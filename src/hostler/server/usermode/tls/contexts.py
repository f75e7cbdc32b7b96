"""The contexts of one endpoint: its certificates, and which of them a client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.server.usermode.tls.loading import load_context

if TYPE_CHECKING:
    from hostler.server.options import TlsOptions

__all__ = ["TlsContexts"]


class TlsContexts:
    """What the handshakes of one endpoint go by."""

    def __init__(self, options: TlsOptions) -> None:
        """Read the certificates."""
        self.options = options
        self.default = load_context(options)
        """For a client of which no more is known than that it has connected."""

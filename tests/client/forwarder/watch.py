"""What waits in a proxy's transports while bodies go through it."""

from __future__ import annotations

from hostler.client.http1 import Http1UpstreamConnection
from hostler.client.transfer import Transfer
from hostler.server.usermode.client_socket import ClientSocket

FLAT = 1 << 20
"""More than this must never wait, however large a body is."""


class Watch:
    """The most bytes that ever waited in a transport of the proxy, and how often either side was held back."""

    def __init__(self, monkeypatch):
        self.most = 0
        self.pauses = 0
        self._transports = []
        for cls in (Http1UpstreamConnection, ClientSocket):
            self._after(monkeypatch, cls, "connection_made", self._transports.append)
            self._after(monkeypatch, cls, "data_received", self._measure)
        for name in ("pause", "pause_writing"):
            self._after(monkeypatch, Transfer, name, self._paused)

    def _after(self, monkeypatch, cls, name, then):
        plain = getattr(cls, name)

        def wrapped(this, *arguments):
            plain(this, *arguments)
            then(*arguments)

        monkeypatch.setattr(cls, name, wrapped)

    def _measure(self, _data):
        self.most = max(self.most, *(transport.get_write_buffer_size() for transport in self._transports))

    def _paused(self):
        self.pauses += 1

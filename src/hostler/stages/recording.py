"""A request's body that is kept as it passes, so that it can be had again; for stages that send a request twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Pump, Stream
    from hostler.errors import Failure
    from hostler.http.headers import RawHeaders

__all__ = ["Recording"]


class Recording:
    """A `Pump` between a stream and whoever answers, which keeps what passes.

    It keeps at most `limit` bytes; of a larger body it keeps nothing any more, and `is_too_large`. A pump that is
    attached gets what comes from then on, as of any stream; the first one after `rewind` gets what was kept before that.
    `on_end` is called once the body is complete.
    """

    def __init__(self, limit: int, on_end: Callable[[], object] | None = None) -> None:
        self.kept = bytearray()
        """In one piece: a client that sends byte by byte must not make it many times as large."""
        self.trailers: RawHeaders = []
        self.is_complete = False
        """The request's body has been read to its end."""
        self.is_too_large = False
        """What has passed cannot be had again."""
        self._room = limit
        self._is_rewound = False
        self._on_end = on_end
        self._pump: Pump | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of the body has passed."""
        return not (self.kept or self.is_too_large)

    def rewind(self) -> None:
        """Send the next pump the body from its beginning."""
        self._is_rewound = True

    def attach(self, stream: Stream, pump: Pump, *, knows_end: bool) -> None:
        """Send the body to `pump`."""
        again, self._is_rewound = self.kept if self._is_rewound else b"", False
        self._pump = pump
        if again:
            pump.feed(bytes(again))
        if self.is_complete:
            if again or not knows_end:
                pump.feed_end(self.trailers)
            knows_end = True
        stream.attach(self, knows_end)

    def detach(self, stream: Stream) -> None:
        """Have the stream keep the rest of the body for the next pump."""
        self._pump = None
        stream.detach()

    def release(self) -> None:
        """Call nobody any more: neither the pump, nor who waits for the end."""
        self._pump = self._on_end = None

    def forget(self) -> None:
        """Keep nothing, now and from now on."""
        self.is_too_large = self.is_too_large or bool(self.kept)
        self._room = 0
        self.kept = bytearray()

    # -- Pump: what the client does -------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Keep a piece, and pass it on."""
        if not self.is_too_large:
            self._room -= len(data)
            if self._room < 0:
                self.is_too_large, self.kept = True, bytearray()
            else:
                self.kept += data
        if self._pump is not None:
            self._pump.feed(data)

    def feed_end(self, trailers: RawHeaders) -> None:
        """Note that the body is complete, once; of an upgraded connection, pass on each end."""
        if not self.is_complete:
            self.is_complete, self.trailers = True, trailers
        if self._pump is not None:
            self._pump.feed_end(trailers)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()

    def lost(self, failure: Failure) -> None:
        """Pass on that the client is gone."""
        if self._pump is not None:
            self._pump.lost(failure)

    def pause(self) -> None:
        """Pass on that the client does not keep up."""
        if self._pump is not None:
            self._pump.pause()

    def resume(self) -> None:
        """Pass on that the client keeps up again."""
        if self._pump is not None:
            self._pump.resume()

    def going_away(self) -> None:
        """Pass on that the server begins to stop."""
        if self._pump is not None:
            self._pump.going_away()

"""Both ends of an upstream connection without sockets: its transport and its owner."""

from __future__ import annotations


class Pipe:
    """A transport that remembers."""

    def __init__(self, *, half_close=True):
        self.written = b""
        self.reading, self.closing, self.aborted, self.ended = True, False, False, False
        self._half_close = half_close

    def write(self, data):
        assert not self.closing
        self.written += data

    def writelines(self, pieces):
        self.write(b"".join(pieces))

    def pause_reading(self):
        assert not self.closing
        self.reading = False

    def resume_reading(self):
        assert not self.closing
        self.reading = True

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    def abort(self):
        self.closing = self.aborted = True

    def can_write_eof(self):
        return self._half_close

    def write_eof(self):
        self.ended = True

    def get_write_buffer_size(self):
        return 0


class Owner:
    """A pool that remembers."""

    def __init__(self):
        self.freed, self.gone = [], []

    def released(self, connection):
        self.freed.append(connection)

    def closed(self, connection):
        self.gone.append(connection)

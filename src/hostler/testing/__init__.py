"""Helpers for testing stages, handlers and policies: an exchange without a server, a clock that stands still.

::

    stream = FakeStream()
    outcome = await handler(exchange("POST", "/orders", body=b"1", stream=stream))
    assert (stream.response.status, stream.response.body) == (201, b"made")
"""

from hostler.testing.clock import FakeClock
from hostler.testing.clusters import FakeSender, live
from hostler.testing.exchanges import exchange
from hostler.testing.stream import FakeResponse, FakeRule, FakeStream

__all__ = ["FakeClock", "FakeResponse", "FakeRule", "FakeSender", "FakeStream", "exchange", "live"]

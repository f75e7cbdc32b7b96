"""What every contender is asked for."""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["CASES", "HEADERS", "LARGE", "LARGE_SIZE", "SMALL", "SMALL_BODY", "Case"]

SMALL_BODY: Final = b"The yard hand takes your engine at the gate.\n"
LARGE_SIZE: Final = 1 << 20

HEADERS: Final = (
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.7,de;q=0.3"),
    ("cache-control", "no-cache"),
    ("cookie", "session=5f2c8e1a94d64d0b; theme=dark"),
    ("referer", "http://localhost/start"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("x-request-id", "0af7651916cd43dd8448eb211c80319c"),
    ("x-tenant", "north"),
)
"""Nine; Host, which the load generators write, is the tenth."""


@frozen
class Case:
    """One kind of request, over so many kept-alive connections."""

    name: str
    path: str
    connections: int
    size: int
    """Bytes of the answer's body."""


SMALL: Final = Case("small answer", "/small", 32, len(SMALL_BODY))
LARGE: Final = Case("1 MiB answer", "/large", 16, LARGE_SIZE)
CASES: Final = (SMALL, LARGE)

"""The proof: every promise in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.doctor.proof.promise import Promise, attempt
from hostler.doctor.proof.promises.cache import cache
from hostler.doctor.proof.promises.completions import completions
from hostler.doctor.proof.promises.ends import (
    answers_while_stopping,
    disconnects,
    stop_under_load,
    upgrade,
)
from hostler.doctor.proof.promises.http2 import http2
from hostler.doctor.proof.promises.queues import delegation, demand_start, two_processes
from hostler.doctor.proof.promises.requests import (
    big_heads,
    receive,
    receive_by_the_loop,
    streamed_answers,
    upload,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hostler.doctor.proof.promise import Attempt
    from hostler.doctor.proof.rig import Surroundings
    from hostler.server.httpsys.api import Windows

__all__ = ["PROMISES", "prove"]

PROMISES: Final = (
    Promise("completions", "what calls return, and which of them a packet follows", completions),
    Promise("receive", "requests arrive as they were sent, on a connection that is kept", receive),
    Promise(
        "loop's port", "the same, where the event loop's own port says what is over", receive_by_the_loop
    ),
    Promise("big heads", "a head that is larger than the buffer is received by a second call", big_heads),
    Promise("upload", "bodies of megabytes arrive whole, with a length and in chunks", upload),
    Promise("streamed answers", "what a handler writes leaves before it writes more", streamed_answers),
    Promise("disconnects", "a handler that waits learns that its client is gone", disconnects),
    Promise("upgrade", "a 101 makes a tunnel, with bytes both ways until the client ends", upgrade),
    Promise("http/2", "requests of one connection at the same time, and trailers behind answers", http2),
    Promise("cache", "the kernel answers with a response that it keeps, until that is flushed", cache),
    Promise("stop under load", "a server that stops finishes what it has begun", stop_under_load),
    Promise(
        "503 while stopping", "a connection that was kept is answered 503 meanwhile", answers_while_stopping
    ),
    Promise(
        "two processes",
        "two processes answer from one queue, and each goes on without the other",
        two_processes,
    ),
    Promise("delegation", "a request and its body are handed to another process, which answers", delegation),
    Promise(
        "demand start", "a controller hears of a request that waits, and keeps it for a worker", demand_start
    ),
)
"""In the order in which they are tried."""


async def prove(
    windows: Windows,
    surroundings: Surroundings,
    report: Callable[[Attempt], object],
    promises: Iterable[Promise] = PROMISES,
) -> None:
    """Try promises one after the other; `report` is called with each attempt that is over."""
    for promise in promises:
        report(await attempt(promise, windows, surroundings))

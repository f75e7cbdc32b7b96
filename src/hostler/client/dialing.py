"""Connecting to a host by name, whichever of its addresses answers first (RFC 8305, happy eyeballs).

The addresses are tried in the order of the system's resolver, IPv6 and IPv4 in turns. The next one is tried as soon as
one failed, or has not answered within ATTEMPT_DELAY; the first that answers wins, and the other attempts are given up.
asyncio can do that, and uvloop, whose loops hostler runs on, cannot.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from contextlib import suppress
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ATTEMPT_DELAY", "MAX_ATTEMPTS", "dial", "in_turns", "is_literal", "race"]

ATTEMPT_DELAY: Final = 0.25
"""Seconds that an address has for itself before the next is tried beside it (RFC 8305 5)."""

MAX_ATTEMPTS: Final = 32
"""Addresses of a name that are tried."""

Address: TypeAlias = tuple[socket.AddressFamily, Any]
"""A family, and an address of it as the functions of `socket` take it."""


def is_literal(host: str) -> bool:
    """Tell whether a host is an IP address, and nothing that has to be looked up."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, ValueError):  # ValueError: a NUL in it
            socket.inet_pton(family, host)
            return True
    return False


async def dial(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to a host; raises OSError, or UnicodeError for a name like no other."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys((family, address) for family, _, _, _, address in found)
    return await race(in_turns(addresses), host)


def in_turns(addresses: Iterable[Address]) -> Iterator[Address]:
    """Order addresses so that families take turns, the first one's first (RFC 8305 4)."""
    by_family: dict[int, list[Address]] = {}
    for address in addresses:
        by_family.setdefault(address[0], []).append(address)
    rounds = zip_longest(*by_family.values())
    return (address for address in chain.from_iterable(rounds) if address is not None)


async def race(addresses: Iterable[Address], host: str, delay: float = ATTEMPT_DELAY) -> socket.socket:
    """Return a socket that is connected to one of a host's addresses; raises OSError with what kept it from each."""
    left = deque(addresses)
    while len(left) > MAX_ATTEMPTS:
        left.pop()
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[str] = []
    try:
        while left or attempts:
            if left:
                attempts.add(asyncio.create_task(_attempt(*left.popleft())))
            done, _ = await asyncio.wait(
                attempts, timeout=delay if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                attempts.remove(attempt)
                error = attempt.exception()
                if error is None:
                    return attempt.result()
                if not isinstance(error, OSError):
                    raise error
                last = error
                errors.append(str(error))
    finally:  # without waiting, in which whoever waits for the winner might give up
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close)
    if len(errors) == 1:
        raise last
    reasons = "; ".join(dict.fromkeys(errors))
    raise OSError(f"none of the {len(errors)} addresses of {host} can be connected to: {reasons}")


async def _attempt(family: socket.AddressFamily, address: Any) -> socket.socket:
    # the protocol by its name: else asyncio would not set TCP_NODELAY
    connecting = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except BaseException as error:
        connecting.close()
        if isinstance(error, OSError) and error.errno and "Connect call failed" in str(error):
            # asyncio's words, with neither the system's nor the address alone
            raise OSError(error.errno, f"{os.strerror(error.errno)} ({address[0]})") from error
        raise
    return connecting


def _close(attempt: asyncio.Task[socket.socket]) -> None:
    """Close what was connected and not needed."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()

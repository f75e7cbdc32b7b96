"""Rules for a destination: its addresses, and its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.checks.address import HOST, find_fault_in_destination, find_fault_in_url
from hostler.config.checks.metadata import check_metadata
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import Destination

__all__ = ["check_destination"]

_MAX_NUMBER: Final = 1_000_000
"""The largest weight, and the last priority."""


def check_destination(path: str, destination: Destination) -> Iterator[Problem]:
    """Find what is wrong with a destination."""
    address = destination.address
    if message := (
        find_fault_in_destination(address)
        if destination.queue is None
        else find_fault_in_url(address, wildcard=True)
    ):
        yield Problem(f"{path}.Address", message)
    if destination.health and (message := find_fault_in_destination(destination.health)):
        yield Problem(f"{path}.Health", message)
    host = destination.host
    if host and not (HOST.fullmatch(host) and host.isascii() and "*" not in host):
        shown = "a name with an @" if "@" in host else ascii(host)
        yield Problem(f"{path}.Host", f'{shown} is not a host; write "example.com" or "example.com:8080"')
    for key, number in (("Weight", destination.weight), ("Priority", destination.priority)):
        if not 0 <= number <= _MAX_NUMBER:
            yield Problem(f"{path}.{key}", f"{number} is out of range; use a number from 0 to {_MAX_NUMBER}")
    yield from check_metadata(f"{path}.Metadata", destination.metadata)

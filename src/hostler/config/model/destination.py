"""Destinations: addresses to forward to, and queues to delegate to."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - `keys_of` asks for the types

from attrs import field, frozen

from hostler.config.fields import NOTHING, mapping_of_strings
from hostler.errors import QueueNameError

__all__ = [
    "QUEUE_METADATA",
    "Destination",
    "check_queue_name",
    "queue",
]

QUEUE_METADATA = "HttpSysDelegationQueue"
"""The metadata key of a destination that is delegated to: the name of its request queue."""

_QUEUE_NAME_LIMIT = 260
"""Bytes of UTF-16."""

_NOT_IN_QUEUE_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]')


@frozen
class Destination:
    """An address to forward to, or (with a queue in its metadata) a queue to delegate to.

    `address` is `scheme://host[:port][/path]`; for a queue it is the URL prefix that the request is delegated under.
    """

    address: str
    id: str = field(kw_only=True)
    health: str | None = field(default=None, kw_only=True)
    """The address that active health checks ask; None is `address`."""

    host: str | None = field(default=None, kw_only=True)
    """What its requests say in Host, and the name that its certificate is for; None is the address's."""

    weight: int = field(default=1, kw_only=True)
    """How large its share is beside those of the others (Weight, hostler's own); 0 while any other can be chosen."""

    priority: int = field(default=0, kw_only=True)
    """Its place in the order of fail-over (Priority, hostler's own): the available ones of the lowest take all."""

    metadata: Mapping[str, str] = field(default=NOTHING, converter=mapping_of_strings, kw_only=True)

    @id.default  # noqa: A003 - the field, not the builtin
    def _id(self) -> str:
        return self.address

    queue: str | None = field(init=False, eq=False, repr=False)
    """The request queue that takes this destination's requests, or None when they are forwarded."""

    @queue.default
    def _queue(self) -> str | None:
        return self.metadata.get(QUEUE_METADATA)


def check_queue_name(name: str) -> None:
    """Refuse a request queue name that HTTP.sys would refuse (HttpCreateRequestQueue).

    A name is a legal file name of at most 260 bytes in UTF-16: 130 characters, of which an emoji is two. Raises
    `QueueNameError`.
    """
    if not name:
        raise QueueNameError("a request queue's name is empty; give it 1 to 130 characters")
    if (size := len(name.encode("utf-16-le", "surrogatepass"))) > _QUEUE_NAME_LIMIT:
        raise QueueNameError(
            f'"{name[:20]}..." is not a queue name ({size} bytes of UTF-16); use at most {_QUEUE_NAME_LIMIT}, '
            "which are 130 characters"
        )
    if name in {".", ".."}:
        raise QueueNameError(f'"{name}" is not a queue name (it names a directory); choose another')
    if found := _NOT_IN_QUEUE_NAMES.search(name):
        raise QueueNameError(
            f"{name!a} is not a queue name ({found[0]!a} at {found.start()}); "
            'use a legal file name: none of \\ / : * ? " < > | and no control characters'
        )


def queue(name: str, url_prefix: str, *, id: str | None = None) -> Destination:  # noqa: A002 - the field's own name
    """Make a destination that is delegated to the request queue `name`, under `url_prefix`."""
    return Destination(url_prefix, id=name if id is None else id, metadata={QUEUE_METADATA: name})

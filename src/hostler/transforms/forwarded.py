"""Transforms that say who the client is: X-Forwarded-*, and Forwarded (RFC 7239)."""

from __future__ import annotations

import enum
import random
from typing import TYPE_CHECKING, Final, Protocol

from attrs import field, frozen

from hostler.client.outgoing import said_of_client
from hostler.http.fields import IDENTITY
from hostler.http.headers import Headers
from hostler.http.target import encode_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.exchange import Exchange
    from hostler.transforms.contexts import RequestTransformContext

__all__ = [
    "X_FORWARDED",
    "DefaultForwarders",
    "Forwarded",
    "ForwardedAction",
    "NodeFormat",
    "Randomness",
    "XForwarded",
]

_ID_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
"""What an obfuscated identifier is made of (RFC 7239 6.3)."""

_ID_LENGTH: Final = 9


class Randomness(Protocol):
    """Where random identifiers come from: the module `random`, or a `random.Random`."""

    def choices(self, population: str, /, *, k: int) -> list[str]:
        """Return `k` of the characters, any of them more than once."""
        ...


class ForwardedAction(enum.Enum):
    """What becomes of a header that says who the client is (ForwardedTransformActions)."""

    OFF = "Off"
    """What came is passed on."""

    SET = "Set"
    APPEND = "Append"
    """What came is passed on, with what the proxy says behind it."""

    REMOVE = "Remove"


class NodeFormat(enum.Enum):
    """How a party is written in Forwarded (RFC 7239 6)."""

    NONE = "None"
    RANDOM = "Random"
    RANDOM_AND_PORT = "RandomAndPort"
    RANDOM_AND_RANDOM_PORT = "RandomAndRandomPort"
    UNKNOWN = "Unknown"
    UNKNOWN_AND_PORT = "UnknownAndPort"
    UNKNOWN_AND_RANDOM_PORT = "UnknownAndRandomPort"
    IP = "Ip"
    IP_AND_PORT = "IpAndPort"
    IP_AND_RANDOM_PORT = "IpAndRandomPort"


def _act(context: RequestTransformContext, name: bytes, action: ForwardedAction, said: bytes) -> None:
    """Make a header say what the action has it say; `said` is empty where the proxy has nothing to say."""
    if action is ForwardedAction.OFF:
        return
    values = context.take_header(name.lower())
    kept = [value for value in values if value] if action is ForwardedAction.APPEND else []
    if action is not ForwardedAction.REMOVE and said:
        kept.append(said)
    if kept:
        context.headers.add(name, b", ".join(kept))


# -- X-Forwarded ----------------------------------------------------------------------------------------------------


def _for(exchange: Exchange) -> bytes:
    return exchange.client[0].partition("%")[0].encode("ascii")


def _host(exchange: Exchange) -> bytes:
    return exchange.request.host or b""


def _proto(exchange: Exchange) -> bytes:
    return b"https" if exchange.scheme == "https" else b"http"


def _prefix(exchange: Exchange) -> bytes:
    return encode_path(exchange.path_base)


X_FORWARDED: Final[dict[str, Callable[[Exchange], bytes]]] = {
    "For": _for, "Host": _host, "Proto": _proto, "Prefix": _prefix,
}  # fmt: skip
"""What each of the headers says, by the end of its name; in the order in which they are written."""


@frozen
class XForwarded:
    """Says one thing of the client in a header of its own, such as X-Forwarded-For."""

    name: bytes
    of: str
    """Which: a key of `X_FORWARDED`."""

    action: ForwardedAction

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        _act(context, self.name, self.action, X_FORWARDED[self.of](context.exchange))


@frozen
class DefaultForwarders:
    """Says of the client what a proxy says where nothing else is configured: each X-Forwarded is set, Forwarded removed."""

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        exchange = context.exchange
        headers, said = context.headers, said_of_client(exchange, exchange.path_base)
        for name, _ in headers.only(IDENTITY):
            headers.remove(name)
        headers.extend(Headers(None, said.lines))


# -- Forwarded ------------------------------------------------------------------------------------------------------


@frozen
class Forwarded:
    """Says everything of the client in one header (RFC 7239): `proto=http;host="a:80";for="[::1]:5";by=_hidden`."""

    action: ForwardedAction
    proto: bool = False
    host: bool = False
    for_format: NodeFormat = NodeFormat.NONE
    by_format: NodeFormat = NodeFormat.NONE
    randomness: Randomness = field(default=random, eq=False, repr=False)

    def __call__(self, context: RequestTransformContext) -> None:
        """Apply it."""
        _act(context, b"Forwarded", self.action, self._said(context.exchange).encode("ascii"))

    def _said(self, exchange: Exchange) -> str:
        parts = []
        if self.proto:
            parts.append(f"proto={_proto(exchange).decode()}")
        if self.host and exchange.request.host:
            parts.append(f'host="{exchange.request.host.decode("ascii")}"')
        if self.for_format is not NodeFormat.NONE:
            parts.append(f"for={self._node(exchange.client, self.for_format)}")
        if self.by_format is not NodeFormat.NONE:
            parts.append(f"by={self._node(exchange.server, self.by_format)}")
        return ";".join(parts)

    def _node(self, address: Address, node: NodeFormat) -> str:
        what, _, port = node.value.partition("And")
        host, number = address[0].partition("%")[0], address[1]
        name = self._random_id() if what == "Random" else "unknown"
        if what == "Ip" and host:
            name = f"[{host}]" if ":" in host else host
        if port == "RandomPort":
            name += f":{self._random_id()}"
        elif port and number:
            name += f":{number}"
        return f'"{name}"' if ":" in name else name

    def _random_id(self) -> str:
        return "_" + "".join(self.randomness.choices(_ID_CHARACTERS, k=_ID_LENGTH))

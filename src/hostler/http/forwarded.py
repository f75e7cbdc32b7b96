"""What proxies say of the one that sent them a request: X-Forwarded-For, -Proto and -Host, and Forwarded (RFC 7239).

Each proxy writes behind what came, so that the last entry is the word of the nearest. Entries are read from there, one at
a time: what a client wrote in front, however broken, has no part in how they are understood. A name that is on several
lines is one list, in the order of the lines (RFC 9110 5.3).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.contract import Address
    from hostler.http.headers import RawHeaders

__all__ = ["Hop", "forwarded_hops", "x_forwarded_hops"]

_MAX_NODE: Final = 128
"""Bytes of the longest address that is read; those of an IPv6 address with its port are 47."""


class Hop(NamedTuple):
    """What one proxy says of the one that sent it the request."""

    client: Address | None
    """Its address, with port 0 where none is said; None where the proxy hides it, or does not know it."""

    scheme: str | None
    """How it sent the request: `http` or `https`; None where that is not said."""

    host: bytes | None
    """Which host it asked for, unchecked; None where that is not said."""


def x_forwarded_hops(fields: RawHeaders) -> Iterator[Hop]:
    """Give the hops that X-Forwarded headers say, from the nearest on; `fields` are (lower-case name, value).

    They end in front of an entry of X-Forwarded-For that is no address. The last entries of -Proto and -Host are the same
    hop's as its last one, and so on; where these have fewer, the hops in front say nothing of it, and where they have
    more, the rest is nobody's. Without X-Forwarded-For there is one hop.
    """
    schemes, hosts = _entries(fields, b"x-forwarded-proto"), _entries(fields, b"x-forwarded-host")
    said = False
    for entry in _entries(fields, b"x-forwarded-for"):
        said = True
        try:
            client = _node(entry, is_strict=False)
        except ValueError:
            return
        yield Hop(client, _scheme(next(schemes, None)), next(hosts, None))
    if not said:
        yield Hop(None, _scheme(next(schemes, None)), next(hosts, None))


def forwarded_hops(fields: RawHeaders) -> Iterator[Hop]:
    """Give the hops that Forwarded says, from the nearest on; `fields` are (lower-case name, value).

    They end in front of an element that the grammar does not know (RFC 7239 4), or whose `for` is no node (6).
    """
    for element in _entries(fields, b"forwarded"):
        said = _parameters(element)
        if said is None:
            return
        node = said.get(b"for")
        try:
            client = None if node is None else _node(node, is_strict=True)
        except ValueError:
            return
        yield Hop(client, _scheme(said.get(b"proto")), said.get(b"host"))


def _entries(fields: RawHeaders, wanted: bytes) -> Iterator[bytes]:
    """Give the entries of a list, the last first, without the empty ones (RFC 9110 5.6.1); in linear time."""
    quotes = wanted == b"forwarded"
    for name, text in reversed(fields):
        if name != wanted:
            continue
        end = len(text)
        while end >= 0:
            comma = _comma_before(text, end) if quotes else text.rfind(b",", 0, end)
            if entry := text[comma + 1 : end].strip(b" \t"):
                yield entry
            end = comma


def _comma_before(text: bytes, end: int) -> int:
    """Return where the last comma is that stands in no quoted string, or -1.

    An opening quote follows an equals sign, which no other quote that is well-formed does.
    """
    comma, quote = text.rfind(b",", 0, end), text.rfind(b'"', 0, end)
    while quote > comma:
        opening = text.rfind(b'="', 0, quote)
        if opening < 0:
            return -1
        if comma > opening:
            comma = text.rfind(b",", 0, opening)
        quote = text.rfind(b'"', 0, opening)
    return comma


_PAIR: Final = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)="
    rb"(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|\"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)\")"
)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


def _parameters(element: bytes) -> dict[bytes, bytes] | None:
    """Read `forwarded-element`: values by lower-case name; None for what is none, or says something twice."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(element):
        if element.startswith(b";", at):
            at += 1
            continue
        pair = _PAIR.match(element, at)
        if pair is None or not (pair.end() == len(element) or element.startswith(b";", pair.end())):
            return None
        name, token, quoted = pair.groups()
        if (key := name.lower()) in found:
            return None
        found[key] = token or _ESCAPE.sub(rb"\1", quoted)
        at = pair.end()
    return found


_SCHEMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
"""Those of WebSockets are what some proxies say of a handshake."""


def _scheme(text: bytes | None) -> str | None:
    return None if text is None else _SCHEMES.get(text.lower())


@lru_cache(maxsize=1024)
def _node(text: bytes, *, is_strict: bool) -> Address | None:
    """Read `node` (RFC 7239 6): an address, None for `unknown` and for what is obfuscated; raises ValueError.

    Unless it is strict, an IPv6 address may do without brackets, as it does in X-Forwarded-For.
    """
    if len(text) > _MAX_NODE:
        raise ValueError("too long for an address")
    node = text.decode("ascii")
    if not is_strict and node.count(":") > 1 and not node.startswith("["):
        return _ipv6(node), 0
    found = _NODE.fullmatch(node)
    if found is None:
        raise ValueError("no address")
    ipv6, ipv4, port = found.group(1, 2, 3)
    number = int(port) if port and port.isdigit() else 0
    if number > 65535:
        raise ValueError("no port")
    if ipv6 is not None:
        return _ipv6(ipv6), number
    return None if ipv4 is None else (str(ipaddress.IPv4Address(ipv4)), number)


_NODE: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)|(?i:unknown)|_[A-Za-z0-9._-]+)(?::(?:([0-9]{1,5})|_[A-Za-z0-9._-]+))?"
)


def _ipv6(text: str) -> str:
    """Return an IPv6 address as `exchange.client` has it; a zone means nothing on another machine, and is refused."""
    if "%" in text:
        raise ValueError("an address with a zone")
    address = ipaddress.IPv6Address(text)
    return str(address.ipv4_mapped or address)

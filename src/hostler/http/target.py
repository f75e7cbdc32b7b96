r"""Request targets and the Host they are for: split, decode, normalise, join with a destination (RFC 9112 3.2).

A target has two lives. `path` is what routes and URL prefixes are matched against: decoded, its dot segments gone.
`forward_path` is what a destination receives: the client's own spelling, less the dot segments. Both have the same
segments, one for one, so that what is matched at the front of the one can be cut from the front of the other.

What is strict, and why:

- Escapes are decoded once, as UTF-8; what is not UTF-8 is kept by surrogateescape. `%2F` stays `%2F` in `path`
  (HTTP.sys does so too), which makes it look there as `%252F` does; `forward_path` keeps the two apart.
- Dot segments are removed after decoding (RFC 3986 5.2.4), so `%2e%2e` climbs no higher than `..`.
- A backslash is no slash. Bare, it is refused; as `%5C` it is a character of its segment.
- Some destinations do take `%2F` or `%5C` for a slash, or decode twice. A segment of which a piece between such
  separators is a dot segment there, with or without `;` parameters, is refused: `..%2Fadmin`, `.%2Fadmin`, `a%5C.`,
  `%252e%252e%255Cadmin`.
- In a path, escapes of U+0000-1F and U+007F are refused (HTTP.sys without AllowRestrictedChars), and so is a `%`
  without two hex digits. The query is passed on as it came; its escapes are its reader's business.
- Anywhere, bare controls, spaces, bytes over 7E and `#` are refused.
- A `//` is kept: what is between is an empty segment.
- Whether a destination may take what is left for another path is noted (`Target.is_ambiguous`) and judged with the
  routes (`routing.readings`).
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import string
from typing import NoReturn
from urllib.parse import quote_from_bytes

from attrs import define

from hostler.errors import ProtocolError

__all__ = [
    "Target",
    "check_path",
    "decode_path",
    "encode_path",
    "escape",
    "join",
    "parse_host",
    "parse_target",
]

_PATH_CHARACTERS = "!$&'()*+,-./0123456789:;=@_~" + string.ascii_letters
"""What YARP leaves as it is when it writes a path; everything else is escaped."""

_PATH = _PATH_CHARACTERS.encode()
_PATH_ESCAPED = _PATH + b"%"
_VISIBLE = bytes(range(0x21, 0x7F))
_QUERY = _VISIBLE.replace(b"#", b"")
_BARE = _QUERY.replace(b"\\", b"").replace(b"?", b"")
_HOST = (string.ascii_letters + string.digits + "-._~!$&'()*+;=").encode()
_HEX = string.hexdigits
_ESCAPES = {
    (high + low).encode(): bytes((value,)) if value != 0x2F else b"%2F"
    for high in _HEX
    for low in _HEX
    if (value := int(high + low, 16)) > 0x1F and value != 0x7F
}
"""What two hex digits stand for: a byte, or for a slash the escape itself."""

_ESCAPED_SEPARATOR = re.compile(rb"\\|%2f|%5c", re.IGNORECASE)
"""What some destinations take for a slash in a path that was decoded once."""

_ESCAPE = re.compile(rb"(%[0-9A-Fa-f]{2})")

_AMBIGUOUS = re.compile(r"//|%|\\|/\.\.?;")
"""What has more than one reading in a path that was decoded once, and has no dot segments."""

_ILLEGAL = {byte: f"%{byte:02X}".encode() for byte in range(0x21, 0x7F) if byte not in _PATH and byte != 0x25}


@define(eq=False)
class Target:
    """A request target, taken apart."""

    path: str
    """Decoded, for matching; empty for `*` and for CONNECT."""

    query: bytes | None
    """What follows the first `?`, as it came; None when there is no `?`, which is not the same as an empty query."""

    authority: bytes | None
    """The authority of an absolute-form or of CONNECT, which counts more than Host (RFC 9112 3.2.2)."""

    raw_path: bytes
    """The path as it came, or `*`; empty for CONNECT."""

    forward_path: bytes
    """The path for a destination: `raw_path` itself unless it had dot segments or characters that need escaping."""

    is_ambiguous: bool = False
    """Whether a destination may read the path in another way: see `routing.readings`."""

    def forward_after(self, path_base: str) -> bytes:
        """Give `forward_path` without its front, which `path_base` is, decoded: the `PrefixMatch.path_base`."""
        if not path_base:
            return self.forward_path
        depth = path_base.count("/") + 1
        pieces = self.forward_path.split(b"/", depth)
        return b"/" + pieces[depth] if len(pieces) > depth else b""


def parse_target(method: str, raw: bytes) -> Target:
    """Take a request line's target apart; raises ProtocolError for one that is malformed or not for the method."""
    if 0x3F in raw:  # "?"; the number is found four times faster than the byte string
        path, _, query = raw.partition(b"?")
        if query.translate(None, _QUERY):
            _reject(query, _QUERY)
    else:
        path, query = raw, None
    if not path.translate(None, _PATH) and path[:1] == b"/" and method != "CONNECT":
        decoded = path.decode("ascii")
        if "/." not in decoded:
            return Target(decoded, query, None, path, path, "//" in decoded)
    return _parse_unusual(method, raw, path, query)


def _parse_unusual(method: str, raw: bytes, path: bytes, query: bytes | None) -> Target:
    """Parse what is not the plainest origin-form; `path` and `query` are `raw`, split."""
    if method == "CONNECT":
        if parse_host(raw)[1] is None:
            raise ProtocolError("the target of CONNECT has no port, it must be host:port")
        return Target("", None, raw, b"", b"")
    if path[:1] == b"/":
        decoded, forward = _normalise(path)
        return Target(decoded, query, None, path, forward, _is_ambiguous(decoded))
    if raw == b"*" and method == "OPTIONS":
        return Target("", None, None, raw, raw)
    return _parse_absolute(method, path, query)


def _parse_absolute(method: str, uri: bytes, query: bytes | None) -> Target:
    """Parse an absolute-form (RFC 9112 3.2.2); `uri` ends before the query."""
    scheme, colon, rest = uri.partition(b"://")
    if not colon or scheme.lower() not in {b"http", b"https"}:
        raise ProtocolError("the request target is neither a path nor an http or https URL")
    authority, slash, path = rest.partition(b"/")
    host, _ = parse_host(authority)
    if not host:
        raise ProtocolError("the request target's URL names no host")
    if not slash:
        if query is not None:
            raise ProtocolError("the request target's URL has a query but no path")
        # RFC 9112 3.2.4: such an OPTIONS asks about the server as a whole.
        return (
            Target("", None, authority, b"*", b"*")
            if method == "OPTIONS"
            else Target("/", None, authority, b"/", b"/")
        )
    raw_path = b"/" + path
    decoded, forward = _normalise(raw_path)
    return Target(decoded, query, authority, raw_path, forward, _is_ambiguous(decoded))


def _normalise(raw: bytes) -> tuple[str, bytes]:
    """Decode a path that begins with a slash, and respell it for a destination."""
    if illegal := raw.translate(None, _PATH_ESCAPED):
        if illegal.translate(None, _BARE):
            _reject(raw, _BARE)
        forward = b"".join([_ILLEGAL.get(byte) or bytes((byte,)) for byte in raw])
    else:
        forward = raw
    decoded = _decode(raw) if 0x25 in raw else raw
    if 0x5C in decoded or 0x25 in decoded:
        _refuse_escaped_climb(decoded)
    if b"/." in decoded:
        decoded, forward = _without_dots(decoded, forward)
    return decoded.decode("utf-8", "surrogateescape"), forward


def _is_ambiguous(path: str) -> bool:
    return _AMBIGUOUS.search(path) is not None


def _decode(raw: bytes) -> bytes:
    """Decode the escapes of a path, %2F excepted."""
    pieces = raw.split(b"%")
    decoded = [pieces[0]]
    for piece in pieces[1:]:
        character = _ESCAPES.get(piece[:2])
        if character is None:
            raise ProtocolError(f"the request target has a bad escape: {_shown(b'%' + piece[:2])}")
        decoded += (character, piece[2:])
    return b"".join(decoded)


def _without_dots(decoded: bytes, forward: bytes) -> tuple[bytes, bytes]:
    """Remove dot segments (RFC 3986 5.2.4) from a path and from its twin, which has the same segments."""
    kept: list[tuple[bytes, bytes]] = []
    segment = b""
    for segment, twin in zip(decoded.split(b"/")[1:], forward.split(b"/")[1:], strict=True):
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append((segment, twin))
    if segment in {b".", b".."}:
        kept.append((b"", b""))
    return b"/" + b"/".join([item[0] for item in kept]), b"/" + b"/".join([item[1] for item in kept])


def _refuse_escaped_climb(decoded: bytes) -> None:
    for segment in decoded.split(b"/"):
        pieces = _ESCAPED_SEPARATOR.split(segment)
        if len(pieces) > 1 and any(map(_is_dots, pieces)):
            raise ProtocolError("the request target has a dot segment beside an escaped slash or backslash")


def _is_dots(piece: bytes) -> bool:
    """Tell whether a destination may take a piece for a dot segment: decode it once more, drop its `;` parameters."""
    return piece.partition(b";")[0].lower().replace(b"%2e", b".") in {b".", b".."}


def _reject(raw: bytes, legal: bytes) -> NoReturn:
    raise ProtocolError(
        f"the request target has {_shown(raw.translate(None, legal)[:1])}, which is not legal in it"
    )


def _shown(raw: bytes) -> str:
    return repr(raw)[1:]


def encode_path(path: str) -> bytes:
    """Escape a decoded path for a request line: YARP's set stays, everything else becomes %XX of its UTF-8.

    `%2F` stays `%2F`, since that is how `Target.path` spells an escaped slash; YARP escapes its `%` again.
    """
    raw = path.encode("utf-8", "surrogateescape")
    if not raw.translate(None, _PATH):
        return raw
    return "%2F".join(quote_from_bytes(piece, _PATH_CHARACTERS) for piece in raw.split(b"%2F")).encode(
        "ascii"
    )


def decode_path(path: bytes) -> str:
    """Decode the escapes of a path, `%2F` excepted; raises ProtocolError for one that is none."""
    return _decode(path).decode("utf-8", "surrogateescape")


def escape(path: str) -> bytes:
    """Escape what cannot stand in a path, and leave what is an escape already."""
    raw = path.encode("utf-8", "surrogateescape")
    if not raw.translate(None, _PATH):
        return raw
    return b"".join([
        one if _ESCAPE.fullmatch(one) else quote_from_bytes(one, _PATH_CHARACTERS).encode("ascii")
        for one in _ESCAPE.split(raw)
    ])  # fmt: skip


def check_path(path: bytes) -> None:
    """Refuse a path that a stage or a transform made and that climbs or cannot be sent: raises ProtocolError."""
    target = parse_target("GET", path)
    if target.forward_path != path or target.authority is not None or target.query is not None:
        raise ProtocolError(f"{_shown(path)} is not a path without dot segments")


def join(base_path: bytes, path: bytes, query: bytes | None) -> bytes:
    """Make the target for a destination: its address's path, then the request's path, then the query.

    `path` is empty, `*` (which stays alone, RFC 9112 3.2.4) or begins with a slash, which counts once together with
    one that ends `base_path`. A `base_path` with scheme and host in front makes a target in absolute form, of which
    `*` leaves these two.
    """
    if path == b"*":
        return path if base_path[:1] in b"/" else b"/".join(base_path.split(b"/", 3)[:3])
    if path and base_path[-1:] == b"/":
        target = base_path[:-1] + path if len(base_path) > 1 else path
    else:
        target = base_path + path or b"/"
    return target if query is None else b"%b?%b" % (target, query)


@functools.lru_cache(maxsize=1024)
def parse_host(value: bytes) -> tuple[str, int | None]:
    """Split `uri-host [":" port]` (RFC 9110 7.2) into the host, lower-cased, and the port or None.

    An IPv6 address keeps its brackets and is compressed. The dot that a fully qualified name may end in is taken off:
    `example.com.` is `example.com`, to routes and URL prefixes too. An empty value is an empty host, which is legal when a
    target has no authority; `:80` is not. Commas and escapes are refused, though RFC 3986 lets a name have them: a comma
    is what a joined pair of Host headers has, and no host is known by an escape. Raises ProtocolError.
    """
    if value[:1] == b"[":
        address, bracket, rest = value[1:].partition(b"]")
        if not bracket or (rest and rest[:1] != b":"):
            raise ProtocolError(f"not a host: {_shown(value)}")
        host, port = _ipv6(address), rest[1:]
    else:
        name, _, port = value.partition(b":")
        relative = name.removesuffix(b".")
        if name.translate(None, _HOST) or len(name) > 255 or b".." in name or (value and not relative):
            raise ProtocolError(f"not a host: {_shown(value)}")
        host = relative.decode("ascii").lower()
    if not port:
        return host, None
    if not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise ProtocolError(f"not a port: {_shown(port)} in host {_shown(value)}")
    return host, int(port)


def _ipv6(address: bytes) -> str:
    if b"%" not in address:  # a zone is the client's own business
        with contextlib.suppress(ValueError):
            return f"[{ipaddress.IPv6Address(address.decode('ascii')).compressed}]"
    raise ProtocolError(f"not an IPv6 address: {_shown(address)}")

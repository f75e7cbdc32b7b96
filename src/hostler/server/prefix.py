"""URL prefixes, `scheme://host:port/path/`: parse, order and match them as HTTP.sys does.

Beyond that, `http+unix://%2Frun%2Fapp.sock/path/` is a prefix on a Unix socket, and `https+unix://` the same with TLS:
what arrives there goes by its path alone, whatever its Host. A request's own address is (the socket's path, 0) then.

What a host in a prefix says decides its category, and categories are searched in this order:

1. `+`           strong wildcard: every request on the port;
2. a name        requests whose Host is that name (`localhost` too: only Host: localhost);
3. an address    requests that arrived at that local address, whatever their Host; `0.0.0.0` and `[::]` are every
                 local address of their family, after the exact one;
4. `*`           weak wildcard: every request that nothing before took.

The first category with a match ends the search. Inside it the longest path wins; paths are compared by whole
segments and without case. Categories do not conflict with each other: the same path may be registered in each.
Sources: "UrlPrefix Strings" of the HTTP Server API, and UrlPrefix.Create of ASP.NET Core.
"""

from __future__ import annotations

import enum
import ipaddress
import string
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from hostler.errors import PrefixError, ProtocolError, redact
from hostler.http.unix_socket import split_unix_url, unix_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.contract import Address

__all__ = ["Category", "PrefixMatch", "PrefixTable", "UrlPrefix"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNIX_SCHEMES = {"http+unix", "https+unix"}
_NAME = frozenset(string.ascii_lowercase + string.digits + "-._")
_ZONE = frozenset(string.ascii_letters + string.digits + "-._~")
_LOOPBACK = ("127.0.0.1", "::1")
_ANY = ("0.0.0.0", "::")  # noqa: S104 - what a wildcard asks for


class Category(enum.IntEnum):
    """What the host of a prefix says; the smaller is searched first."""

    STRONG_WILDCARD = 1
    HOST = 2
    ADDRESS = 3
    WEAK_WILDCARD = 4


@frozen
class UrlPrefix:
    """A URL prefix, normalised; make one with `UrlPrefix.parse`. Equal to another that differs by case only."""

    scheme: str
    """`http` or `https`."""

    host: str
    """`+` (on a Unix socket always), `*`, an IPv4 address, an IPv6 address in brackets, or a lower-cased name (IDNA, without a last dot)."""

    port: int
    """1 to 65535; 0 means: pick a free one when listening begins. On a Unix socket it is 0."""

    path: str = field(eq=str.lower)
    """Decoded; begins and ends with a slash."""

    socket_path: str | None = field(default=None, kw_only=True)
    """The Unix socket that it is on."""

    category: Category = field(init=False, eq=False, repr=False)

    @category.default
    def _category(self) -> Category:
        if self.host == "+":
            return Category.STRONG_WILDCARD
        if self.host == "*":
            return Category.WEAK_WILDCARD
        return Category.HOST if _address(self.host) is None else Category.ADDRESS

    @classmethod
    def parse(cls, text: str) -> UrlPrefix:
        """Parse a prefix; a missing port is the scheme's, a missing last slash is added. Raises PrefixError."""
        scheme, colon, rest = text.partition("://")
        if not colon:
            raise _error(text, "it has no ://", "write it as http://host:port/path/")
        if scheme in _UNIX_SCHEMES:
            return cls._parse_unix(text, scheme.removesuffix("+unix"))
        if scheme not in _DEFAULT_PORTS:
            raise _error(
                text, f"its scheme is {scheme!r}", "begin it with http:// or https://, in lower case"
            )
        authority, _, path = rest.partition("/")
        host, port = _split_authority(text, authority)
        number = _port(text, scheme, port)
        path = "/" + path.lstrip("/")
        return cls(scheme, _host(text, host), number, path if path.endswith("/") else path + "/")

    @classmethod
    def _parse_unix(cls, text: str, scheme: str) -> UrlPrefix:
        try:
            socket_path, path = split_unix_url(text)
        except ValueError as error:
            raise PrefixError(str(error)) from None
        path = "/" + path.lstrip("/")
        return cls(scheme, "+", 0, path if path.endswith("/") else path + "/", socket_path=socket_path)

    @property
    def picks_port(self) -> bool:
        """Whether its port is picked when listening begins."""
        return not self.port and self.socket_path is None

    def __str__(self) -> str:
        if self.socket_path is not None:
            return unix_url(self.socket_path, self.path, self.scheme)
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"

    def addresses(self) -> tuple[str, ...]:
        """Give the narrowest local addresses whose listeners see every request that this prefix can match."""
        if self.socket_path is not None:
            return (self.socket_path,)
        if self.host == "localhost":
            return _LOOPBACK
        return _ANY if (address := _address(self.host)) is None else (address,)


def _error(text: str, reason: str, remedy: str) -> PrefixError:
    if "@" in text:  # what precedes it may be a password, also in the reason
        reason, remedy = "it has a user", "write it as http://host:port/path/"
        text = redact(text) if "//" in text else f"***{text[text.rindex('@') :]}"
    return PrefixError(f"{text!r} is not a URL prefix: {reason}; {remedy}")


def _split_authority(text: str, authority: str) -> tuple[str, str | None]:
    """Split a host and its port, None when there is no colon."""
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _error(text, f"{authority!r} is no IPv6 address in brackets", "write it as [::1]:port")
        return host + bracket, rest[1:] if rest else None
    if authority.count(":") > 1:
        raise _error(
            text, f"{authority!r} has more than one colon", "put an IPv6 address in brackets: [::1]:port"
        )
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _port(text: str, scheme: str, port: str | None) -> int:
    if port is None:
        return _DEFAULT_PORTS[scheme]
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > 65535:
        raise _error(text, f"{port!r} is not a port", "use a number from 1 to 65535")
    if port.startswith("0") and port != "0":
        raise _error(text, f"port {port!r} begins with a zero", f"write {port.lstrip('0') or '0'}")
    return int(port)


def _host(text: str, host: str) -> str:
    """Normalise a host."""
    if host in {"+", "*"}:
        return host
    if not host:
        raise _error(text, "it has no host", "use a name, an address, + or * (every host)")
    if host.startswith("*."):
        raise _error(text, f"{host!r} is a pattern", "use * here and the pattern in a route's hosts")
    if host.startswith("["):
        if (address := _address(host)) is None:
            raise _error(
                text, f"{host!r} is no IPv6 address", "write it as [::1], or with a zone as [fe80::1%25eth0]"
            )
        return f"[{address.replace('%', '%25')}]"
    try:
        name = host.encode("idna").decode("ascii").lower() if not host.isascii() else host.lower()
    except UnicodeError:
        name = ""
    name = name.removesuffix(".")
    if not all(name.split(".")) or not _NAME.issuperset(name):
        raise _error(text, f"{host!r} is not a host name", "use a name, an address, + or * (every host)")
    if name.replace(".", "").isdigit() and _address(name) is None:
        raise _error(
            text, f"{host!r} is no IPv4 address", "write four numbers from 0 to 255, as in 127.0.0.1"
        )
    return name


def _address(host: str) -> str | None:
    """Give the address that a host is, without brackets, or None when it is a name or a wildcard.

    The zone of an IPv6 address is behind %25 in brackets, and behind % without (RFC 6874, RFC 4007 11).
    """
    try:
        if host.startswith("["):
            address, mark, zone = host[1:-1].partition("%25")
            if "%" in address or (mark and not _ZONE.issuperset(zone)):
                return None
            return ipaddress.IPv6Address(f"{address}%{zone}" if mark else address).compressed
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None


@define(eq=False)
class PrefixMatch:
    """The prefix that takes a request, and the request's path split after it, in the request's own spelling.

    `path_base` has no slash at its end; `path` is empty or begins with one.
    """

    prefix: UrlPrefix
    path_base: str
    path: str


@define(eq=False)
class _Paths:
    """The prefixes of one host on one port, by path."""

    prefixes: dict[str, UrlPrefix] = field(factory=dict)
    """By path, lower-cased and without its last slash: "" is the prefix of every path."""

    deepest: int = 0
    """The most segments that a prefix has."""

    def add(self, prefix: UrlPrefix) -> None:
        key = prefix.path[:-1].lower()
        self.prefixes[key] = prefix
        self.deepest = max(self.deepest, key.count("/"))

    def find(self, path: str) -> PrefixMatch | None:
        prefixes = self.prefixes
        if self.deepest:
            # Slashes at the front count as one, and stay in the path base.
            extra = len(path) - len(path.lstrip("/")) - 1 if path.startswith("//") else 0
            depth = self.deepest + 1
            key = "/".join(path[extra:].lower().split("/", depth)[:depth])
            while key:
                if (prefix := prefixes.get(key)) is not None:
                    return _cut(prefix, path, key.count("/") + extra)
                key = key[: key.rfind("/")]
        prefix = prefixes.get("")
        return None if prefix is None else PrefixMatch(prefix, "", path)


def _cut(prefix: UrlPrefix, path: str, slashes: int) -> PrefixMatch:
    """Split a path before the slash that follows the first `slashes` of them."""
    pieces = path.split("/", slashes + 1)
    if len(pieces) == slashes + 1:
        return PrefixMatch(prefix, path, "")
    rest = "/" + pieces[-1]
    return PrefixMatch(prefix, path[: -len(rest)], rest)


@define(eq=False)
class _Port:
    """The prefixes of one port, by category."""

    scheme: str
    strong: _Paths = field(factory=_Paths)
    hosts: dict[str, _Paths] = field(factory=dict)
    addresses: dict[str, _Paths] = field(factory=dict)
    weak: _Paths = field(factory=_Paths)

    def paths(self, prefix: UrlPrefix) -> _Paths:
        """Give the place of a prefix, and make it if it is the first of its host."""
        if prefix.category is Category.STRONG_WILDCARD:
            return self.strong
        if prefix.category is Category.WEAK_WILDCARD:
            return self.weak
        if prefix.category is Category.HOST:
            return self.hosts.setdefault(prefix.host, _Paths())
        return self.addresses.setdefault(_address(prefix.host) or "", _Paths())

    def find(self, host: str, local_ip: str, path: str) -> PrefixMatch | None:
        if self.strong.prefixes and (match := self.strong.find(path)) is not None:
            return match
        named = self.hosts.get(host)
        if named is not None and (match := named.find(path)) is not None:
            return match
        if self.addresses and (match := self.find_address(local_ip, path)) is not None:
            return match
        return self.weak.find(path) if self.weak.prefixes else None

    def find_address(self, local_ip: str, path: str) -> PrefixMatch | None:
        for key in (local_ip, local_ip.partition("%")[0], _ANY[":" in local_ip]):
            paths = self.addresses.get(key)
            if paths is not None and (match := paths.find(path)) is not None:
                return match
        return None


class PrefixTable:
    """The prefixes that are registered, and which of them takes a request."""

    def __init__(self) -> None:
        self._ports: dict[int | str, _Port] = {}
        """By port, and by the path of a Unix socket."""
        self._prefixes: dict[UrlPrefix, None] = {}
        self._only: UrlPrefix | None = None
        self._only_at: str | None = None

    def __iter__(self) -> Iterator[UrlPrefix]:
        return iter(self._prefixes)

    def __len__(self) -> int:
        return len(self._prefixes)

    def __contains__(self, prefix: UrlPrefix) -> bool:
        return prefix in self._prefixes

    def add(self, prefix: UrlPrefix) -> None:
        """Register a prefix; raises PrefixError when it is registered, or its port carries the other scheme."""
        if prefix in self._prefixes:
            raise PrefixError(
                f"{prefix} is already registered; remove it first, or use another path, host or port"
            )
        if prefix.picks_port:
            raise PrefixError(f"{prefix} has no port yet; register it with the one that was picked for it")
        at = prefix.socket_path or prefix.port
        place = self._ports.get(at) or _Port(prefix.scheme)
        if place.scheme != prefix.scheme:
            what = "port" if prefix.socket_path is None else "socket"
            raise PrefixError(
                f"{prefix} needs a {what} of its own; {what} {at} carries {place.scheme} already"
            )
        self._ports[at] = place
        place.paths(prefix).add(prefix)
        self._prefixes[prefix] = None
        self._set_only()

    def remove(self, prefix: UrlPrefix) -> None:
        """Forget a prefix; raises PrefixError when it is not registered."""
        if prefix not in self._prefixes:
            raise PrefixError(f"{prefix} is not registered; give it as it was added, or as str() shows it")
        remaining = [other for other in self._prefixes if other != prefix]
        self._ports, self._prefixes, self._only = {}, {}, None
        for other in remaining:
            self.add(other)

    def _set_only(self) -> None:
        """Note the one prefix of a table that has no other and takes every request on its port."""
        self._only = None
        if len(self._prefixes) == 1:
            (prefix,) = self._prefixes
            if prefix.path == "/" and prefix.category is not Category.HOST:
                self._only = prefix
                self._only_at = prefix.socket_path or _address(prefix.host)

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path) of a request under the prefix that `match` finds; most tables have one for all.

        `server` is where the request arrived. Raises ProtocolError: 400 when no prefix has its host, 404 when none has
        its path.
        """
        local_ip, port = server
        only = self._only
        if (
            only is not None
            and only.port == port
            and only.scheme == scheme
            and (self._only_at is None or self._only_at == local_ip)
        ):
            return "", path or "/"
        path = path or "/"
        found = self.match(scheme, host, port, local_ip, path)
        if found is None:
            raise self._refusal(host, server, path)
        return found.path_base, found.path

    def _refusal(self, host: str, server: Address, path: str) -> ProtocolError:
        local_ip, port = server
        everywhere = "[::]" if ":" in local_ip else "0.0.0.0"  # noqa: S104 - compared, not bound
        hosts = {host, "+", "*", local_ip, f"[{local_ip.replace('%', '%25')}]", everywhere}
        ours = (prefix for prefix in self if prefix.port == port and prefix.socket_path in {None, local_ip})
        if any(prefix.host in hosts for prefix in ours):
            return ProtocolError(f"no URL prefix takes {path}", 404)
        return ProtocolError(f"no URL prefix takes the host {host!r}")

    def match(self, scheme: str, host: str, port: int, local_ip: str, path: str) -> PrefixMatch | None:
        """Find the prefix that takes a request, or None.

        `host` is what `http.target.parse_host` makes of Host; `port` and `local_ip` are where the request arrived;
        `path` is decoded. On a Unix socket they are 0 and the socket's path.
        """
        only = self._only
        if only is not None and (self._only_at is None or self._only_at == local_ip):
            return PrefixMatch(only, "", path) if only.port == port and only.scheme == scheme else None
        place = self._ports.get(port or local_ip)
        return place.find(host, local_ip, path) if place is not None and place.scheme == scheme else None

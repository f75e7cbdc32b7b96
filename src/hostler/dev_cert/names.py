"""The hosts that a development certificate is for, and what an authority vouches for with them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from hostler.errors import CertificateError

__all__ = ["LOCAL", "LOCAL_SUBTREES", "Name", "Subtree", "is_within", "parse", "subtree_of"]

Name: TypeAlias = str | IPv4Address | IPv6Address
"""A host name, lower-cased, which may begin with `*.`; or an address."""

Subtree: TypeAlias = str | IPv4Network | IPv6Network
"""A host name with everything below it; or a network."""

LOCAL: Final[tuple[Name, ...]] = ("localhost", ip_address("127.0.0.1"), ip_address("::1"))
"""What every development certificate is for."""

LOCAL_SUBTREES: Final[tuple[Subtree, ...]] = ("localhost", ip_network("127.0.0.0/8"), ip_network("::1/128"))

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def parse(text: str) -> Name:
    """Return what a name on the command line means; raises CertificateError for what is none."""
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        pass
    name = text.lower().removesuffix(".")
    wildcard = name.startswith("*.")
    host = name.removeprefix("*.")
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise CertificateError(f"{text!r} is no host name: {error}") from error
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise CertificateError(
            f"{text!r} is no host name; expected one such as app.test, *.app.test or 192.168.1.2"
        )
    if wildcard and len(labels) == 1:
        raise CertificateError(f"{text!r} is for too much, and clients do not accept it; give each name")
    return f"*.{host}" if wildcard else host


def subtree_of(name: Name) -> Subtree:
    """Return the least that an authority has to vouch for, to vouch for a name."""
    return name.removeprefix("*.") if isinstance(name, str) else ip_network(name)


def is_within(name: Name, subtrees: tuple[Subtree, ...]) -> bool:
    """Whether an authority that vouches for `subtrees` vouches for a name."""
    if isinstance(name, str):
        host = name.removeprefix("*.")
        return any(isinstance(tree, str) and (host == tree or host.endswith(f".{tree}")) for tree in subtrees)
    return any(not isinstance(tree, str) and name in tree for tree in subtrees)

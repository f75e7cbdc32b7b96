"""The options of `run` and `serve` for proxies in front: what a document says in its section `TrustedProxies`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hostler.config.trusted import TrustedSection

__all__ = ["add_trusted", "trusted_of"]


def add_trusted(parser: ArgumentParser) -> None:
    """Add whose word counts, and what of it."""
    group = parser.add_argument_group("proxies in front")
    group.add_argument(
        "--trusted-proxy", metavar="NETWORK", action="append",
        help="a proxy that is believed when it says whom a request is from: an address, a network such as 10.0.0.0/8, "
        "or unix for the peers of Unix sockets; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--trusted-headers", choices=["x-forwarded", "forwarded"],
        help="in which headers it says so: X-Forwarded-For, -Proto and -Host, or Forwarded (default x-forwarded)",
    )  # fmt: skip
    group.add_argument(
        "--trusted-limit", metavar="NUMBER", type=int,
        help="how many proxies in a row are believed; -1 for any number (default 1)",
    )  # fmt: skip
    group.add_argument(
        "--trusted-hosts", metavar="HOST,...", type=_listed,
        help="the hosts that it may say the client asked for, which decides the route: names, and *.example.org for "
        "those below it (default: none)",
    )  # fmt: skip
    group.add_argument(
        "--proxy-protocol", action="store_true",
        help="demand of every connection to a --url that it begins with a header of the PROXY protocol, from a "
        "--trusted-proxy",
    )  # fmt: skip


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def trusted_of(args: Namespace) -> TrustedSection | None:
    """Return what the options say as a section, None for nothing."""
    said = args.trusted_proxy, args.trusted_headers, args.trusted_limit, args.trusted_hosts
    if all(value is None for value in said):
        return None
    from hostler.config.trusted import TrustedSection  # noqa: PLC0415 - for who is behind a proxy

    networks, headers, limit, hosts = said
    return TrustedSection(networks=networks, headers=headers, forward_limit=limit, allowed_hosts=hosts)

"""`hostler dev-cert`: a certificate for development."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hostler.dev_cert.names import parse
from hostler.errors import UnsupportedError
from hostler.output import write_out

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from hostler.dev_cert.store import Renewed, Store

__all__ = ["add_options", "execute"]


def add_options(parser: ArgumentParser) -> None:
    """Add the options of `dev-cert`."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*",
        help="what it is for besides localhost, 127.0.0.1 and ::1: host names, *.names, addresses "
        "(default: those of the certificate that is there)",
    )  # fmt: skip
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        help="where they are kept, with the key of the authority (default: where this user's configuration is)",
    )
    parser.add_argument(
        "--new-ca",
        action="store_true",
        help="make another authority, for names that the one there does not vouch for; it has to be trusted anew",
    )


def execute(args: Namespace) -> int:
    """Make the certificate, and say how to use it."""
    names = [parse(name) for name in args.names]
    try:
        from hostler.dev_cert.store import Store, default_directory  # noqa: PLC0415 - they need an extra
    except ImportError as error:
        raise UnsupportedError(
            'hostler dev-cert needs an extra: pip install "hostler[certificates]"'
        ) from error
    store = Store(args.directory.absolute() if args.directory else default_directory())
    renewed = store.renew(names, datetime.now(UTC), new_ca=args.new_ca)
    write_out(_report(store, renewed))
    return 0


def _report(store: Store, renewed: Renewed) -> str:
    from hostler.dev_cert.trusting import how_to_trust, quote  # noqa: PLC0415 - with something to trust

    authority = renewed.authority
    state = "new: have it trusted, as below" if renewed.is_new else "kept: who trusts it goes on to"
    return (
        f"authority:   {store.ca}, until {authority.until:%Y-%m-%d} ({state})\n"
        f"  vouches for {', '.join(map(str, authority.subtrees))}, with what is below these names, and nothing else\n"
        f"certificate: {store.certificate}, until {renewed.certificate.until:%Y-%m-%d}\n"
        f"  for {', '.join(map(str, renewed.names))}\n"
        f"key:         {store.key}\n\n"
        "to serve with it (a server that has it already reads it again by itself):\n"
        f"  hostler run CONFIG --url https://localhost:8443/ --cert {quote(store.certificate)} --key {quote(store.key)}\n\n"
        "to have the authority trusted, and no longer:\n"
        f"{how_to_trust(store.ca)}"
    )

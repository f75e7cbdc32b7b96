"""`hostler cert`: which certificates HTTP.sys answers https with."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final
from uuid import UUID

from hostler.commands.administration import add_dry_run, say_done, windows_for
from hostler.output import write_out
from hostler.server.httpsys.configuration import netsh
from hostler.server.httpsys.configuration.endpoint import TlsEndpoint
from hostler.server.httpsys.configuration.errors import refused
from hostler.server.httpsys.configuration.stored import ends_of
from hostler.server.httpsys.constants import SslFlag
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from datetime import datetime

    from hostler.errors import HostlerError
    from hostler.server.httpsys.configuration.certificates import CertificateBinding

__all__ = ["APP_ID", "add_options", "execute"]

APP_ID: Final = UUID("7d2f1c0e-5b1a-4a7c-9d55-6f0c1b3a9e42")
"""Whose bindings ours are, unless `--app-id` says otherwise."""

_WHAT: Final = "certificates of addresses"
_INVISIBLE: Final = "\u200e\u200f\ufeff"
"""What comes along when a thumbprint is copied out of the dialogue of Windows."""

_SHA1: Final = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `cert`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=argparse.ArgumentParser)
    bind = actions.add_parser("bind", help="have https on an address or a name answered with a certificate")
    _add_endpoint(bind)
    bind.add_argument(
        "thumbprint",
        metavar="THUMBPRINT",
        type=_thumbprint,
        help="the certificate's SHA-1, 40 hexadecimal digits",
    )
    bind.add_argument("--store", metavar="NAME", default="MY",
                      help="in which store of the local machine it is, with its private key (default %(default)s)")  # fmt: skip
    bind.add_argument(
        "--app-id", metavar="GUID", type=_guid, default=APP_ID, help="whose it is (default: hostler's)"
    )
    bind.add_argument(
        "--client-certificates", action="store_true", help="ask clients for theirs when they connect"
    )
    bind.add_argument(
        "--replace", action="store_true", help="take the place of the certificate that is bound there"
    )
    add_dry_run(bind)
    bind.set_defaults(action=_bind)
    show = actions.add_parser("list", help="list what is bound on this machine, and when it ends")
    show.set_defaults(action=_list)
    remove = actions.add_parser("remove", help="remove what is bound; the certificate stays in its store")
    _add_endpoint(remove)
    add_dry_run(remove)
    remove.set_defaults(action=_remove)


def execute(args: argparse.Namespace) -> int:
    """Bind, list or remove."""
    status: int = args.action(args)
    return status


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "endpoint", metavar="ENDPOINT", type=_endpoint,
        help="an address and a port, 0.0.0.0:443 or [::]:443 for every one, or a name and a port, example.com:443",
    )  # fmt: skip


def _endpoint(text: str) -> TlsEndpoint:
    try:
        return TlsEndpoint.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _thumbprint(text: str) -> bytes:
    try:
        thumbprint = bytes.fromhex(text.strip(_INVISIBLE).replace(":", ""))
    except ValueError:
        thumbprint = b""
    if len(thumbprint) != _SHA1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no thumbprint; expected 40 hexadecimal digits, such as those that this prints: "
            "Get-ChildItem Cert:\\LocalMachine\\My"
        )
    return thumbprint


def _guid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no GUID; expected one such as {APP_ID}") from None


# -- the actions ------------------------------------------------------------------------------------------------------


def _bind(args: argparse.Namespace) -> int:
    endpoint: TlsEndpoint = args.endpoint
    line = netsh.add_certificate(
        endpoint, args.thumbprint, args.app_id, args.store,
        client_certificates=args.client_certificates, replace=args.replace,
    )  # fmt: skip
    if args.dry_run:
        write_out(f"{line}\n")
        return 0
    windows = windows_for(_WHAT)
    from hostler.server.httpsys.configuration import certificates, store  # noqa: PLC0415 - they need cffi

    flags = SslFlag.NEGOTIATE_CLIENT_CERT if args.client_certificates else SslFlag(0)
    wanted = certificates.CertificateBinding(endpoint, args.thumbprint, args.app_id, args.store, flags)
    with store.open_store(windows) as opened:
        try:
            certificates.bind(opened, wanted, replace=args.replace)
        except Win32Error as error:
            found = certificates.find(opened, endpoint)
            if found == wanted:
                return say_done(f"{args.thumbprint.hex()} is bound to {endpoint} already", line)
            raise _refused(wanted, found, error, line) from error
    return say_done(f"bound {args.thumbprint.hex()} to {endpoint}", line)


def _refused(
    wanted: CertificateBinding, found: CertificateBinding | None, error: Win32Error, line: str
) -> HostlerError:
    owner = (
        "hostler" if found and found.app == APP_ID else f"application {{{found.app}}}" if found else "others"
    )
    return refused(
        f"{wanted.thumbprint.hex()} cannot be bound to {wanted.endpoint}", error, line,
        {
            ErrorCode.ERROR_ALREADY_EXISTS: (
                f"{found.thumbprint.hex() if found else 'another certificate'} is bound there, by {owner}; "
                "replace it with --replace, or choose another endpoint"
            ),
            ErrorCode.ERROR_FILE_NOT_FOUND: "nothing is bound there that could be replaced; leave out --replace",
            ErrorCode.ERROR_NO_SUCH_LOGON_SESSION: (
                f"no certificate that HTTP.sys can use has this thumbprint in store {wanted.store} of the local machine; "
                "it must be there with its private key: look with "
                f"Get-ChildItem Cert:\\LocalMachine\\{wanted.store} | Format-List Thumbprint, Subject, HasPrivateKey"
            ),
        },
    )  # fmt: skip


def _list(args: argparse.Namespace) -> int:
    windows = windows_for(_WHAT)
    from hostler.server.httpsys.configuration import certificates, store  # noqa: PLC0415 - they need cffi

    ends: dict[str, dict[bytes, datetime]] = {}
    with store.open_store(windows) as opened:
        for binding in certificates.bindings(opened):
            if binding.store not in ends:
                ends[binding.store] = ends_of(binding.store)
            write_out(f"{_describe(binding, ends[binding.store].get(binding.thumbprint))}\n")
    return 0


def _describe(binding: CertificateBinding, ends: datetime | None) -> str:
    until = f"until {ends:%Y-%m-%d}" if ends else "end unknown"
    owner = "hostler" if binding.app == APP_ID else f"{{{binding.app}}}"
    asks = ", asks clients for certificates" if binding.flags & SslFlag.NEGOTIATE_CLIENT_CERT else ""
    return f"{binding.endpoint}  {binding.thumbprint.hex()}  {binding.store}, {until}, of {owner}{asks}"


def _remove(args: argparse.Namespace) -> int:
    line = netsh.delete_certificate(args.endpoint)
    if args.dry_run:
        write_out(f"{line}\n")
        return 0
    windows = windows_for(_WHAT)
    from hostler.server.httpsys.configuration import certificates, store  # noqa: PLC0415 - they need cffi

    with store.open_store(windows) as opened:
        try:
            certificates.remove(opened, args.endpoint)
        except Win32Error as error:
            raise refused(
                f"what is bound to {args.endpoint} cannot be removed", error, line,
                {ErrorCode.ERROR_FILE_NOT_FOUND: "nothing is bound to exactly this endpoint; see: hostler cert list"},
            ) from error  # fmt: skip
    return say_done(f"removed what was bound to {args.endpoint}", line)

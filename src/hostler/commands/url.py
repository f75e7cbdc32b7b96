"""`hostler url`: who may register which URLs with HTTP.sys."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hostler.commands.administration import add_dry_run, say_done, windows_for
from hostler.errors import HostlerError
from hostler.output import write_out
from hostler.server.httpsys.configuration import netsh
from hostler.server.httpsys.configuration.errors import refused
from hostler.server.httpsys.errors import user_name
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.configuration.reservations import Reservation

__all__ = ["add_options", "execute"]

_WHAT = "URL reservations"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `url`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=argparse.ArgumentParser)
    reserve = actions.add_parser(
        "reserve", help="let a user or a group register a URL prefix, and what is below it"
    )
    _add_prefix(reserve)
    who = reserve.add_mutually_exclusive_group()
    who.add_argument(
        "--user", metavar="NAME", help="who may, such as 'NT AUTHORITY\\NETWORK SERVICE' (default: you)"
    )
    who.add_argument(
        "--sddl", metavar="SDDL", help="who may, as a security descriptor, such as D:(A;;GX;;;NS)"
    )
    add_dry_run(reserve)
    reserve.set_defaults(action=_reserve)
    show = actions.add_parser("list", help="list the reservations of this machine, with whom they are for")
    show.set_defaults(action=_list)
    remove = actions.add_parser("remove", help="remove a reservation")
    _add_prefix(remove)
    add_dry_run(remove)
    remove.set_defaults(action=_remove)


def execute(args: argparse.Namespace) -> int:
    """Reserve, list or remove."""
    status: int = args.action(args)
    return status


def _add_prefix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prefix",
        metavar="PREFIX",
        type=_prefix,
        help="a URL prefix such as http://+:8080/ or https://localhost:8443/",
    )


def _prefix(text: str) -> UrlPrefix:
    try:
        prefix = UrlPrefix.parse(text)
    except HostlerError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not prefix.port:
        raise argparse.ArgumentTypeError(f"{text!r} has port 0; use a number from 1 to 65535")
    return prefix


# -- the actions ------------------------------------------------------------------------------------------------------


def _reserve(args: argparse.Namespace) -> int:
    user = args.user or user_name()
    line = netsh.add_reservation(args.prefix, user=user, sddl=args.sddl)
    if args.dry_run:
        write_out(f"{line}\n")
        return 0
    windows = windows_for(_WHAT)
    from hostler.server.httpsys.configuration import reservations, store  # noqa: PLC0415 - they need cffi

    try:
        sddl = args.sddl or reservations.sddl_for(windows, user)
    except Win32Error as error:
        raise HostlerError(f"{user!r} is no user and no group here ({error}); write DOMAIN\\name") from error
    wanted = reservations.Reservation(str(args.prefix), sddl)
    with store.open_store(windows) as opened:
        try:
            reservations.reserve(opened, wanted)
        except Win32Error as error:
            found = reservations.find(opened, wanted.url)
            if found == wanted:
                return say_done(f"{args.prefix} is reserved for {args.sddl or user} already", line)
            raise _refused(windows, wanted, found, error, line) from error
    return say_done(f"reserved {args.prefix} for {args.sddl or user}", line)


def _refused(
    windows: Windows, wanted: Reservation, found: Reservation | None, error: Win32Error, line: str
) -> HostlerError:
    return refused(
        f"{wanted.url} cannot be reserved", error, line,
        {
            ErrorCode.ERROR_ALREADY_EXISTS: (
                f"it is reserved already, for {_who(windows, found) if found else 'others'}; "
                f"remove that first, with: hostler url remove {wanted.url}"
            ),
            ErrorCode.ERROR_INVALID_PARAMETER: (
                f"HTTP.sys takes it for no URL prefix, or {wanted.sddl} for no security descriptor"
            ),
        },
    )  # fmt: skip


def _list(args: argparse.Namespace) -> int:
    windows = windows_for(_WHAT)
    from hostler.server.httpsys.configuration import reservations, store  # noqa: PLC0415 - they need cffi

    with store.open_store(windows) as opened:
        for reservation in reservations.reservations(opened):
            write_out(f"{reservation.url}  {_who(windows, reservation)}\n")
    return 0


def _who(windows: Windows, reservation: Reservation) -> str:
    """Say whom a reservation is for."""
    from hostler.server.httpsys.configuration.reservations import trustees  # noqa: PLC0415 - it needs cffi

    found = [f"{name} ({rights})" for name, rights in trustees(windows, reservation)]
    return ", ".join(found) or reservation.sddl


def _remove(args: argparse.Namespace) -> int:
    line = netsh.delete_reservation(args.prefix)
    if args.dry_run:
        write_out(f"{line}\n")
        return 0
    windows = windows_for(_WHAT)
    from hostler.server.httpsys.configuration import reservations, store  # noqa: PLC0415 - they need cffi

    with store.open_store(windows) as opened:
        try:
            reservations.remove(opened, str(args.prefix))
        except Win32Error as error:
            raise refused(
                f"the reservation of {args.prefix} cannot be removed", error, line,
                {ErrorCode.ERROR_FILE_NOT_FOUND: "no reservation has exactly this URL; see: hostler url list"},
            ) from error  # fmt: skip
    return say_done(f"removed the reservation of {args.prefix}", line)

"""URL prefixes: whether they can be listened on, and if not, who has the port."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hostler.doctor.finding import Finding, Verdict
from hostler.doctor.holders import holders_of, holders_of_path
from hostler.errors import HostlerError, ListenError
from hostler.explaining import explain
from hostler.server.base import ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context
    from hostler.doctor.holders import Holder
    from hostler.server.httpsys.api import Windows
    from hostler.server.prefix import UrlPrefix

__all__ = ["examine_ports"]


def examine_ports(context: Context) -> Iterator[Finding]:
    """Bind each prefix for a moment, as the server would, and find out why that fails where it does."""
    for prefix in context.prefixes:
        if not prefix.picks_port:
            yield _listen(prefix, context)
        else:
            yield Finding(str(prefix), Verdict.OK, "takes any port that is free")


def _listen(prefix: UrlPrefix, context: Context) -> Finding:
    # a document says what it needs; the default is only a suggestion
    broken = Verdict.BROKEN if context.document else Verdict.WARNING
    try:
        if context.server is ServerKind.USERMODE:
            _bind_in_user_mode(prefix)
        elif context.windows is None:
            return Finding(str(prefix), broken, f"there is no HTTP.sys to listen: {context.no_windows}")
        else:
            _listen_in_kernel(prefix, context.windows)
    except ListenError as error:
        return _refused(prefix, error, context, broken)
    except HostlerError as error:
        return Finding(str(prefix), broken, _reason(prefix, error))
    return Finding(str(prefix), Verdict.OK, "can be listened on")


def _bind_in_user_mode(prefix: UrlPrefix) -> None:
    from hostler.server.usermode import listening  # noqa: PLC0415 - of no use with HTTP.sys

    # where it is Linux, a server that starts meanwhile gets the port: only who listens keeps it from others
    _, sockets = listening.bind([prefix], backlog=None)
    for sock in sockets:
        sock.close()


def _listen_in_kernel(prefix: UrlPrefix, windows: Windows) -> None:
    from hostler.server.httpsys.queue import create_queue  # noqa: PLC0415 - it needs cffi
    from hostler.server.httpsys.session import ServerSession  # noqa: PLC0415 - it needs cffi

    queue = create_queue(windows)
    try:
        session = ServerSession(windows)
        try:
            session.group().add_all([prefix], queue)
        finally:
            session.close()
    finally:
        queue.close()


def _refused(prefix: UrlPrefix, error: ListenError, context: Context, broken: Verdict) -> Finding:
    what = str(prefix)
    if error.errno == errno.EACCES and context.server is ServerKind.HTTPSYS:
        return Finding(
            what, broken, "this user may not register it with HTTP.sys",
            f"once, as an administrator: hostler url reserve {prefix} --user NAME",
        )  # fmt: skip
    path, port = prefix.socket_path, prefix.port
    where, other = (f"port {port}", "port") if path is None else (path, "path")
    holders: tuple[Holder, ...] = ()
    if error.errno == errno.EADDRINUSE:
        holders = holders_of(port, context.windows) if path is None else holders_of_path(path)
    if not holders:
        return Finding(what, broken, _reason(prefix, error))
    names = ", ".join(map(str, holders))
    if all(holder.is_hostler for holder in holders):
        return Finding(what, Verdict.OK, f"hostler listens on {where} already: {names}")
    if context.server is ServerKind.HTTPSYS and any("HTTP.sys" in holder.program for holder in holders):
        return Finding(
            what, Verdict.WARNING, "it is registered with HTTP.sys already, perhaps by the server itself",
            "to see by whom, as an administrator: netsh http show servicestate view=requestq",
        )  # fmt: skip
    return Finding(
        what, broken, f"{where} is taken by {names}", f"stop that program, or choose another {other}"
    )


def _reason(prefix: UrlPrefix, error: HostlerError) -> str:
    """Say why, without what the finding is about."""
    text = explain(error).removeprefix("cannot listen on ")
    return text.removeprefix(f"{prefix}: ")

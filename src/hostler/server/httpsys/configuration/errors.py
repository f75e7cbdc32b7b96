"""What HTTP.sys refuses of a change to the machine's configuration, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.errors import HostlerError
from hostler.server.httpsys.errors import user_name
from hostler.windows.constants import ErrorCode

if TYPE_CHECKING:
    from hostler.windows.errors import Win32Error

__all__ = ["refused"]


def refused(what: str, error: Win32Error, line: str, remedies: dict[int, str]) -> HostlerError:
    """Make the error for a change that was refused, such as `http://+:80/ cannot be reserved`.

    `line` is what does the same in netsh; `remedies` has what to say to codes that mean something special here.
    """
    reason = remedies.get(error.code, error.text(error.code))
    if error.code == ErrorCode.ERROR_ACCESS_DENIED:
        reason = (
            f"{user_name()} may not change what holds for the whole machine; run this in a terminal that was opened "
            f'with "Run as administrator", or have an administrator run there: {line}'
        )
    return HostlerError(f"{what}: {reason}")

"""The log that HTTP.sys writes of what it serves (HTTP_LOGGING_INFO)."""

from __future__ import annotations

import enum
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

from attrs import converters, field, frozen

from hostler.server.options.check import ULONG, Choice, text, whole, yes_or_no

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["LogField", "LogFormat", "LogOnly", "Logging", "Rollover"]

_MIB: Final = 1 << 20
_DIRECTORY: Final = 212
"""Characters of a directory's name: 424 bytes (HTTP_LOGGING_INFO.DirectoryNameLength)."""


class LogFormat(Choice):
    """How a line is written (HTTP_LOGGING_TYPE)."""

    W3C = "w3c"
    """Columns that are chosen, named at the file's head."""

    IIS = "iis"
    NCSA = "ncsa"


class LogField(enum.Flag):
    """A column of a W3C log (HTTP_LOG_FIELD_...)."""

    DATE = enum.auto()
    TIME = enum.auto()
    CLIENT_IP = enum.auto()
    USER_NAME = enum.auto()
    SITE_NAME = enum.auto()
    COMPUTER_NAME = enum.auto()
    SERVER_IP = enum.auto()
    METHOD = enum.auto()
    URI_STEM = enum.auto()
    URI_QUERY = enum.auto()
    STATUS = enum.auto()
    WIN32_STATUS = enum.auto()
    BYTES_SENT = enum.auto()
    BYTES_RECV = enum.auto()
    TIME_TAKEN = enum.auto()
    SERVER_PORT = enum.auto()
    USER_AGENT = enum.auto()
    COOKIE = enum.auto()
    REFERER = enum.auto()
    VERSION = enum.auto()
    HOST = enum.auto()
    SUB_STATUS = enum.auto()
    STREAM_ID = enum.auto()


_USUAL: Final = (
    LogField.DATE | LogField.TIME | LogField.SERVER_IP | LogField.METHOD | LogField.URI_STEM | LogField.URI_QUERY
    | LogField.SERVER_PORT | LogField.USER_NAME | LogField.CLIENT_IP | LogField.USER_AGENT | LogField.REFERER
    | LogField.STATUS | LogField.SUB_STATUS | LogField.WIN32_STATUS | LogField.TIME_TAKEN
)  # fmt: skip


class Rollover(Choice):
    """When a new file is begun (HTTP_LOGGING_ROLLOVER_TYPE)."""

    SIZE = "size"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class LogOnly(Choice):
    """Which responses are logged, when not all are (HTTP_LOGGING_FLAG_LOG_..._ONLY)."""

    ERRORS = "errors"
    SUCCESSES = "success"


def _directory(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not PureWindowsPath(value).is_absolute():
        raise ValueError(
            f"directory: {value!r} is not a full path of Windows; write one, as in C:\\logs\\hostler"
        )
    text("a directory", longest=_DIRECTORY)(instance, attribute, value)


def _fields(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, LogField) or not value:
        raise ValueError(f"fields: {value!r} names no LogField; combine them with |")


@frozen(kw_only=True)
class Logging:
    """Where and what HTTP.sys logs of the responses of this server (HttpServerLoggingProperty of the URL group)."""

    directory: str = field(validator=_directory)
    """A full path or a UNC one, up to 212 characters; no other server may log there. HTTP.sys makes the files."""

    format: LogFormat = field(default=LogFormat.W3C, converter=LogFormat)
    fields: LogField = field(default=_USUAL, validator=_fields)
    """The columns, for W3C only; the default is IIS's."""

    rollover: Rollover = field(default=Rollover.DAILY, converter=Rollover)
    rollover_size: float | None = field(
        default=None, validator=whole(_MIB, ULONG - 1, "a number of bytes", infinite=True)
    )
    """Bytes of a file, for `Rollover.SIZE` only: at least 1 MiB, `math.inf` for one file for ever."""

    local_time: bool = field(default=False, validator=yes_or_no)
    """A day begins at local midnight, not at UTC's (LOCAL_TIME_ROLLOVER)."""

    utf8: bool = field(default=False, validator=yes_or_no)
    """Text is written as UTF-8, not in the system's code page (USE_UTF8_CONVERSION)."""

    only: LogOnly | None = field(default=None, converter=converters.optional(LogOnly))
    """Only errors, or only the rest; None for all (LOG_ERRORS_ONLY, LOG_SUCCESS_ONLY)."""

    software: str | None = field(default=None, validator=text("a name", longest=260))
    """What stands behind `#Software:` in a W3C log; None for HTTP.sys's own name."""

    def __attrs_post_init__(self) -> None:
        """Have a size exactly where files are cut by it."""
        if self.rollover is Rollover.SIZE and self.rollover_size is None:
            raise ValueError("rollover_size is missing: say how many bytes a file may have, or math.inf")
        if self.rollover is not Rollover.SIZE and self.rollover_size is not None:
            raise ValueError(
                f"rollover_size is for Rollover.SIZE, and this is {self.rollover}; leave one of the two out"
            )

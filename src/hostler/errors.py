"""What can go wrong, and whose fault it is.

Exceptions are for whoever calls hostler::

    HostlerError
     +-- ConfigError            the document or the objects given to Proxy are wrong (all problems at once)
     +-- PrefixError            not a URL prefix
     +-- ListenError            a URL prefix cannot be listened on
     +-- CertificateError       a certificate, its key or an authority's cannot be used
     +-- UnsupportedError       this platform, or this version of hostler, cannot do that
     +-- ProtocolError          a peer broke HTTP
     +-- DelegationError        an exchange cannot be delegated any more
     +-- WorkerError            a worker process cannot start
     +-- LifespanError          an ASGI application refused to start
     +-- QueueError             a request queue cannot be used
          +-- QueueNameError    not a legal queue name
          +-- NoSuchQueueError  no process holds a queue of that name
          +-- QueueExistsError  another process holds a queue of that name
          +-- QueueAccessError  the queue belongs to another user

What breaks on the wire while an exchange is under way is data, not an exception: a `Failure` says where the
exchange broke, whose fault that was, and which status a client gets that has not been answered yet.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CertificateError",
    "ConfigError",
    "DelegationError",
    "Failure",
    "HostlerError",
    "LifespanError",
    "ListenError",
    "NoSuchQueueError",
    "PrefixError",
    "Problem",
    "ProtocolError",
    "QueueAccessError",
    "QueueError",
    "QueueExistsError",
    "QueueNameError",
    "Reason",
    "Severity",
    "Side",
    "UnsupportedError",
    "WorkerError",
    "redact",
]

_USER = re.compile(r"//.*@|(?<=[\"'])[^\s\"'/{]+:[^\s\"']*@", re.DOTALL)
_MAX_SHOWN = 1000
"""Characters of a problem that are shown."""


class HostlerError(Exception):
    """The base of every exception that hostler raises on purpose."""


def redact(text: str) -> str:
    """Leave out of a text what may be a user and a password in an address."""
    return _USER.sub("//***@", text)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


class Severity(enum.Enum):
    """Whether a configuration with a problem can be used."""

    ERROR = "error"
    WARNING = "warning"


@frozen
class Problem:
    """One thing that is wrong with a configuration: where it is, and what to do.

    As text it can be printed: control characters are escaped, passwords in addresses left out.
    """

    path: str
    """Where, in dots and indexes: `Routes.api.Match.Path`."""

    message: str
    """What is wrong, what was expected, what to do."""

    severity: Severity = Severity.ERROR
    line: int | None = None
    """The line of the document, from 1, where that is known."""

    source: str | None = None
    """The file or the variable that says so, where that is known."""

    lacks: str = ""
    """What is missing for it, as a path: nobody is told so of what is there and cannot be read."""

    def __str__(self) -> str:
        pieces = [
            self.source,
            "" if self.line is None else f"line {self.line}",
            "warning" if self.severity is Severity.WARNING else "",
            self.path,
            self.message,
        ]
        text = _printable(redact(": ".join(filter(None, pieces))))
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


class ConfigError(HostlerError, ValueError):
    """A configuration that cannot be used; `problems` holds every reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def at(self, source: str) -> ConfigError:
        """Return the same, said of a file or a variable."""
        return ConfigError(evolve(problem, source=problem.source or source) for problem in self.problems)


class PrefixError(HostlerError, ValueError):
    """Text that is not a URL prefix."""


class ListenError(HostlerError, OSError):
    """A URL prefix that cannot be listened on: the port is taken, not permitted, or not an address of this host."""


class CertificateError(HostlerError, ValueError):
    """A certificate, its key, or an authority's certificate that cannot be used: which file, why, what to do."""


class UnsupportedError(HostlerError):
    """Something that this platform, or this version of hostler, cannot do."""


class ProtocolError(HostlerError):
    """A peer's bytes are not HTTP as RFC 9112 has it; `status` is what a client gets for it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class DelegationError(HostlerError, RuntimeError):
    """An exchange that cannot be delegated: its body was read, its response has begun, or it is over."""


class WorkerError(HostlerError, RuntimeError):
    """A worker process that cannot start: its application cannot be imported, or refuses to."""


class LifespanError(HostlerError, RuntimeError):
    """An ASGI application refused to start; the message is its own."""


class QueueError(HostlerError):
    """A request queue that cannot be used."""


class QueueNameError(QueueError, ValueError):
    """Text that is not a queue name: empty, over 130 characters, or not a legal file name."""


class NoSuchQueueError(QueueError):
    """No process holds a queue of that name (HTTP.sys: ERROR_FILE_NOT_FOUND)."""


class QueueExistsError(QueueError):
    """A queue of that name exists already (HTTP.sys: ERROR_ALREADY_EXISTS)."""


class QueueAccessError(QueueError):
    """The queue belongs to another user (HTTP.sys: ERROR_ACCESS_DENIED)."""


class Side(enum.Enum):
    """Whose fault a failure is."""

    CLIENT = "client"
    PROXY = "proxy"
    DESTINATION = "destination"


class Reason(enum.Enum):
    """Where an exchange broke: YARP's ForwarderError, name by name.

    Each carries the side at fault, the status of an answer that has not begun, and a sentence.
    """

    REQUEST = (
        "Request",
        Side.DESTINATION,
        502,
        "the destination could not be reached or did not answer in HTTP",
    )
    REQUEST_TIMED_OUT = ("RequestTimedOut", Side.DESTINATION, 504, "the destination did not answer in time")
    REQUEST_CANCELED = ("RequestCanceled", Side.CLIENT, 400, "the client went away before the answer began")
    REQUEST_BODY_CANCELED = (
        "RequestBodyCanceled",
        Side.CLIENT,
        400,
        "the client went away while sending its body",
    )
    REQUEST_BODY_CLIENT = (
        "RequestBodyClient",
        Side.CLIENT,
        400,
        "the client's body broke off or broke the rules",
    )
    REQUEST_BODY_DESTINATION = (
        "RequestBodyDestination", Side.DESTINATION, 502, "the destination stopped taking the request's body",
    )  # fmt: skip
    RESPONSE_HEADERS = (
        "ResponseHeaders",
        Side.DESTINATION,
        502,
        "the destination's head cannot be passed on",
    )
    RESPONSE_BODY_CANCELED = ("ResponseBodyCanceled", Side.CLIENT, 502, "the answer was cancelled under way")
    RESPONSE_BODY_CLIENT = ("ResponseBodyClient", Side.CLIENT, 502, "the client went away during the answer")
    RESPONSE_BODY_DESTINATION = (
        "ResponseBodyDestination", Side.DESTINATION, 502, "the destination broke off its answer",
    )  # fmt: skip
    UPGRADE_REQUEST_CANCELED = (
        "UpgradeRequestCanceled",
        Side.PROXY,
        101,
        "the upgraded connection was cancelled",
    )
    UPGRADE_REQUEST_CLIENT = (
        "UpgradeRequestClient",
        Side.CLIENT,
        101,
        "the client broke the upgraded connection",
    )
    UPGRADE_REQUEST_DESTINATION = (
        "UpgradeRequestDestination", Side.DESTINATION, 101, "the destination stopped taking upgraded data",
    )  # fmt: skip
    UPGRADE_RESPONSE_CANCELED = (
        "UpgradeResponseCanceled",
        Side.PROXY,
        101,
        "the upgraded connection was cancelled",
    )
    UPGRADE_RESPONSE_CLIENT = (
        "UpgradeResponseClient",
        Side.CLIENT,
        101,
        "the client stopped taking upgraded data",
    )
    UPGRADE_RESPONSE_DESTINATION = (
        "UpgradeResponseDestination", Side.DESTINATION, 101, "the destination broke the upgraded connection",
    )  # fmt: skip
    NO_AVAILABLE_DESTINATIONS = ("NoAvailableDestinations", Side.PROXY, 503, "no destination is available")
    REQUEST_CREATION = (
        "RequestCreation",
        Side.PROXY,
        502,
        "the request to the destination could not be made",
    )
    UPGRADE_ACTIVITY_TIMEOUT = (
        "UpgradeActivityTimeout", Side.PROXY, 101, "nothing moved on the upgraded connection for too long",
    )  # fmt: skip

    def __init__(self, yarp_name: str, side: Side, status: int, sentence: str) -> None:
        self.yarp_name = yarp_name
        self.side = side
        self.status = status
        self.sentence = sentence


def _without_tracebacks(error: BaseException | None) -> BaseException | None:
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None and link.__traceback__ is not None:
            link.__traceback__ = None
            chain += (link.__cause__, link.__context__)
    return error


@frozen
class Failure:
    """Where an exchange broke, whose fault it was, and which status that maps to."""

    reason: Reason
    detail: str = ""
    """What happened, in words: the operating system's or the parser's message."""

    cause: BaseException | None = field(default=None, eq=False, converter=_without_tracebacks)
    """What was raised, without its traceback: that would lead back to the frames that keep the failure."""

    status: int = field()
    """The status of an answer that has not begun: 4xx or 5xx."""

    side: Side = field()

    @status.default
    def _status(self) -> int:
        return self.reason.status

    @side.default
    def _side(self) -> Side:
        return self.reason.side

    def __str__(self) -> str:
        return f"{self.reason.yarp_name}: {self.detail or self.reason.sentence}"

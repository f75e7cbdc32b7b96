"""What HTTP.sys has and no other server (the properties of URL groups and request queues; HttpSysOptions)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen, validators

from hostler.server.options.authentication import Authentication, ChannelBinding
from hostler.server.options.check import ULONG, Choice, whole, yes_or_no
from hostler.server.options.log import Logging

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["Completion", "HttpSysOptions", "Verbosity"]


class Verbosity(Choice):
    """What a client gets of a 503 that HTTP.sys makes itself (Http503VerbosityLevel)."""

    BASIC = "basic"
    """A connection that is reset."""

    LIMITED = "limited"
    """503 Service Unavailable."""

    FULL = "full"
    """503 with the reason: QueueFull, AppOffline, ConnLimit."""


class Completion(Choice):
    """Who waits for HTTP.sys to be done with a call."""

    AUTO = "auto"
    """The Proactor event loop where its private parts are as expected and a probe comes through; else the thread."""

    THREAD = "thread"
    """A thread of its own, which wakes the event loop; works with every loop."""

    PROACTOR = "proactor"
    """The Proactor event loop itself; where it cannot be, the server does not start."""


_SDDL: Final = re.compile(r"[OGDS]:[^\0]*")


def _security_descriptor(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, str) and _SDDL.fullmatch(value)):
        raise ValueError(
            f"security_descriptor: {value!r} is no security descriptor; write SDDL, as in D:(A;;GA;;;BA)(A;;GA;;;IU)"
        )


@frozen(kw_only=True)
class HttpSysOptions:
    """How HTTP.sys is to serve; what is left out stays as Windows has it."""

    receives: int | None = field(default=None, validator=whole(1, 65535, "a number of calls"))
    """Calls that wait for requests at a time; None for five per processor (MaxAccepts)."""

    receive_buffer: int = field(
        default=16384, validator=whole(1024, 1 << 24, "a number of bytes", none=False)
    )
    """Bytes for a request's head in each of them; a larger one costs one call more (HttpReceiveHttpRequest)."""

    max_connections: float | None = field(
        default=None, validator=whole(0, ULONG - 1, "a number of connections", infinite=True)
    )
    """Connections at a time, more get 503; None for the machine's limit, `math.inf` for none (MaxConnections).

    HttpQosSettingTypeConnectionLimit; the machine's is MaxConnections in HTTP.sys's registry.
    """

    verbosity: Verbosity = field(default=Verbosity.BASIC, converter=Verbosity)
    """What a client gets of a 503 that HTTP.sys makes itself (Http503Verbosity, HttpServer503VerbosityProperty)."""

    min_send_rate: int | None = field(
        default=None, validator=whole(0, ULONG - 1, "a number of bytes a second")
    )
    """Bytes a second that a client must take, or be dropped; None for 150, 0 for any (MinSendBytesPerSecond)."""

    bandwidth: int | None = field(
        default=None, validator=whole(1024, ULONG - 1, "a number of bytes a second")
    )
    """Bytes a second that are sent in all; None for no limit (HttpQosSettingTypeBandwidth)."""

    security_descriptor: str | None = field(default=None, validator=_security_descriptor)
    """Who may open the queue when this process makes it, in SDDL; None for this user (RequestQueueSecurityDescriptor).

    `D:(A;;GA;;;BA)(A;;GA;;;S-1-5-82-...)` lets administrators and one application pool in.
    """

    authentication: Authentication | None = field(
        default=None, validator=validators.optional(validators.instance_of(Authentication))
    )
    """Windows authentication; None for none (AuthenticationManager)."""

    channel_binding: ChannelBinding | None = field(
        default=None, validator=validators.optional(validators.instance_of(ChannelBinding))
    )
    """Extended protection for it; None for none (HttpServerChannelBindProperty)."""

    logging: Logging | None = field(
        default=None, validator=validators.optional(validators.instance_of(Logging))
    )
    """HTTP.sys's own log; None for none (HttpServerLoggingProperty)."""

    enabled: bool = field(default=True, validator=yes_or_no)
    """Whether requests are served; with False HTTP.sys answers 503 by itself (HttpServerStateProperty)."""

    completion: Completion = field(default=Completion.AUTO, converter=Completion)
    """Who waits for HTTP.sys to be done with a call."""

    kernel_buffering: bool = field(default=True, validator=yes_or_no)
    """HTTP.sys takes what is sent before the client does (EnableKernelResponseBuffering, false in ASP.NET Core).

    With False each call is over when the client has acknowledged it: a round trip a call, as there is one at a time,
    and less memory of the kernel (HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA). Tunnels are answers too.
    """

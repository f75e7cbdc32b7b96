"""Delegation rules: a target queue's handle, bound to our URL group, and the URL prefix to delegate under.

HTTP.sys lets a process have one handle on a queue for delegating, so that every rule on a queue shares it. The handle
is opened by the first request that needs it. When that fails because there is no such queue, the next request tries
again: its receiver may not have started yet. Every other failure stays until `reset`, since trying again would fail
again. A queue that is lost under an open handle is looked for once more within the request. (YARP: HttpSysDelegator.)
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hostler.errors import Failure, Reason
from hostler.server.delegation import DelegationRules
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import DelegateRequestPropertyId
from hostler.server.httpsys.errors import queue_error
from hostler.server.httpsys.marshal.properties import delegation
from hostler.server.httpsys.queue import open_target
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.http.headers import RawHeaders
    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.queue import QueueHandle
    from hostler.server.httpsys.session import UrlGroup
    from hostler.windows.libraries import Handle

__all__ = ["Delegator", "Rule", "TargetQueue", "delegation_rules"]

_log: Final = logging.getLogger("hostler.server.httpsys.delegation")
_LOST: Final = frozenset({ErrorCode.ERROR_OBJECT_NO_LONGER_EXISTS, ErrorCode.ERROR_INVALID_HANDLE})


class TargetQueue:
    """A queue that is delegated to: not opened yet, open, or failed."""

    def __init__(self, name: str, delegator: Delegator) -> None:
        self.name = name
        self.rules = 0
        self._delegator = delegator
        self._open: QueueHandle | None = None
        self._failed: Win32Error | None = None

    def open(self) -> QueueHandle:
        """Return the open handle; raises Win32Error when it cannot be had, or could not."""
        if self._open is not None:
            return self._open
        if self._failed is not None and self.stuck:
            raise self._failed.with_traceback(None)
        try:
            self._open = self._opened()
        except Win32Error as error:
            self._failed = error
            raise
        self._failed = None
        return self._open

    @property
    def stuck(self) -> bool:
        """Whether it failed so that trying again would not help: nobody tries before it is closed."""
        return self._failed is not None and self._failed.code != ErrorCode.ERROR_FILE_NOT_FOUND

    def _opened(self) -> QueueHandle:
        delegator = self._delegator
        group = delegator.group()
        target = open_target(delegator.windows, self.name)
        try:
            group.set(delegation(target.handle))
        except BaseException:
            target.close()
            raise
        return target

    def close(self) -> None:
        """Let go of the handle, and of what failed; the next request opens it anew."""
        target, self._open, self._failed = self._open, None, None
        if target is not None:
            try:
                self._delegator.group().set(delegation(target.handle, present=False))
            except Win32Error as error:
                _log.debug("queue %s: %s", self.name, error)  # closing the handle says the same
            target.close()


class Rule:
    """A delegation rule; `hostler.server.base.DelegationRule`."""

    def __init__(self, target: TargetQueue, prefix: str, delegator: Delegator) -> None:
        self.queue = target.name
        self.prefix = prefix
        self.target = target
        self.users = 0
        """How many were opened and not given back; with none it delegates nothing."""
        self._delegator = delegator
        self._warned = False
        self._url = ffi.new("char16_t[]", prefix)
        self._property = ffi.new("HTTP_DELEGATE_REQUEST_PROPERTY_INFO *")
        self._property.PropertyId = DelegateRequestPropertyId.DELEGATE_URL
        self._property.PropertyInfoLength = ffi.sizeof(self._url) - ffi.sizeof("char16_t")
        self._property.PropertyInfo = self._url

    def hand_over(self, request: int) -> Failure | None:
        """Hand a request over; returns None, or why it is still ours."""
        if not self.users:
            return self._closed()
        failure = self._attempt(request)
        if isinstance(failure, Win32Error):
            # the queue was lost under the handle that it was open with
            self.target.close()
            failure = self._attempt(request)
            if isinstance(failure, Win32Error):
                failure = self._refused(failure)
        return failure

    def _closed(self) -> Failure:
        why = (
            f"queue {self.queue} left the configuration while the request was under way (a reload or an update), and "
            "HTTP.sys has let go of it; another request follows the routes that are in force"
        )
        return Failure(Reason.NO_AVAILABLE_DESTINATIONS, why)

    def _attempt(self, request: int) -> Failure | Win32Error | None:
        """Try once; returns a Win32Error when the queue is lost."""
        try:
            target = self.target.open()
        except Win32Error as error:
            return self._unavailable(error)
        _log.info("delegating to queue %s under %s", self.queue, self.prefix)
        code = self._delegator.delegate(target.handle, request, self)
        if code == 0:
            return None
        refusal = Win32Error(code, "HttpDelegateRequestEx", self.queue)
        if code in _LOST:
            _log.debug("queue %s is lost: %s", self.queue, refusal)
            return refusal
        if code == ErrorCode.ERROR_CONNECTION_INVALID:
            return Failure(Reason.REQUEST_CANCELED, str(refusal), refusal)
        return self._refused(refusal)

    def _unavailable(self, error: Win32Error) -> Failure:
        why = str(error)
        if error.function == "HttpCreateRequestQueue":
            why = str(queue_error(self.queue, error.code, error.function))
        if self.target.stuck:
            why += "; it is not tried again before a reset (Proxy.reset_queue)"
        _log.info("queue %s cannot be delegated to under %s: %s", self.queue, self.prefix, why)
        return Failure(Reason.NO_AVAILABLE_DESTINATIONS, why, error)

    def _refused(self, error: Win32Error) -> Failure:
        _log.error("delegating to queue %s under %s failed: %s", self.queue, self.prefix, error)
        return Failure(Reason.REQUEST, str(error), error, 503)

    @property
    def property_info(self) -> object:
        """The HTTP_DELEGATE_REQUEST_PROPERTY_INFO that carries the prefix."""
        return self._property

    def leave_behind(self, headers: RawHeaders) -> None:
        """Say once that headers which stages add to an answer do not reach one that another process gives."""
        if headers and not self._warned:
            self._warned = True
            names = ", ".join(sorted({name.decode("latin-1") for name, _ in headers}))
            _log.warning(
                "queue %s answers by itself: headers that stages add (%s) are not on its answers",
                self.queue,
                names,
            )

    def reset(self) -> None:
        """Let go of the queue; the next request opens it anew."""
        _log.info("queue %s under %s was reset", self.queue, self.prefix)
        self.target.close()


class Delegator:
    """What the delegation rules of one server work with."""

    def __init__(self, windows: Windows, group: Callable[[], UrlGroup], source: Callable[[], Handle]) -> None:
        """Delegate from the queue that `source` gives; what is delegated to is bound to the URL group of `group`."""
        self.windows = windows
        self.group = group
        self._source = source

    def delegate(self, target: Handle, request: int, rule: Rule) -> int:
        """Call HttpDelegateRequestEx; group id 0 has HTTP.sys find the group by the prefix."""
        return self.windows.http.HttpDelegateRequestEx(
            self._source(), target, request, 0, 1, rule.property_info
        )


def delegation_rules(delegator: Delegator) -> DelegationRules[TargetQueue, Rule]:
    """Return the table of the rules that `delegator` serves."""
    return DelegationRules(
        lambda queue: TargetQueue(queue, delegator), lambda target, prefix: Rule(target, prefix, delegator)
    )

"""httpapi.dll: the library, sessions, URL groups and queues (C1 to C3 of what Microsoft documents)."""

# ruff: noqa: N802 - functions are spelled as Microsoft does

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model import memory, properties
from tests.server.httpsys.model.calls.win32 import who_may_open
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.queue import Queue, QueueHandle
from tests.server.httpsys.model.routing import Session, UrlGroup

if TYPE_CHECKING:
    from tests.server.httpsys.model.process import Process

_LONGEST_NAME = 260
"""Bytes of UTF-16."""

_REMOVE_ALL = 1
_SERVER, _CONFIG = 1, 2


class ConfigurationCalls:
    """The calls that make and configure things."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._machine = process.machine

    def _version(self, version: Any) -> None:
        if (version.HttpApiMajorVersion, version.HttpApiMinorVersion) != (2, 0):
            raise Win32(c.REVISION_MISMATCH)

    def _initialized(self) -> None:
        # source: HttpCreateRequestQueue: ERROR_DLL_INIT_FAILED without HttpInitialize
        # guess: HttpCreateServerSession says the same, and HTTP_INITIALIZE_CONFIG alone does for neither
        if not any(flags & _SERVER for flags in self._process.initialized):
            raise Win32(c.DLL_INIT_FAILED)

    # -- the library

    def HttpInitialize(self, version: Any, flags: int, reserved: Any) -> int:
        # source: HttpInitialize: one or both of two flags, the rest is ERROR_INVALID_PARAMETER; pReserved must be NULL
        self._version(version)
        if not flags or flags & ~(_SERVER | _CONFIG) or memory.number(reserved):
            raise Win32(c.INVALID_PARAMETER)
        self._process.initialized.append(flags)
        return c.OK

    def HttpTerminate(self, flags: int, reserved: Any) -> int:
        # source: HttpInitialize: a call of HttpTerminate for each, with all of its flags
        # guess: no page says what others return; whoever makes one does not know what it has begun, a defect
        if flags not in self._process.initialized:
            self._machine.defect(
                f"{self._process.name} calls HttpTerminate({flags}) without HttpInitialize({flags})"
            )
            raise Win32(c.INVALID_PARAMETER)
        self._process.initialized.remove(flags)
        return c.OK

    def HttpIsFeatureSupported(self, feature: int) -> int:
        # source: HttpIsFeatureSupported: TRUE or FALSE, no code
        # source: HttpInitialize: one of the functions that HTTP_INITIALIZE_CONFIG is for
        # source: aspnetcore#36677, aspnetcore#36698: without it Windows 11 and Server 2022 say FALSE to everything
        # guess: older Windows answered without; the strictest reading
        if not any(flags & _CONFIG for flags in self._process.initialized):
            return 0
        since = {
            c.RESPONSE_TRAILERS: self._machine.TRAILERS_SINCE,
            c.API_TIMINGS: 2022,
            c.DELEGATE_EX: self._machine.DELEGATION_SINCE,
            c.HTTP3: 2022,
        }
        return int(feature in since and self._machine.release >= since[feature])

    # -- sessions

    def _session(self, session_id: int) -> Session:
        """Find a session of this process; raises Win32."""
        session = self._machine.sessions.get(session_id)
        if session is None or session.process is not self._process:
            raise Win32(c.INVALID_PARAMETER)
        return session

    def HttpCreateServerSession(self, version: Any, session_id: Any, reserved: int) -> int:
        # source: HttpCreateServerSession: ERROR_REVISION_MISMATCH for other versions, Reserved must be 0
        self._initialized()
        self._version(version)
        if reserved:
            raise Win32(c.INVALID_PARAMETER)
        session = Session(self._process, self._machine.new_id())
        self._machine.sessions[session.id] = session
        session_id[0] = session.id
        return c.OK

    def HttpCloseServerSession(self, session_id: int) -> int:
        # source: HttpCloseServerSession: its URL groups are closed with it
        self._machine.close_session(self._session(session_id))
        return c.OK

    def HttpSetServerSessionProperty(self, session_id: int, number: int, value: Any, size: int) -> int:
        # source: HttpSetServerSessionProperty: ERROR_INVALID_PARAMETER for what a session does not have
        properties.set_session(self._session(session_id), number, value, size)
        return c.OK

    def HttpQueryServerSessionProperty(
        self, session_id: int, number: int, value: Any, size: int, length: Any
    ) -> int:
        # source: HttpQueryServerSessionProperty: ERROR_MORE_DATA for a buffer that is too small
        properties.query(self._session(session_id).properties, number, value, size, length)
        return c.OK

    # -- URL groups

    def _group(self, group_id: int) -> UrlGroup:
        """Find a URL group of this process; raises Win32."""
        for session in self._machine.sessions.values():
            for group in session.groups:
                if group.id == group_id and session.process is self._process:
                    return group
        raise Win32(c.INVALID_PARAMETER)

    def HttpCreateUrlGroup(self, session_id: int, group_id: Any, reserved: int) -> int:
        # source: HttpCreateUrlGroup: ERROR_INVALID_PARAMETER for a session that does not exist or is another application's
        session = self._session(session_id)
        group = UrlGroup(session, self._machine.new_id())
        session.groups.append(group)
        group_id[0] = group.id
        return c.OK

    def HttpCloseUrlGroup(self, group_id: int) -> int:
        # source: HttpCloseUrlGroup: its URLs are removed with it
        self._machine.close_group(self._group(group_id))
        return c.OK

    def HttpAddUrlToUrlGroup(self, group_id: int, url: Any, context: int, reserved: int) -> int:
        # source: HttpAddUrlToUrlGroup: the context is that of every request; Reserved must be 0
        group, text = self._group(group_id), memory.text(url)
        if text is None or reserved:
            raise Win32(c.INVALID_PARAMETER)
        self._machine.registry.add(text, group, context)
        return c.OK

    def HttpRemoveUrlFromUrlGroup(self, group_id: int, url: Any, flags: int) -> int:
        # source: HttpRemoveUrlFromUrlGroup: HTTP_URL_FLAG_REMOVE_ALL takes no URL, and nothing else goes without one
        group, text = self._group(group_id), memory.text(url)
        if flags not in {0, _REMOVE_ALL} or (flags == _REMOVE_ALL) != (text is None):
            raise Win32(c.INVALID_PARAMETER)
        if text is None:
            self._machine.registry.remove_all(group)
        else:
            self._machine.registry.remove(text, group)
        return c.OK

    def HttpSetUrlGroupProperty(self, group_id: int, number: int, value: Any, size: int) -> int:
        # source: HttpSetUrlGroupProperty: ERROR_INVALID_PARAMETER for what a group does not have
        properties.set_group(self._group(group_id), number, value, size, self._process)
        return c.OK

    def HttpQueryUrlGroupProperty(
        self, group_id: int, number: int, value: Any, size: int, length: Any
    ) -> int:
        # source: HttpQueryUrlGroupProperty: ERROR_MORE_DATA for a buffer that is too small
        properties.query(self._group(group_id).properties, number, value, size, length)
        return c.OK

    def HttpFindUrlGroupId(self, url: Any, queue: Any, group_id: Any) -> int:
        # guess: its page lists no codes; ERROR_FILE_NOT_FOUND is what ASP.NET takes for a URL of another queue
        text, handle = memory.text(url), self._process.file(queue, "queue handle")
        if text is None:
            raise Win32(c.INVALID_PARAMETER)
        registration = self._machine.registry.group_of(text, handle.queue)
        if registration is None:
            raise Win32(c.FILE_NOT_FOUND)
        group_id[0] = registration.group.id
        return c.OK

    # -- queues

    def HttpCreateRequestQueue(self, version: Any, name: Any, security: Any, flags: int, out: Any) -> int:
        # source: HttpCreateRequestQueue: HttpInitialize first, version 2.0, OPEN_EXISTING needs a name
        # source: HttpCreateRequestQueue: "The length, in bytes, cannot exceed MAX_PATH"
        # guess: without its NUL, as HTTP_COOKED_URL and HTTP_LOGGING_INFO count
        self._initialized()
        self._version(version)
        text = memory.text(name) or None
        known = c.OPEN_EXISTING | c.CONTROLLER
        if self._machine.release >= self._machine.DELEGATION_FLAG_SINCE:
            known |= c.DELEGATION
        # source: ASP.NET's RequestQueue: HTTP_CREATE_REQUEST_QUEUE_FLAG_DELEGATION with OPEN_EXISTING
        # guess: Windows before 11 and Server 2022 does not know it: ERROR_INVALID_PARAMETER
        if flags & ~known or (text is not None and len(text.encode("utf-16-le")) > _LONGEST_NAME):
            raise Win32(c.INVALID_PARAMETER)
        if text is not None and "\\" in text:
            raise Win32(c.INVALID_NAME)
        if flags & c.OPEN_EXISTING:
            handle = self._open_queue(text, security, flags)
        elif flags & c.DELEGATION:
            raise Win32(c.INVALID_PARAMETER)
        else:
            handle = self._create_queue(text, security, controller=bool(flags & c.CONTROLLER))
        handle.queue.handles.append(handle)
        out[0] = self._process.open(handle)
        return c.OK

    def _open_queue(self, name: str | None, security: Any, flags: int) -> QueueHandle:
        if name is None or security or flags & c.CONTROLLER:
            raise Win32(c.INVALID_PARAMETER)
        queue = self._machine.queue(name)
        # source: ASP.NET's RequestQueue: ERROR_FILE_NOT_FOUND for a queue that is not there, ERROR_INVALID_NAME for a bad name
        if queue is None:
            raise Win32(c.FILE_NOT_FOUND)
        if not queue.lets_in(self._process.user):
            raise Win32(c.ACCESS_DENIED)
        return QueueHandle(self._process, queue=queue, delegation=bool(flags & c.DELEGATION))

    def _create_queue(self, name: str | None, security: Any, *, controller: bool) -> QueueHandle:
        if name is not None and self._machine.queue(name) is not None:
            raise Win32(c.ALREADY_EXISTS)
        queue = Queue(self._machine, name, self._process.user, who_may_open(self._process, security))
        self._machine.queues.add(queue)
        return QueueHandle(self._process, queue=queue, controller=controller, created=True)

    def _queue(self, handle: Any) -> QueueHandle:
        queue: QueueHandle = self._process.file(handle, "queue handle")
        return queue

    def HttpCloseRequestQueue(self, handle: Any) -> int:
        # source: HttpCloseRequestQueue: the handle is closed, other handles of the queue stay
        self._process.close(handle)
        return c.OK

    def HttpShutdownRequestQueue(self, handle: Any) -> int:
        # source: HttpShutdownRequestQueue: for this process only
        self._queue(handle).shut_down()
        return c.OK

    def HttpSetRequestQueueProperty(
        self, handle: Any, number: int, value: Any, size: int, reserved1: int, reserved2: Any
    ) -> int:
        # source: HttpSetRequestQueueProperty: ERROR_INVALID_PARAMETER unless Reserved1 is 0 and Reserved2 NULL
        if reserved1 or memory.number(reserved2):
            raise Win32(c.INVALID_PARAMETER)
        properties.set_queue(self._queue(handle), number, value, size)
        return c.OK

    def HttpQueryRequestQueueProperty(
        self, handle: Any, number: int, value: Any, size: int, reserved1: int, length: Any, reserved2: Any
    ) -> int:
        # source: HttpQueryRequestQueueProperty: ERROR_INVALID_PARAMETER unless Reserved1 is 0 and Reserved2 NULL
        if reserved1 or memory.number(reserved2):
            raise Win32(c.INVALID_PARAMETER)
        properties.query_queue(self._queue(handle), number, value, size, length)
        return c.OK

    def HttpWaitForDemandStart(self, handle: Any, overlapped: Any) -> int:
        # source: HttpWaitForDemandStart: overlapped, one at a time, for the controller only
        queue = self._queue(handle)
        return queue.wait_for_demand(self._process.begin(queue, "HttpWaitForDemandStart", overlapped))

"""Server sessions, URL groups, and what is registered on the machine: which group takes a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import define, field

from hostler.errors import PrefixError
from hostler.server.prefix import PrefixTable, UrlPrefix
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.server.httpsys.model.connection import Connection
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.process import Process
    from tests.server.httpsys.model.queue import Queue, QueueHandle
    from tests.server.httpsys.model.url import CookedUrl

_PREFIX = re.compile(r"(https?)://[^/]+:([1-9][0-9]{0,4})/(.*/)?")
"""Stricter than our own: the port is mandatory, the slash at the end too."""


@define(eq=False)
class Session:
    """A server session."""

    kind = "session"
    process: Process
    id: int
    groups: list[UrlGroup] = field(factory=list)
    properties: dict[int, bytes] = field(factory=dict)
    enabled: bool = True


@define(eq=False)
class UrlGroup:
    """A URL group."""

    kind = "url group"
    session: Session
    id: int
    queue: Queue | None = None
    """What HttpServerBindingProperty says."""
    properties: dict[int, bytes] = field(factory=dict)
    enabled: bool = True
    connections: set[Connection] = field(factory=set)
    most_connections: int | None = None
    rules: dict[Queue, QueueHandle] = field(factory=dict)
    """Queues that the group's requests may be delegated to (HttpServerDelegationProperty)."""

    @property
    def active(self) -> bool:
        return self.enabled and self.session.enabled


@define(eq=False)
class Registration:
    """A URL of a group."""

    kind = "url"
    prefix: UrlPrefix
    group: UrlGroup
    context: int


def parse(url: str) -> UrlPrefix:
    """Parse a URL prefix as strictly as HttpAddUrlToUrlGroup does."""
    # source: "UrlPrefix Strings": scheme in lower case, a port without a leading zero, a slash at the end
    # guess: what is no prefix is ERROR_INVALID_PARAMETER
    match = _PREFIX.fullmatch(url)
    if match is None or int(match[2]) > 65535:
        raise Win32(c.INVALID_PARAMETER)
    try:
        return UrlPrefix.parse(url)
    except PrefixError:
        raise Win32(c.INVALID_PARAMETER) from None


def _endpoints(prefixes: Iterable[UrlPrefix]) -> set[tuple[str, int]]:
    """Give this machine's addresses at which prefixes can be reached: they never leave it."""
    found = set()
    for prefix in prefixes:
        if prefix.scheme == "http":
            found |= {("127.0.0.1", prefix.port), ("::1", prefix.port)}
            if prefix.host.startswith("127."):
                found.add((prefix.host, prefix.port))
    return found


class Registry:
    """What is registered and what is reserved on a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.registrations: dict[UrlPrefix, Registration] = {}
        self._table = PrefixTable()

    def add(self, url: str, group: UrlGroup, context: int) -> Registration:
        """Register a URL (HttpAddUrlToUrlGroup); raises Win32."""
        prefix = parse(url)
        # source: HttpAddUrlToUrlGroup: ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS
        if not self._may_register(prefix, group.session.process):
            raise Win32(c.ACCESS_DENIED)
        if prefix in self.registrations:
            raise Win32(c.ALREADY_EXISTS)
        # guess: a port has http or https, not both: ERROR_ALREADY_EXISTS
        if any(other.port == prefix.port and other.scheme != prefix.scheme for other in self.registrations):
            raise Win32(c.ALREADY_EXISTS)
        registration = Registration(prefix, group, context)
        self.machine.listen_at(_endpoints([*self.registrations, prefix]))
        self.registrations[prefix] = registration
        self._rebuild()
        return registration

    def remove(self, url: str, group: UrlGroup) -> None:
        """Take a URL out of its group (HttpRemoveUrlFromUrlGroup); raises Win32."""
        registration = self.registrations.get(parse(url))
        # source: HttpRemoveUrlFromUrlGroup: ERROR_FILE_NOT_FOUND for what is not the group's
        if registration is None or registration.group is not group:
            raise Win32(c.FILE_NOT_FOUND)
        self._drop([registration])

    def remove_all(self, group: UrlGroup) -> None:
        """Take every URL out of a group."""
        self._drop([entry for entry in self.registrations.values() if entry.group is group])

    def _drop(self, registrations: list[Registration]) -> None:
        for registration in registrations:
            del self.registrations[registration.prefix]
        self._rebuild()
        self.machine.listen_at(self.endpoints())
        ports = {prefix.port for prefix in self.registrations}
        for connection in list(self.machine.connections.values()):
            if connection.local[1] not in ports:
                connection.idle_out()

    def endpoints(self) -> set[tuple[str, int]]:
        """Give the addresses and ports that clients with http come to."""
        return _endpoints(self.registrations)

    def _rebuild(self) -> None:
        """Make the table that is searched, of registrations and reservations."""
        self._table = PrefixTable()
        for prefix in {**self.registrations, **self._reservations()}:
            if not any(entry.port == prefix.port and entry.scheme != prefix.scheme for entry in self._table):
                self._table.add(prefix)

    def reserved(self) -> None:
        """Note that the reservations changed."""
        self._rebuild()

    def _reservations(self) -> dict[UrlPrefix, frozenset[str]]:
        given = self.machine.reservations
        return (
            {} if given is None else {UrlPrefix.parse(url): frozenset(users) for url, users in given.items()}
        )

    def _may_register(self, prefix: UrlPrefix, process: Process) -> bool:
        """Consult the longest reservation of the same host and port; without one it takes an administrator."""
        if self.machine.reservations is None:
            # source: "Namespace Reservations, Registrations, and Routing": the longest reservation counts, else administrators only
            return True
        above = [
            (len(reserved.path), users)
            for reserved, users in self._reservations().items()
            if (reserved.scheme, reserved.host, reserved.port) == (prefix.scheme, prefix.host, prefix.port)
            and prefix.path.lower().startswith(reserved.path.lower())
        ]
        if not above:
            return process.administrator
        return process.user in max(above, key=lambda entry: entry[0])[1]

    def find(self, url: CookedUrl, port: int, local_ip: str) -> Registration | int:
        """Find what takes a request, or the status of its refusal."""
        # source: "UrlPrefix Strings": strong wildcard, explicit, IP-bound, weak; the longest path within the first that has one
        match = self._table.match(url.scheme, url.name, port, local_ip, url.path)
        if match is not None:
            # a reservation that nobody registered hides what others registered in later categories
            # source: HTTP_RESPONSE_V1: 400 for a URL that is reserved and not registered
            return self.registrations.get(match.prefix, 400)
        anywhere = {url.name, "+", "*", local_ip, f"[{local_ip}]", "0.0.0.0", "[::]"}
        if any(prefix.port == port and prefix.host in anywhere for prefix in self.registrations):
            return 404
        return 400

    def group_of(self, url: str, queue: Queue) -> Registration | None:
        """Find the registration of a URL prefix that leads to a queue (HttpFindUrlGroupId)."""
        try:
            prefix = UrlPrefix.parse(url)
        except PrefixError:
            return None
        # source: HttpFindUrlGroupId: by the URL and the queue that the group is bound to
        registration = self.registrations.get(prefix)
        if registration is None or registration.group.queue is None:
            return None
        return registration if registration.group.queue is queue else None

"""A machine with HTTP.sys on it, in memory: what the product is tested against where there is no Windows.

    machine = Machine()
    a, b = machine.process("a"), machine.process("b", user="bob")     each a hostler.server.httpsys.api.Windows
    a.http.HttpCreateRequestQueue(...)                                as on Windows: same types, same codes
    client = machine.client()                                         a client without a socket (clients/)
    call = client.request("GET", "http://localhost:8080/")
    response = await call.response()
    machine.listen()                                                  real TCP beside it, on loopback (listener.py)
    assert machine.defects == []; assert machine.alive() == {}        at the end of every test
    machine.close()

What a test can do to it

    version="new" | "2022" | "2019" | "2016"  which Windows. "2016" cannot delegate; "2019" has no flag to open a queue
                        for that; up to "2022" a delegator's handle keeps a queue alive; "new" detaches it (6807)
    a.fail(...)         any function fails with any code, at any call, at once or by packet (process.py)
    pace                sends and reads of bodies are over at once, soon by packet, or when complete_sends() says so
    hold_packets        packets of I/O stay back until release_packets(); what is posted by hand does not
    shuffle             a random.Random: packets, receives and held operations come in any order
    empty_ends          the end of a body comes as success without bytes, before it is ERROR_HANDLE_EOF
    reservations        {"http://+:80/": {"bob"}}: who may register what; None lets everybody (`reserve` changes it)
    now                 the seconds that have passed, for what the response cache keeps (cache.py)
    negotiates_certificates   whether clients are asked for theirs when they connect; else when the process asks
    server_name, client_hello, quic_statistics   what is known of clients' connections
    certificates        {"MY": {thumbprint}}: what is in the machine's stores, with a private key (records.py)
    sockets             [("127.0.0.1", 80, 7, "C:\\x.exe")]: what other programs listen on, for GetExtendedTcpTable
    demand              what a demand start is: a request that waits, that arrives, or every one (queue.Demand)
    passwords           {"bob": "secret"}: who can log in, where a URL group asks for that (logins.py)
    kill(a)             the end of a process: its handles are closed, its memory is gone, nobody is told

What it tells

    defects             what would corrupt memory, leak or confuse a client on Windows, as sentences
    alive()             what is open, registered, pending: empty when everything was given back
    a.calls, count()    the calls that were made
    log                 lines of the log, where one is kept: HTTP_LOG_FIELDS_DATA as a dictionary
    httperr             (status, reason) of what HTTP.sys answered or dropped by itself, as in HTTPERR's log

How it is made. One lock stands for the kernel; every call and every byte that arrives takes it (`step`). Below it:
`dll` (C signatures, faults), `calls/` (the functions), `queue`, `routing`, `exchange`, `reply`, `cache` (what they work on),
`port` (operations and packets), `request`, `chunks` (structures in memory), `connection`, `http1`, `http2`, `clients/`,
`listener` (clients). Its own tests are in `tests/`.

Each behaviour that could be doubted says where it is from, or that it is a guess (`sources.py` lists and counts them).
Where no source says what HTTP.sys does, the strictest reading is taken.
"""

from __future__ import annotations

import itertools
import threading
import zlib
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from tests.server.httpsys.model.cache import ResponseCache
from tests.server.httpsys.model.clients.http1 import Client
from tests.server.httpsys.model.clients.http2 import Http2Client
from tests.server.httpsys.model.listener import Listener
from tests.server.httpsys.model.process import Process, make_windows
from tests.server.httpsys.model.queue import Demand
from tests.server.httpsys.model.routing import Registry
from tests.server.httpsys.model.waits import Acknowledgements, Held, Pace, Watchers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from random import Random

    from tests.server.httpsys.model.connection import Connection
    from tests.server.httpsys.model.http2 import Http2Stream
    from tests.server.httpsys.model.port import Packet, Port
    from tests.server.httpsys.model.process import FakeWindows
    from tests.server.httpsys.model.queue import Queue, QueueHandle
    from tests.server.httpsys.model.records import CertificateRecord, Endpoint
    from tests.server.httpsys.model.routing import Session, UrlGroup

__all__ = ["Machine", "Pace"]

T = TypeVar("T")
_RELEASES = {"2016": 2016, "2019": 2019, "2022": 2022, "new": 2025}


class Machine:
    """A machine: what its processes share."""

    DELEGATION_SINCE = 2019
    TRAILERS_SINCE = 2022
    DELEGATION_FLAG_SINCE = 2022
    CLIENT_HELLO_SINCE = 2025

    def __init__(
        self,
        *,
        version: str = "new",
        shuffle: Random | None = None,
        pace: Pace = Pace.AT_ONCE,
        reservations: Mapping[str, set[str]] | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.condition = threading.Condition(self.lock)
        self.release = _RELEASES[version]
        self.shuffle = shuffle
        self.pace = pace
        self.hold_packets = False
        self.lenient_delegate_url = False
        self.empty_ends = False
        self.demand = Demand.WAITING
        self.disable_server_header = 0
        self.max_request_bytes = 1 << 14
        self.closed = False
        self.defects: list[str] = []
        self.httperr: list[tuple[int, str]] = []
        self.log: list[dict[str, Any]] = []
        self.passwords: dict[str, str] = {}
        self.users: set[str] = set()
        self.kept: list[object] = []
        """What a test wants to live as long as the machine: memory, for one, that calls were given."""
        self.processes: list[Process] = []
        self.queues: set[Queue] = set()
        self.sessions: dict[int, Session] = {}
        self.connections: dict[int, Connection | Http2Stream] = {}
        """By connection id, of which each HTTP/2 request has one."""
        self.reservations = reservations
        self.descriptors: dict[str, str] = {}
        """The SDDL of reservations that were made by a call."""
        self.certificates: dict[str, set[bytes]] = {}
        self.bindings: dict[Endpoint, CertificateRecord] = {}
        self.sockets: list[tuple[str, int, int, str]] = []
        self.registry = Registry(self)
        self.held = Held(self)
        self.acknowledgements = Acknowledgements()
        self.now = 0.0
        self.negotiates_certificates = True
        self.server_name = "localhost"
        self.client_hello: bytes | None = None
        self.quic_statistics: bytes | None = None
        self.cache = ResponseCache(self)
        self._limbo: list[tuple[Port, Packet]] = []
        self._watchers = Watchers(self)
        self._listener: Listener | None = None
        self._ids = itertools.count(0xF00D_0000_0000_0001, 0x101)
        self._handles = itertools.count(0x1004, 4)
        self._client_ports = itertools.count(50000)

    # -- processes ------------------------------------------------------------------------------------------------

    def process(
        self,
        name: str = "process",
        *,
        user: str = "user",
        administrator: bool = False,
        missing: Collection[str] = (),
    ) -> FakeWindows:
        """Start a process; `missing` are functions that its httpapi.dll does not export."""
        process = Process(self, name, user, administrator, frozenset(missing))
        with self.lock:
            self.users.add(user)
            self.processes.append(process)
        return make_windows(process)

    def kill(self, windows: FakeWindows) -> None:
        """End a process, as TerminateProcess does."""
        with self.step():
            windows.of.die()

    def close(self) -> None:
        """End everything; the threads of the TCP side are joined."""
        with self.step():
            self.closed = True
            for process in self.processes:
                process.die()
        if self._listener is not None:
            self._listener.close()

    def sid(self, user: str) -> str:
        """Give a user's security identifier, for SDDL."""
        return f"S-1-5-21-1-2-3-{zlib.crc32(user.encode())}"

    # -- what a test sees -----------------------------------------------------------------------------------------

    def alive(self) -> dict[str, int]:
        """Count what the machine's processes have open and under way; empty when nothing is left."""
        with self.lock:
            return dict(sum((process.alive() for process in self.processes), Counter()))

    def count(self, function: str) -> int:
        """Count the calls of a function, in all processes."""
        with self.lock:
            return sum(call.function == function for process in self.processes for call in process.calls)

    def defect(self, what: str) -> None:
        """Note something that would be wrong on Windows."""
        self.defects.append(what)

    def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """Wait in a thread until `predicate`, called with the kernel standing still, is true."""
        with self.lock:
            if not self.condition.wait_for(predicate, timeout):
                raise TimeoutError
            return predicate()

    async def until(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """Wait in a coroutine until `predicate`, called with the kernel standing still, is true."""
        return await self._watchers.until(predicate, timeout)

    # -- what a test does -----------------------------------------------------------------------------------------

    def complete_sends(self, count: int | None = None) -> int:
        """Finish sends and reads of bodies that are held (Pace.HELD); returns how many."""
        with self.step():
            return self.held.release(count)

    def acknowledge(self) -> int:
        """Have clients acknowledge what they got (`acknowledgements.held`); returns how many calls that ends."""
        with self.step():
            count = len(self.acknowledgements)
            self.acknowledgements.arrive()
            return count

    def release_packets(self, count: int | None = None) -> int:
        """Let packets through that `hold_packets` kept back; returns how many."""
        with self.step():
            released, self._limbo = self._limbo[:count], self._limbo[len(self._limbo[:count]) :]
            for port, packet in released:
                port.post(packet)
            return len(released)

    def reserve(self, reservations: Mapping[str, set[str]] | None) -> None:
        """Replace the URL reservations."""
        with self.step():
            self.reservations = reservations
            self.registry.reserved()

    def client(
        self,
        *,
        remote: tuple[str, int] | None = None,
        local: str = "127.0.0.1",
        tls: bool = False,
        http2: bool = False,
        http3: bool = False,
        certificate: bytes | None = None,
    ) -> Client | Http2Client:
        """Make a client without a socket; it connects with its first request, to that request's port on `local`.

        With https, or `tls`, it has TLS. HTTP/2, and 3, is also to be had without, which HTTP.sys does not do.
        """
        remote = remote or ("192.0.2.1" if ":" not in local else "2001:db8::1", next(self._client_ports))
        if http2 or http3:
            version = 3 if http3 else 2
            return Http2Client(self, remote, local, tls=tls, certificate=certificate, version=version)
        return Client(self, remote, local, tls=tls, certificate=certificate)

    def listen(self) -> None:
        """From now on, have every port with http on it on the loopback addresses for real."""
        with self.step():
            if self._listener is None:
                self._listener = Listener(self)
                self.listen_at(self.registry.endpoints())

    # -- what the kernel does -------------------------------------------------------------------------------------

    @contextmanager
    def step(self) -> Iterator[None]:
        """Change the kernel, alone; who waits for a change looks afterwards."""
        with self.lock:
            try:
                yield
            finally:
                self.changed()

    def changed(self) -> None:
        """Have everybody who waits for a change look."""
        self.condition.notify_all()
        self._watchers.notify()

    def new_id(self) -> int:
        """Give a new 64-bit id."""
        return next(self._ids)

    def new_handle(self) -> int:
        """Give the value of a new handle."""
        return next(self._handles)

    def post(self, port: Port, packet: Packet) -> None:
        """Send the packet of an operation to its port."""
        if self.hold_packets:
            self._limbo.append((port, packet))
        else:
            port.post(packet)

    def listen_at(self, endpoints: set[tuple[str, int]]) -> None:
        """Have TCP listen at these, where it does at all; raises Win32 when one is taken."""
        if self._listener is not None:
            self._listener.listen(endpoints)

    def queue(self, name: str) -> Queue | None:
        """Find a queue by its name, whatever its case."""
        # guess: names are compared whatever their case, as all names of kernel objects under \\Device\\Http may be
        return next(
            (queue for queue in self.queues if (queue.name or "").casefold() == name.casefold()), None
        )

    @property
    def detaches_delegators(self) -> bool:
        """Whether a queue ends with its receivers, leaving delegators' handles without one."""
        # source: YARP's HttpSysDelegator: newer HTTP.sys detaches a delegator when the receiver closes: ERROR_OBJECT_NO_LONGER_EXISTS
        # source: yarp#1587: in older ones the delegator's handle keeps the queue
        return self.release > 2022

    @property
    def delegator_keeps_queue(self) -> bool:
        return not self.detaches_delegators

    def close_session(self, session: Session) -> None:
        """Close a session and its groups."""
        # source: HttpCreateServerSession: its URL groups go with it
        for group in list(session.groups):
            self.close_group(group)
        del self.sessions[session.id]

    def close_group(self, group: UrlGroup) -> None:
        """Close a URL group; its URLs are free."""
        self.registry.remove_all(group)
        group.session.groups.remove(group)

    def forget_rules(self, handle: QueueHandle) -> None:
        """End the delegation rules of a handle that is closed."""
        # guess: a rule goes with the handle that it was made with
        for session in self.sessions.values():
            for group in session.groups:
                group.rules = {queue: other for queue, other in group.rules.items() if other is not handle}

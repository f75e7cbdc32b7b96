"""Makes every call of a proof again on the model, in the recorded order, and notes where the model answers otherwise.

A matter of time is no difference. Windows may be over with a call at once, and the model later, or the reverse, unless
everything had settled before a receive; and which of several equal receives gets a request is nobody's business. So
what is compared is how a call ended: its code, the request that it received, the bytes that it read; whether a packet
came that should not have; and what clients heard.
"""

from attrs import frozen

from hostler.doctor.proof.calls import CALLS
from hostler.doctor.proof.structures import request_of
from hostler.server.httpsys._bindings import ffi
from tests.doctor.replay.arguments import Call, Names
from tests.doctor.replay.clients import Client, Http2Client
from tests.server.httpsys.model.machine import Machine

_PENDING, _MORE_DATA = 997, 234
_RECEIVE, _READ = "HttpReceiveHttpRequest", "HttpReceiveRequestEntityBody"
_ROOM = 1 << 16
_RACES = {("HttpWaitForDisconnectEx", 995, 0), ("HttpWaitForDisconnect", 995, 0)}
"""What is recorded, and what the model does: a client that leaves may be noticed after the server has stopped."""

_COMPARED = ("flags", "version", "verb", "target", "headers", "client_port")
_RELEASES = ((22000, "new"), (20348, "2022"), (17763, "2019"), (0, "2016"))


@frozen
class Difference:
    """One place where the model does not do what was recorded."""

    promise: str
    event: dict
    recorded: object
    model: object

    def __str__(self):
        event = self.event
        what = event.get("call") or (f"client {event['client']}" if "client" in event else "packet")
        where = f"{self.promise}, {event['process']} {event['id']}, {what}"
        return f"{where}: recorded {self.recorded}, the model {self.model}\n    {event}"


def replay(proof):
    """Replay a proof, as JSON has it; returns the differences."""
    build = int(proof["made"]["system"].get("CurrentBuild", _RELEASES[0][0]))
    version = next(name for since, name in _RELEASES if build >= since)
    found = []
    for promise in proof["promises"]:
        if not any("call" in event for event in promise["events"]):
            continue  # clients alone: the calls were not recorded
        found += _Replay(promise, Machine(version=version)).run()
    return found


class _Chooser:
    """Stands in for chance: of receives that wait, one of the process that took the request when it was recorded."""

    def __init__(self, machine):
        self._machine = machine
        self.process = None

    def randrange(self, count):
        for queue in self._machine.queues:
            names = [handle.process.name for handle, _ in queue.receives]
            if len(names) == count and self.process in names:
                return names.index(self.process)
        return 0

    @staticmethod
    def shuffle(items):
        """Leave them in order."""

    @staticmethod
    def randint(least, most):
        return most


class _Replay:
    """A promise, on a machine of its own."""

    def __init__(self, promise, machine):
        self._name = promise["name"]
        self._events = promise["events"]
        self._machine = machine
        machine.shuffle = self._chooser = _Chooser(machine)
        self._names = Names()
        self._processes = {}
        self._ports = {}
        """By process: the ports that it made."""
        self._calls = {}
        """The model's calls, by process and number of those that they stand for."""
        self._began = {}
        """What was recorded of the calls, likewise."""
        self._clients = {}
        self._connections = {}
        """By the port of a client: the id of its connection, as recorded and on the model."""
        self._settled = False
        self._packets = {
            (event["process"], event["packet"]): event for event in self._events if "packet" in event
        }
        self.differences = []

    def run(self):
        """Go through all of it; returns the differences."""
        try:
            for at, event in enumerate(self._events):
                self._step(at, event)
                self._take_packets()
            self._rest()
        finally:
            self._machine.close()
        return self.differences

    def _differs(self, event, recorded, model):
        self.differences.append(Difference(self._name, event, recorded, model))

    def _step(self, at, event):
        if "call" in event:
            self._call(event)
        elif "packet" in event:
            self._packet(event)
        elif event["does"] == "settle":
            self._settled = True
        else:
            self._client(at, event)

    # -- clients

    def _client(self, at, event):
        number = event["client"]
        if event["does"] == "connect":
            self._clients[number] = Client(self._machine, event), event["port"]
            return
        if event["does"] == "ask" and number not in self._clients:
            self._clients[number] = Http2Client(self._machine, event), event["port"]
        client, port = self._clients[number]
        self._chooser.process = self._taker(at, port)
        unlike = client.do(event)
        if unlike is not None:
            self._differs(event, *unlike)

    def _taker(self, at, port):
        """Say which process receives the next request of a client."""
        for event in self._events[at:]:
            if event.get("received", {}).get("client_port") == port:
                return event["process"]
        return None

    # -- calls

    def _process(self, name):
        if name not in self._processes:
            self._processes[name] = self._machine.process(name)
        return self._processes[name]

    def _call(self, event):
        if event["call"] not in CALLS:
            return
        windows = self._process(event["process"])
        call = Call(event, self._names, self._room(event))
        key = event["process"], event["id"]
        self._calls[key], self._began[key] = call, event
        arguments = call.arguments()
        if event["call"] == "CancelIoEx":
            cancelled = self._calls.get((event["process"], event.get("cancels")))
            arguments[-1] = cancelled.overlapped if cancelled is not None else ffi.NULL
        dll = windows.http if event["call"].startswith("Http") else windows.kernel
        function = getattr(dll, event["call"], None)
        if function is None:
            self._differs(event, "a function", "has none of this name")
            return
        call.returned = function(*arguments)
        self._take_packets()
        strict, self._settled = self._settled, False
        self._returned(call, strict=strict)

    def _room(self, event):
        """Bytes for a call that may have others than when it was recorded.

        A read has as many as it brought, since how many had come is a matter of time; a receive by id has enough, since
        a head takes more or less room elsewhere.
        """
        if event["call"] == _RECEIVE and int(event["request"], 16):
            return max(event["size"], _ROOM)
        if event["call"] != _READ:
            return None
        packet = self._packets.get((event["process"], event["id"]), event)
        return packet.get("length") or event["size"]

    def _returned(self, call, *, strict):
        event = call.event
        if "returned" not in event:
            self._named(call, ffi.cast("uintptr_t", call.returned) != 0)
            return
        recorded = event["returned"]
        if not call.name.startswith("Http") or call.name == "HttpIsFeatureSupported":
            if bool(recorded) != bool(call.returned):
                self._differs(event, f"returned {recorded}", f"returned {call.returned}")
            return
        if recorded == _PENDING:
            if strict and call.name == _RECEIVE and call.returned != _PENDING:
                self._differs(event, "pending", f"returned {call.returned} at once")
            return
        if strict and call.name == _RECEIVE and call.returned == _PENDING:
            self._differs(event, f"returned {recorded} at once", "pending")
        self._ended(event, (event["process"], event["id"]), recorded)
        self._named(call, recorded == call.returned == 0)

    def _named(self, call, succeeded):
        """Note what a call gave in place of what was recorded."""
        event = call.event
        if not succeeded or "gave" not in event:
            return
        if call.name == "CreateIoCompletionPort":
            self._names.is_handle(call.process, event["gave"], call.returned)
            self._ports.setdefault(call.process, {})[int(ffi.cast("uintptr_t", call.returned))] = (
                call.returned
            )
        elif call.name == "HttpCreateRequestQueue":
            self._names.is_handle(call.process, event["gave"], call.out[0])
        else:
            self._names.is_id(event["gave"], call.out[0])

    # -- how calls end

    def _take_packets(self):
        """Take what has come out of the model's ports."""
        by_address = {int(ffi.cast("uintptr_t", call.overlapped)): call for call in self._calls.values()}
        entries, taken = ffi.new("OVERLAPPED_ENTRY[]", 64), ffi.new("uint32_t *")
        for process, ports in self._ports.items():
            windows = self._processes[process]
            for port in ports.values():
                while windows.kernel.GetQueuedCompletionStatusEx(port, entries, 64, taken, 0, 0):
                    for entry in entries[0 : taken[0]]:
                        call = by_address.get(int(ffi.cast("uintptr_t", entry.lpOverlapped)))
                        if call is not None:
                            code = windows.nt.RtlNtStatusToDosError(entry.Internal & 0xFFFFFFFF)
                            call.packet = code, entry.dwNumberOfBytesTransferred

    def _packet(self, event):
        """Compare a packet."""
        key = event["process"], event["packet"]
        if key not in self._calls:
            return
        returned = self._began[key]["returned"]
        if returned != _PENDING:
            self._differs(event, f"a packet after {returned} at once", "sends none")
            return
        self._ended(event, key, event["code"])

    def _ended(self, event, key, code):
        """Compare how a call ended."""
        call = self._ender(event, key)
        call.claimed = True
        if call.code != code and (call.name, code, call.code) not in _RACES:
            model = "is still pending" if call.code is None else f"ended with {call.code}"
            self._differs(event, f"ended with {code}", model)
        elif "received" in event:
            self._received(event, call)
        elif call.name == _READ and code == 0 and call.moved != event["length"]:
            self._differs(event, f"read {event['length']}", f"read {call.moved}")

    def _ender(self, event, key):
        """Find the model's call: of equal receives that wait, the one that got this request."""
        call = self._calls[key]
        if call.name != _RECEIVE or int(call.event["request"], 16) or "received" not in event:
            return call
        port = event["received"].get("client_port")
        for other_key, other in self._calls.items():
            if not _equal(call, other) or other.claimed or other.code not in {0, _MORE_DATA}:
                continue
            if port is None or other.code == _MORE_DATA or request_of(other.request)["client_port"] == port:
                self._calls[key], self._calls[other_key] = other, call
                return other
        return call

    def _received(self, event, call):
        """Compare a request."""
        recorded = event["received"]
        if call.code == _MORE_DATA:
            self._names.is_id(recorded["request"], call.request.RequestId)
            return
        model = request_of(call.request)
        for name in _COMPARED:
            theirs, ours = recorded[name], model[name]
            if name == "headers":
                theirs, ours = sorted(map(tuple, _texts(theirs))), sorted(map(tuple, _texts(ours)))
            if theirs != ours:
                self._differs(event, f"{name} {theirs}", ours)
        if recorded["context"] != model["context"]:
            self._differs(event, f"context {recorded['context']}", model["context"])
        self._names.is_id(recorded["request"], call.request.RequestId)
        self._names.is_id(recorded["connection"], call.request.ConnectionId)
        names = recorded["connection"], call.request.ConnectionId
        before = self._connections.setdefault(recorded["client_port"], names)
        if (before[0] == names[0]) != (before[1] == names[1]):
            theirs = (
                "the ConnectionId of before" if before[0] == names[0] else "another ConnectionId than before"
            )
            self._differs(event, theirs, "does otherwise")

    def _rest(self):
        """Compare what was never over, and note what the model finds wrong."""
        for key, call in self._calls.items():
            event = self._began[key]
            if event.get("returned") == _PENDING and not call.claimed and call.code is not None:
                self._differs(event, "never ended", f"ended with {call.code}")
        for defect in self._machine.defects:
            self._differs(self._events[-1], "nothing wrong", defect)


def _texts(pairs):
    return [[str(name).lower(), str(value)] for name, value in pairs]


def _equal(call, other):
    """Whether two receives are interchangeable."""
    names = ("call", "process", "queue", "request", "size", "flags")
    return all(call.event.get(name) == other.event.get(name) for name in names)

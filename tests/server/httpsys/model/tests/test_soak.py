"""The fake under whatever comes: every operation that pends brings exactly one packet, and nothing is left at the end."""

import random

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine, Pace
from tests.server.httpsys.model.program import DELEGATION, NULL, Program

TARGET_URL = "http://localhost:8081/"
URL = "http://localhost:8080/"


class Soak:
    """Two programs and some clients that do anything, in any order."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.machine = Machine(shuffle=random.Random(seed))
        self.programs = [
            Program(self.machine, "source"),
            Program(self.machine, "target", queue="target", urls=(TARGET_URL,)),
        ]
        source = self.programs[0]
        _, self.target = source.open("target", c.OPEN_EXISTING | c.DELEGATION)
        assert source.bind(self.target, DELEGATION) == c.OK
        self.clients = [self.machine.client() for _ in range(4)] + [self.machine.client(http2=True)]
        self.pending = [{}, {}]
        """Calls under way, by the address of their OVERLAPPED: what to do when they are over."""
        self.requests = [[], []]
        self.calls = []
        self.packets = self.started = 0

    def run(self, steps):
        actions = [
            self.ask, self.ask, self.receive, self.receive, self.read, self.respond, self.respond, self.more, self.more,
            self.take, self.take, self.take, self.cancel, self.cancel_request, self.disconnect, self.pause, self.pace,
            self.complete, self.hold, self.delegate, self.wait, self.send_body,
        ]  # fmt: skip
        for _ in range(steps):
            self.random.choice(actions)()
        self.machine.pace, self.machine.hold_packets = Pace.AT_ONCE, False
        self.machine.release_packets()
        self.machine.complete_sends()
        self.machine.shuffle = None

    # -- what programs do

    def side(self):
        return self.random.randrange(2)

    def started_by(self, at, io, then):
        if io.code == c.IO_PENDING:
            self.started += 1
            self.pending[at][io.address] = (io, then)
        elif io.code == c.OK:
            then(c.OK)

    def receive(self):
        at = self.side()
        size = self.random.choice([848, 4096, 4096])
        io = self.programs[at].receive(size)

        def then(code):
            if code == c.OK:
                self.requests[at].append(io.request.RequestId)

        self.started_by(at, io, then)
        if io.code == c.MORE_DATA:
            again = self.programs[at].receive(8192, io.request.RequestId)
            assert again.code == c.OK
            self.requests[at].append(again.request.RequestId)

    def some(self):
        """Give a program, and the id of a request of its, perhaps one that is over."""
        at = self.side()
        return at, self.random.choice(self.requests[at] or [1])

    def read(self):
        at, request_id = self.some()
        self.started_by(
            at, self.programs[at].read(request_id, self.random.choice([1, 100])), lambda code: None
        )

    def respond(self):
        at, request_id = self.some()
        kind = self.random.randrange(3)
        program = self.programs[at]
        if kind == 0:
            io = program.respond(request_id, b"x" * self.random.choice([0, 10, 70_000]))
        elif kind == 1:
            io = program.respond(request_id, b"abc", c.MORE | c.AUTOMATIC_CHUNKING)
        else:
            io = program.respond(request_id, b"abc", c.DISCONNECT)
        self.started_by(at, io, lambda code: None)

    def more(self):
        at, request_id = self.some()
        flags = self.random.choice([0, c.MORE]) | c.AUTOMATIC_CHUNKING
        io = self.programs[at].send(request_id, b"y" * self.random.choice([0, 5, 70_000]), flags)
        self.started_by(at, io, lambda code: None)

    def cancel(self):
        at = self.side()
        if self.pending[at]:
            io, _ = self.random.choice(list(self.pending[at].values()))
            assert self.programs[at].cancel(io) in {c.OK, c.NOT_FOUND}

    def cancel_request(self):
        at, request_id = self.some()
        io = self.programs[at].call("HttpCancelHttpRequest", request_id)
        assert io.code in {c.OK, c.CONNECTION_INVALID}

    def wait(self):
        at = self.side()
        connections = list(self.machine.connections)
        if connections:
            io = self.programs[at].call("HttpWaitForDisconnectEx", self.random.choice(connections), 0)
            self.started_by(at, io, lambda code: None)

    def delegate(self):
        source = self.programs[0]
        request_id = self.random.choice(self.requests[0] or [1])
        text = ffi.new("char16_t[]", TARGET_URL)
        info = ffi.new("HTTP_DELEGATE_REQUEST_PROPERTY_INFO *", (1, 2 * len(TARGET_URL), text))
        code = source.http.HttpDelegateRequestEx(source.queue, self.target, request_id, 0, 1, info)
        assert code in {c.OK, c.INVALID_PARAMETER, c.CONNECTION_INVALID}

    def take(self):
        at = self.side()
        for address, code, _ in self.programs[at].packets(most=self.random.randint(1, 4)):
            io, then = self.pending[at].pop(address)
            self.packets += 1
            if code == c.MORE_DATA:
                again = self.programs[at].receive(8192, io.request.RequestId)
                if again.code == c.OK:
                    self.requests[at].append(again.request.RequestId)
            else:
                then(code)

    # -- what clients do

    def ask(self):
        client = self.random.choice(self.clients)
        body = self.random.choice([None, b"", b"hello", b"z" * 300])
        self.calls.append(client.request("POST", self.random.choice([URL, URL, TARGET_URL]), body=body))

    def send_body(self):
        client = self.random.choice(self.clients[:-1])
        if client.connection is None or client.connection.gone:
            self.calls.append(client.request("POST", URL, chunked=True))
            self.calls[-1].send(b"chunk")

    def disconnect(self):
        self.random.choice(self.clients).disconnect()

    def pause(self):
        client = self.random.choice(self.clients[:-1])
        client.paused = not client.paused

    # -- what the machine does

    def pace(self):
        self.machine.pace = self.random.choice(list(Pace))

    def complete(self):
        self.machine.complete_sends(self.random.choice([None, 1]))

    def hold(self):
        self.machine.hold_packets = not self.machine.hold_packets
        self.machine.release_packets()

    def close(self):
        self.programs[0].http.HttpCloseRequestQueue(self.target)
        for at, program in enumerate(self.programs):
            program.http.HttpCloseRequestQueue(program.queue)
            while taken := program.packets():
                for address, _, _ in taken:
                    del self.pending[at][address]
                    self.packets += 1
            program.http.HttpCloseServerSession(program.session)
            program.kernel.CloseHandle(program.port)
            program.http.HttpTerminate(3, NULL)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_comes(seed):
    soak = Soak(seed)
    soak.run(1500)
    soak.close()
    assert soak.pending == [{}, {}]
    assert soak.packets == soak.started > 100
    assert soak.machine.alive() == {}
    assert soak.machine.defects == []
    assert sum(call.complete for call in soak.calls) > 5
    soak.machine.close()

"""The fake on real sockets: curl and httpx talk to a program on it."""

import asyncio
import shutil
import socket
import struct
import threading

import httpx
import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import NULL, Program


@pytest.fixture
def machine():
    made = Machine()
    made.listen()
    yield made
    made.close()
    assert made.defects == []
    assert not [thread for thread in threading.enumerate() if thread.name == "fake-http.sys"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@pytest.fixture
def url():
    return f"http://127.0.0.1:{free_port()}/"


class Echo:
    """Answers every request with its body, in a thread."""

    def __init__(self, machine, url):
        self.program = Program(machine, urls=(url,))
        self.machine = machine
        self.done = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        program = self.program
        while not self.done:
            io = program.receive(16384)
            if io.code == c.IO_PENDING and not self._wait(io):
                return
            body, code = b"", c.OK
            while code == c.OK:
                read = program.read(io.request.RequestId, 65536)
                code, size = read.code, read.size
                if code == c.IO_PENDING:
                    code, size = self._wait(read)
                body += ffi.unpack(read.buffer, size)[:] if code == c.OK else b""
            sent = program.respond(io.request.RequestId, body)
            if sent.code == c.IO_PENDING:
                self._wait(sent)

    def _wait(self, io):
        while not (packets := self.program.packets(100)):
            if self.done:
                return None
        [(address, code, size)] = packets
        assert address == io.address
        return code, size

    def close(self):
        self.done = True
        self.thread.join(5)


@pytest.fixture
def echo(machine, url):
    made = Echo(machine, url)
    yield made
    made.close()


async def test_httpx(echo, url):
    async with httpx.AsyncClient() as client:
        for body in (b"", b"hello", b"x" * 300_000):
            response = await client.post(url, content=body)
            assert (response.status_code, response.content) == (200, body)

        async def pieces():
            for _ in range(5):
                yield b"abc"

        assert (await client.post(url, content=pieces())).content == b"abc" * 5
    ports = {
        call.arguments for call in echo.program.windows.calls if call.function == "HttpWaitForDisconnectEx"
    }
    assert not ports


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
async def test_curl(echo, url):
    data = "y" * 2000
    process = await asyncio.create_subprocess_exec(
        "curl",
        "-sS",
        "-i",
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        data,
        url,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    assert out.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\n")
    assert out.endswith(data.encode())


def test_a_port_is_open_as_long_as_something_is_registered_on_it(machine, url):
    program = Program(machine, urls=(url,))
    address = ("127.0.0.1", int(url.rpartition(":")[2].rstrip("/")))
    socket.create_connection(address, 5).close()
    program.add(f"{url}a/")
    program.http.HttpRemoveUrlFromUrlGroup(program.group, url, 0)
    socket.create_connection(address, 5).close()
    program.http.HttpRemoveUrlFromUrlGroup(program.group, f"{url}a/", 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)


def test_a_port_that_another_program_has_is_a_sharing_violation(machine):
    program = Program(machine, urls=())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert program.add(f"http://127.0.0.1:{taken.getsockname()[1]}/") == c.SHARING_VIOLATION
    assert program.windows.alive().get("url") is None


def connected(url):
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def begun(machine, url, request=b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
    program = Program(machine, urls=(url,))
    sock = connected(url)
    sock.sendall(request)
    io = program.receive()
    if io.code == c.IO_PENDING:
        assert program.packets(5000)
    return program, sock, io.request


def test_a_reset_by_the_client_is_noticed(machine, url):
    program, sock, request = begun(machine, url)
    wait = program.call("HttpWaitForDisconnectEx", request.ConnectionId, 0)
    assert wait.code == c.IO_PENDING
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert program.packets(5000) == [(wait.address, c.OK, 0)]
    assert program.respond(request.RequestId).code == c.CONNECTION_INVALID


def test_a_cancelled_request_is_a_reset_for_the_client(machine, url):
    program, sock, request = begun(machine, url)
    program.call("HttpCancelHttpRequest", request.RequestId)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    sock.close()


def test_a_client_that_does_not_read_makes_sends_pend(machine, url):
    program, sock, request = begun(machine, url)
    piece, count = b"x" * 65536, 0
    length = {"Content-Length": str(1 << 30)}
    assert program.respond(request.RequestId, b"", c.MORE, headers=length).code == c.OK
    while (io := program.send(request.RequestId, piece, c.MORE)).code == c.OK:
        count += 1
    assert io.code == c.IO_PENDING
    received = 0
    while received < count * len(piece):
        received += len(sock.recv(1 << 20))
    assert program.packets(5000) == [(io.address, c.OK, len(piece))]
    program.call("HttpCancelHttpRequest", request.RequestId)
    sock.close()


def test_what_a_client_sends_is_held_back_while_nobody_reads_it(machine, url):
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n\r\n"
    program, sock, request = begun(machine, url, head)
    sock.settimeout(0.2)
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            sent += sock.send(b"x" * 65536)
    assert sent < 50_000_000
    sock.settimeout(5)
    while program.read(request.RequestId, 1 << 20).code == c.OK:
        pass
    sock.sendall(b"x" * 65536)
    sock.close()


def test_the_tail_of_an_answer_survives_a_body_that_nobody_read(machine, url):
    program = Program(machine, urls=(f"{url}a/",))
    assert program.queue != NULL
    with connected(url) as sock:
        sock.sendall(
            b"POST /b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
        )
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")

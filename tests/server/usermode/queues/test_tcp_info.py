from __future__ import annotations

import socket
import struct
import sys

import pytest

from hostler.server.usermode.queues.tcp_info import bytes_read, bytes_written, is_gone
from tests.server.usermode.peers import eventually

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="TCP_INFO counts bytes on Linux")


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far


def arrived(sock):
    try:
        return sock.recv(100, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


@linux
def test_what_is_written_is_counted_whether_it_was_sent_or_not(pair):
    near, _ = pair
    assert bytes_written(near) == 0
    near.send(b"x" * 1000)
    assert bytes_written(near) == 1000
    total = 1000
    with pytest.raises(BlockingIOError):
        while True:
            total += near.send(bytes(100_000))
    assert bytes_written(near) == total


@linux
def test_what_a_copy_writes_is_counted_too(pair):
    near, _ = pair
    with near.dup() as copy:
        copy.send(b"abc")
    assert bytes_written(near) == 3


@linux
async def test_what_is_read_is_counted_and_what_only_arrives_is_not(pair):
    near, far = pair
    assert bytes_read(near) == 0
    far.send(b"abcdef")
    await eventually(lambda: arrived(near))
    assert bytes_read(near) == 0
    near.recv(4, socket.MSG_PEEK)
    assert bytes_read(near) == 0
    with near.dup() as copy:
        copy.recv(4)
    assert bytes_read(near) == 4


@linux
def test_a_socket_that_is_gone_counts_nothing():
    sock = socket.socket()
    sock.close()
    assert bytes_written(sock) is None
    assert bytes_read(sock) == -1


def test_a_unix_socket_is_no_tcp_connection():
    one, other = socket.socketpair()
    with one, other:
        assert bytes_written(one) is None


@linux
async def test_a_reset_shows_even_when_another_process_took_the_error(pair):
    near, far = pair
    assert not is_gone(near)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    await eventually(lambda: is_gone(near))
    with pytest.raises(ConnectionResetError):
        near.recv(1)
    assert near.recv(1) == b""
    assert is_gone(near)


@linux
async def test_a_client_that_sends_no_more_is_not_gone(pair):
    near, far = pair
    far.shutdown(socket.SHUT_WR)
    await eventually(lambda: ended(near))
    assert not is_gone(near)


def ended(sock):
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False

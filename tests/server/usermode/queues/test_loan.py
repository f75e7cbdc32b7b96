from __future__ import annotations

import asyncio
import socket
import struct
import sys

import pytest

from hostler.server.usermode.queues.loan import LentConnection, Loan
from hostler.server.usermode.queues.tcp_info import borrow_socket, bytes_read, bytes_written, is_gone
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


def loan_of(sock, *, body):
    read = bytes_read(sock) if body else None
    connection = LentConnection(sock, ("127.0.0.1", 1), ("127.0.0.1", 2), False)
    return Loan(connection, b"", b"", bytes_written(sock), read)


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


def arrived(sock):
    try:
        return sock.recv(100, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


@linux
@pytest.mark.parametrize("body", [True, False])
async def test_a_loan_is_untouched_until_somebody_writes_or_takes_of_its_body(pair, body):
    near, far = pair
    far.send(b"request")
    await eventually(lambda: arrived(near))
    near.recv(100)
    loan = loan_of(near, body=body)
    assert loan.untouched()
    far.send(b"body")
    await eventually(lambda: arrived(near))
    assert loan.untouched()
    near.recv(2)
    assert loan.untouched() is not body
    near.send(b"x")
    assert not loan.untouched()


@linux
async def test_a_client_that_sends_no_more_touches_no_loan_without_a_body(pair):
    near, far = pair
    loan = loan_of(near, body=False)
    far.shutdown(socket.SHUT_WR)
    assert loan.untouched()


def test_where_nobody_counts_nothing_is_untouched(pair, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    near, _ = pair
    assert bytes_written(near) is None
    assert not loan_of(near, body=False).untouched()


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


@pytest.mark.parametrize(
    ("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("", socket.AF_INET)]
)
def test_a_borrowed_socket_has_the_family_of_its_address_and_leaves_the_descriptor_as_it_is(address, family):
    with socket.socket(family) as sock:
        sock.setblocking(False)
        borrowed = borrow_socket(sock.fileno(), address)
        assert (borrowed.family, borrowed.type) == (family, socket.SOCK_STREAM)
        assert borrowed.detach() == sock.fileno()
        assert sock.gettimeout() == 0


# -- what is lent -----------------------------------------------------------------------------------------------------


class Keeper:
    """A holder of copies."""

    def __init__(self):
        self.forgotten = []

    def forget(self, connection):
        self.forgotten.append(connection)


def lent_of(sock):
    return LentConnection(sock, ("127.0.0.1", 1), ("127.0.0.1", 2), False)


def test_every_connection_has_a_number_of_its_own(pair):
    numbers = {lent_of(sock).number for sock in pair * 100}
    assert len(numbers) == 200
    assert all(0 <= number < 2**32 for number in numbers)


def test_every_holder_is_told_once_that_the_connection_is_over(pair):
    connection, keepers = lent_of(pair[0]), [Keeper(), Keeper()]
    connection.holders.update(keepers)
    connection.close()
    connection.close()
    assert [keeper.forgotten for keeper in keepers] == [[connection.number]] * 2
    assert not connection.holders


async def test_a_request_that_waits_hears_that_its_connection_is_over(pair):
    connection = lent_of(pair[0])
    waiting = connection.waiting = asyncio.get_running_loop().create_future()
    assert not connection.lost
    connection.close()
    connection.close()
    assert waiting.done()
    pair[0].close()
    assert connection.lost


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

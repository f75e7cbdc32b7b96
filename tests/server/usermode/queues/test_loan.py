from __future__ import annotations

import socket
import sys

import pytest

from hostler.server.usermode.queues.loan import LentConnection, Loan
from hostler.server.usermode.queues.tcp_info import bytes_written
from tests.server.usermode.peers import eventually, shared

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
    connection = lent_of(sock)
    connection.socket.written = connection.socket.bytes_written()
    return Loan(connection, b"", b"", connection.socket.lend_reading() if body else None)


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


# -- what is lent -----------------------------------------------------------------------------------------------------


class Keeper:
    """A holder of copies."""

    def __init__(self):
        self.forgotten = []

    def forget(self, connection):
        self.forgotten.append(connection)


def lent_of(sock):
    return LentConnection(shared(sock), ("127.0.0.1", 1), ("127.0.0.1", 2), False)


def test_every_connection_has_a_number_of_its_own(pair):
    numbers = {lent_of(sock).number for sock in pair * 100}
    assert len(numbers) == 200
    assert all(0 <= number < 2**32 for number in numbers)


def test_every_holder_is_told_once_that_the_connection_is_over(pair):
    connection, keepers = lent_of(pair[0]), [Keeper(), Keeper()]
    connection.holders.update(keepers)
    connection.close()
    connection.close()
    assert [keeper.forgotten for keeper in keepers] == [[connection]] * 2
    assert not connection.holders


def test_a_request_that_waits_hears_that_its_connection_is_over(pair):
    connection, told = lent_of(pair[0]), []
    connection.waiting = lambda: told.append("over")
    assert not connection.lost
    connection.close()
    assert told == ["over"]
    pair[0].close()
    assert connection.lost

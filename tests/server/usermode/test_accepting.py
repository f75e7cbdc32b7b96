from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from hostler.server.pending import Pending
from hostler.server.usermode import accepting
from hostler.server.usermode.accepting import MAX_ACCEPTS_PER_TURN, Acceptor
from tests.server.usermode.peers import Client, eventually, serving


async def hello(exchange):
    return await exchange.respond(200, "hello")


def crowd(port, size):
    """Connect clients before the event loop learns of any."""
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(size)]


async def turns_until(predicate, most):
    for turn in range(most):
        if predicate():
            return turn
        await asyncio.sleep(0)
    return most


async def test_a_crowd_is_accepted_in_few_turns_of_the_loop():
    async with serving(hello) as server:
        clients = crowd(server.port, MAX_ACCEPTS_PER_TURN)
        try:
            assert await turns_until(lambda: len(server._context.connections) == len(clients), 60) < 20
        finally:
            for client in clients:
                client.close()


async def test_those_who_are_connected_have_their_turn_while_a_crowd_is_accepted(monkeypatch):
    monkeypatch.setattr(accepting, "MAX_ACCEPTS_PER_TURN", 10)
    async with serving(hello) as server:
        clients = crowd(server.port, 30)
        seen = set()
        try:
            while len(server._context.connections) < 30:
                seen.add(len(server._context.connections))
                await asyncio.sleep(0)
        finally:
            for client in clients:
                client.close()
    assert {10, 20} <= seen


async def test_small_answers_are_not_held_back_by_nagle():
    async with serving(hello) as server, await Client.connect(server.port) as client:
        await client.get()
        (connection,) = server._context.connections
        assert connection.socket.raw().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_connection_that_came_as_the_server_stopped_is_closed_with_it():
    async with serving(hello) as server:
        (client,) = crowd(server.port, 1)
        await turns_until(lambda: server._opening or server._context.connections, 60)
        await server.stop(5)
        assert not server._context.connections
        assert client.recv(1) == b""
        client.close()


class FullSocket:
    """A listening socket for whose connections there are no descriptors, at first."""

    def __init__(self, sock):
        self._socket = sock
        self.full = True
        self.attempts = 0

    def _accept(self):
        self.attempts += 1
        if self.full:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._socket._accept()

    def __getattr__(self, name):
        return getattr(self._socket, name)


@pytest.mark.parametrize("ends", ["room", "close"])
async def test_without_room_for_connections_a_listener_looks_again_now_and_then(monkeypatch, caplog, ends):
    monkeypatch.setattr(accepting, "ACCEPT_RETRY_INTERVAL", 0.05)
    loop, made = asyncio.get_running_loop(), []

    class Protocol(asyncio.Protocol):
        def __init__(self, sock, addresses):
            assert addresses == (sock.getpeername(), sock.getsockname())

        def connection_made(self, transport):
            made.append(transport)

    sock = FullSocket(socket.create_server(("127.0.0.1", 0)))
    acceptor = Acceptor(loop, sock, Protocol, Pending())
    with socket.create_connection(sock.getsockname()):
        await eventually(lambda: sock.attempts > 1)
        assert "no connection can be accepted" in caplog.text
        if ends == "room":
            sock.full = False
            await eventually(lambda: made)
            made[0].close()
        acceptor.close()

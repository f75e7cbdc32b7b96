"""Opening connections: to which address."""

from __future__ import annotations

import socket

import pytest

from hostler import HttpClient
from hostler.client.address import DestinationAddress
from hostler.client.connector import Connector
from tests.client.peers import destination, until
from tests.client.transports import Owner


async def test_a_connection_is_idle_and_tells_its_owner_when_the_destination_closes_it():
    owner = Owner()
    async with destination(lambda peer: peer.gone()) as there:
        connection = await Connector(DestinationAddress.parse(there.address), HttpClient()).connect(owner)
        assert (connection.slots, connection.is_idle(), connection.has_expired()) == (1, True, False)
        await until(lambda: there.peers)
        there.peers[0].close()
        await until(connection.has_expired)
        await until(lambda: owner.gone == [connection])


async def test_an_idle_connection_can_be_closed():
    owner = Owner()
    async with destination(lambda peer: peer.gone()) as there:
        connection = await Connector(DestinationAddress.parse(there.address), HttpClient()).connect(owner)
        connection.close()
        assert connection.has_expired()
        assert owner.gone == [connection]


async def test_what_cannot_be_connected_to_is_an_os_error():
    with pytest.raises(ConnectionRefusedError):
        await Connector(DestinationAddress.parse("http://127.0.0.1:1"), HttpClient()).connect(Owner())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_what_is_written_leaves_at_once(host):
    async with destination(lambda peer: peer.gone()) as there:
        address = DestinationAddress.parse(f"http://{host}:{there.port}")
        connection = await Connector(address, HttpClient()).connect(Owner())
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        connection.close()

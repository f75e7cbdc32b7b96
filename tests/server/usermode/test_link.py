from __future__ import annotations

import asyncio
import os
import socket
import struct

import pytest
from usermode_peers import eventually

from hostler.errors import QueueAccessError
from hostler.server.usermode import link as link_module
from hostler.server.usermode.link import Link, check_peer
from hostler.server.usermode.packets import (
    MAX_PACKET,
    Data,
    Done,
    GiveBack,
    Hello,
    Leaving,
    Lend,
    PacketError,
    encode,
)

KINDS = [socket.SOCK_SEQPACKET, socket.SOCK_STREAM]


def lend(number=1, data=b"GET / HTTP/1.1\r\n\r\n"):
    return Lend(number, ("127.0.0.1", 1), ("127.0.0.1", 2), "http://*:80/", b"", data)


class End:
    """One end of a link, and what it got."""

    def __init__(self, sock):
        self.packets, self.descriptors, self.losses = [], [], 0
        self.link = Link(asyncio.get_running_loop(), sock, self._on_packet, self._on_lost)

    def _on_packet(self, packet, descriptor):
        self.packets.append(packet)
        if descriptor >= 0:
            self.descriptors.append(descriptor)

    def _on_lost(self):
        self.losses += 1

    def close(self):
        self.link.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()


@pytest.fixture(params=KINDS, ids=["seqpacket", "stream"])
def sockets(request):
    one, other = socket.socketpair(socket.AF_UNIX, request.param)
    with one, other:
        yield one, other


@pytest.fixture
async def ends(sockets):
    one, other = map(End, sockets)
    yield one, other
    one.close()
    other.close()


def framed(sock, block):
    return struct.pack("!I", len(block)) + block if sock.type == socket.SOCK_STREAM else block


async def test_both_ends_greet(ends):
    one, other = ends
    await eventually(lambda: one.link.peer and other.link.peer)
    assert one.link.peer == other.link.peer == os.getpid()
    assert one.packets == []


async def test_packets_arrive_in_order_and_whole(ends):
    one, other = ends
    sent = [
        GiveBack(1),
        Data(2, bytes(100_000)),
        Done(3, 200, surplus=b"x" * 90_000),
        Leaving(),
        Data(4, b""),
    ]
    for packet in sent:
        one.link.send(packet)
    await eventually(lambda: len(other.packets) == len(sent))
    assert other.packets == sent


async def test_a_descriptor_travels_with_its_packet(ends):
    one, other = ends
    near, far = socket.socketpair()
    with near, far:
        one.link.send(Data(1, b"ahead"))
        one.link.send(lend(), (far.fileno(),))
        await eventually(lambda: other.descriptors)
        assert other.packets == [Data(1, b"ahead"), lend()]
        (descriptor,) = other.descriptors
        assert descriptor != far.fileno()
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"x")
        assert near.recv(1) == b"x"


async def test_a_link_whose_peer_reads_nothing_keeps_what_is_sent_and_its_descriptors(ends):
    one, other = ends
    loop = asyncio.get_running_loop()
    await eventually(lambda: one.link.peer and other.link.peer)
    loop.remove_reader(other.link._socket)
    count = 30
    pairs = [socket.socketpair() for _ in range(count)]
    for number, (_, far) in enumerate(pairs):
        one.link.send(lend(number, bytes(90_000)), (far.fileno(),))
        far.close()  # the link has a copy of its own if it must wait
    assert one.link._outgoing
    loop.add_reader(other.link._socket, other.link._on_readable)
    await eventually(lambda: len(other.packets) == count)
    assert [packet.loan for packet in other.packets] == list(range(count))
    for (near, _), descriptor in zip(pairs, other.descriptors, strict=True):
        os.write(descriptor, b"x")
        assert near.recv(1) == b"x"
        near.close()
    assert not one.link._outgoing


async def test_a_link_that_is_closed_gives_up_what_it_kept(ends):
    one, other = ends
    await eventually(lambda: one.link.peer and other.link.peer)
    asyncio.get_running_loop().remove_reader(other.link._socket)
    near, far = socket.socketpair()
    with near:
        for number in range(30):
            one.link.send(lend(number, bytes(90_000)), (far.fileno(),))
        far.close()
        one.close()
        other.close()
        near.setblocking(False)
        # every copy of the other end is closed
        assert near.recv(1) == b""


async def test_the_end_of_the_peer_is_a_loss_told_once(ends):
    one, other = ends
    other.close()
    await eventually(lambda: one.losses)
    one.link.close()
    one.link.send(GiveBack(1))
    assert (one.losses, one.link.closed) == (1, True)


@pytest.mark.parametrize(
    "blocks",
    [
        [encode(GiveBack(1))],  # no HELLO
        [encode(Hello(1, 99))],  # another version
        [encode(Hello(1)), encode(Hello(1))],  # two of them
        [encode(Hello(1)), b"nonsense"],
        [encode(Hello(1)), encode(lend())],  # no descriptor
    ],
)
async def test_a_peer_that_breaks_the_rules_is_hung_up_on(sockets, blocks):
    one, other = sockets
    end = End(one)
    for block in blocks:
        other.send(framed(other, block))
    await eventually(lambda: end.losses)
    assert end.packets == []


async def test_a_packet_larger_than_any_is_hung_up_on(sockets):
    one, other = sockets
    end = End(one)
    other.send(framed(other, encode(Hello(1))))
    block = struct.pack("!I", MAX_PACKET + 1) if other.type == socket.SOCK_STREAM else bytes(MAX_PACKET + 100)
    other.send(block)
    await eventually(lambda: end.losses)


async def test_a_packet_larger_than_any_is_not_sent(ends):
    one, _ = ends
    with pytest.raises(PacketError):
        one.link.send(Data(1, bytes(MAX_PACKET)))
    assert not one.link.closed


async def test_packets_are_the_same_however_a_stream_is_cut():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        end = End(one)
        data = (
            framed(other, encode(Hello(1)))
            + framed(other, encode(Data(1, b"abc")))
            + framed(other, encode(GiveBack(2)))
        )
        for at in range(len(data)):
            other.send(data[at : at + 1])
            await asyncio.sleep(0)
        await eventually(lambda: len(end.packets) == 2)
        assert end.packets == [Data(1, b"abc"), GiveBack(2)]
        end.close()


async def test_too_many_descriptors_are_hung_up_on(sockets):
    one, other = sockets
    end = End(one)
    near, far = socket.socketpair()
    with near, far:
        socket.send_fds(other, [framed(other, encode(Hello(1)))], [far.fileno()] * 8)
        await eventually(lambda: end.losses)
        far.close()
        near.setblocking(False)
        assert near.recv(1) == b""


def test_a_process_of_another_user_is_not_trusted(sockets, monkeypatch):
    monkeypatch.setattr(link_module.os, "geteuid", lambda: os.getuid() + 4242)
    if os.getuid() == 0:
        # root may; a third user may not
        check_peer(sockets[0])
        monkeypatch.setattr(link_module, "_CREDENTIALS", Credentials(4343))
    with pytest.raises(QueueAccessError, match="of user"):
        check_peer(sockets[0])


class Credentials:
    """struct ucred as the kernel would give it for a process of this user."""

    size = 12

    def __init__(self, user):
        self.user = user

    def unpack(self, packed):
        return 1, self.user, 1


async def test_a_peer_that_is_not_trusted_is_not_greeted(sockets, monkeypatch):
    monkeypatch.setattr(link_module, "_CREDENTIALS", Credentials(os.geteuid() + 4343))
    with pytest.raises(QueueAccessError):
        End(sockets[0])
    sockets[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        sockets[1].recv(100)
    assert sockets[0].fileno() >= 0

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import struct
import sys

import pytest

from hostler.errors import QueueAccessError
from hostler.server.usermode.queues import link as link_module
from hostler.server.usermode.queues.link import KIND, check_peer
from hostler.server.usermode.queues.packets import (
    MAX_PACKET,
    Close,
    Data,
    Done,
    GiveBack,
    Hello,
    Leaving,
    Lend,
    Open,
    PacketError,
    encode,
)
from tests.server.usermode.peers import Peer, eventually

KINDS = [socket.SOCK_SEQPACKET, socket.SOCK_STREAM]


def lend(number=1, data=b"GET / HTTP/1.1\r\n\r\n", connection=1):
    return Lend(number, connection, "http://*:80/", b"", data)


def opening(connection=1):
    return Open(connection, ("127.0.0.1", 1), ("127.0.0.1", 2))


class End(Peer):
    """One end of a link, and how many connections were opened without a descriptor."""

    openings = 0

    def _on_packet(self, packet, descriptor):
        super()._on_packet(packet, descriptor)
        self.openings += isinstance(packet, Open) and descriptor < 0

    def close(self):
        self.__exit__()


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


def framed(*packets):
    """Return packets, or blocks that are none, as they stand in a message."""
    blocks = [packet if isinstance(packet, bytes) else encode(packet) for packet in packets]
    return b"".join(struct.pack("!I", len(block)) + block for block in blocks)


def is_closed(near):
    """Whether every copy of the other end is closed."""
    near.setblocking(False)
    try:
        return near.recv(1) == b""
    except BlockingIOError:
        return False


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
        Done(3, 200, unread=b"x" * 90_000),
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
        one.link.open(opening(), far.fileno())
        one.link.send(lend())
        await eventually(lambda: len(other.packets) == 3)
        assert other.packets == [Data(1, b"ahead"), opening(), lend()]
        (descriptor,) = other.descriptors
        assert descriptor != far.fileno()
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"x")
        assert near.recv(1) == b"x"


async def test_what_is_sent_in_one_turn_travels_in_one_message(sockets):
    one, other = sockets
    end = End(one)
    other.setblocking(False)
    assert other.recv(1000) == framed(Hello(os.getpid()))
    for number in range(1, 4):
        end.link.send(GiveBack(number))
    with pytest.raises(BlockingIOError):
        other.recv(1000)
    await asyncio.sleep(0)
    assert other.recv(1000) == framed(GiveBack(1), GiveBack(2), GiveBack(3))
    end.link.send(Leaving())
    end.link.flush()
    assert other.recv(1000) == framed(Leaving())
    end.link.flush()
    await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        other.recv(1000)
    end.close()


async def test_a_batch_is_no_larger_than_a_message_may_be(sockets):
    one, other = sockets
    end = End(one)
    other.recv(1000)
    packets = [Data(number, bytes(50_000)) for number in range(3)]
    for packet in packets:
        end.link.send(packet)
    assert other.recv(MAX_PACKET * 2) == framed(*packets[:2])
    await asyncio.sleep(0)
    assert other.recv(MAX_PACKET * 2) == framed(packets[2])
    whole = Data(1, bytes(MAX_PACKET - 8))
    end.link.send(whole)
    end.link.flush()
    assert len(other.recv(MAX_PACKET * 2)) == MAX_PACKET + 4
    end.close()


async def test_a_connection_is_opened_between_what_was_sent_before_and_after(ends):
    one, other = ends
    near, far = socket.socketpair()
    with near, far:
        sent = []
        for number in range(5):
            one.link.send(GiveBack(number))
            one.link.open(opening(number), far.fileno())
            one.link.send(lend(number, connection=number))
            one.link.send(Close(number))
            sent += [GiveBack(number), opening(number), lend(number, connection=number), Close(number)]
        await eventually(lambda: len(other.packets) == len(sent))
        assert other.packets == sent
        assert len(set(other.descriptors)) == 5


@pytest.mark.parametrize(("size", "messages"), [(10, 1), (MAX_PACKET - 30, 2)])
async def test_what_follows_a_connection_travels_with_it_where_it_has_room(sockets, size, messages):
    one, other = sockets
    end = End(one)
    other.recv(1000)
    near, far = socket.socketpair()
    with near, far:
        following = encode(Data(1, bytes(size)))
        end.link.open(opening(), far.fileno(), following)
        expected = [opening(), following] if messages == 1 else [opening()]
        data, descriptors, _, _ = socket.recv_fds(other, MAX_PACKET * 2, 4)
        assert (data, len(descriptors)) == (framed(*expected), 1)
        os.close(descriptors[0])
        if messages == 2:
            await asyncio.sleep(0)
            other.setblocking(False)
            assert other.recv(MAX_PACKET * 2) == framed(following)
    end.close()


async def test_a_peer_that_sends_many_messages_is_caught_up_with(sockets):
    one, other = sockets
    end = End(one)
    other.send(framed(Hello(1)))
    for number in range(60):
        other.send(framed(GiveBack(number)))
    for _ in range(30):  # turns of the event loop
        await asyncio.sleep(0)
    assert end.packets == [GiveBack(number) for number in range(60)]
    end.close()


@pytest.fixture
async def deaf(ends):
    """Two ends, of which the other does not read until it is told to."""
    one, other = ends
    loop = asyncio.get_running_loop()

    def listening():
        loop.add_reader(other.link._socket, other.link._on_readable)

    await eventually(lambda: one.link.peer and other.link.peer)
    loop.remove_reader(other.link._socket)
    return one, other, listening


async def test_a_link_whose_peer_reads_nothing_keeps_order_and_descriptors(deaf):
    one, other, listening = deaf
    count = 30
    pairs = [socket.socketpair() for _ in range(count)]
    sent = []
    for number, (_, far) in enumerate(pairs):
        one.link.open(opening(number), far.fileno())
        far.close()  # the link has a copy of its own if it must wait
        one.link.send(lend(number, bytes(90_000), number))
        one.link.send(Close(number))
        sent += [opening(number), lend(number, bytes(90_000), number), Close(number)]
        await asyncio.sleep(0)
    assert one.link._outgoing
    listening()
    await eventually(lambda: len(other.packets) == len(sent))
    assert other.packets == sent
    for (near, _), descriptor in zip(pairs, other.descriptors, strict=True):
        os.write(descriptor, b"x")
        assert near.recv(1) == b"x"
        near.close()
    assert not one.link._outgoing
    one.link.send(Leaving())
    await eventually(lambda: other.packets[-1] == Leaving())


async def test_a_link_that_is_closed_gives_up_what_it_kept(deaf):
    one, other, _ = deaf
    near, far = socket.socketpair()
    with near:
        for number in range(30):
            one.link.send(lend(number, bytes(90_000)))
            one.link.open(opening(number), far.fileno())
        far.close()
        one.close()
        other.close()
        assert is_closed(near)


async def test_what_is_sent_before_a_close_arrives(ends):
    one, other = ends
    one.link.send(GiveBack(1))
    one.link.close()
    await eventually(lambda: other.losses)
    assert other.packets == [GiveBack(1)]


async def test_what_a_peer_sent_before_it_reset_the_link_arrives():
    one, other = map(End, socket.socketpair(socket.AF_UNIX, KIND))
    await eventually(lambda: one.link.peer and other.link.peer)
    # a lend crosses with an answer and the end: the socket is closed with a packet unread, which is a reset
    one.link.send(lend())
    one.link.flush()
    other.link.send(Done(1, 200))
    other.link.send(Leaving())
    other.link.close()
    await eventually(lambda: one.losses)
    assert one.packets == [Done(1, 200), Leaving()]


async def test_a_link_that_can_send_no_more_takes_what_the_peer_sent(ends):
    one, other = ends
    await eventually(lambda: one.link.peer and other.link.peer)
    other.link.send(Done(1, 200))
    other.link.close()
    one.link.send(lend())
    one.link.flush()
    one.link.send(lend(2))
    assert not one.losses  # whoever sends is not interrupted
    await eventually(lambda: one.losses)
    assert one.packets == [Done(1, 200)]


@pytest.mark.parametrize("number", [errno.ETOOMANYREFS, errno.ENOBUFS])
async def test_a_system_that_is_short_of_something_is_asked_again(ends, monkeypatch, number):
    one, other = ends
    await eventually(lambda: one.link.peer and other.link.peer)
    tries, send = [], link_module._send_with

    def short(*arguments):
        tries.append(arguments)
        if len(tries) < 3:
            raise OSError(number, "short")
        return send(*arguments)

    monkeypatch.setattr(link_module, "_send_with", short)
    near, far = socket.socketpair()
    with near:
        one.link.send(GiveBack(1))
        one.link.open(opening(), far.fileno())
        far.close()
        one.link.send(lend())
        await eventually(lambda: len(other.packets) == 3)
        assert other.packets == [GiveBack(1), opening(), lend()]
        os.write(other.descriptors[0], b"x")
        assert near.recv(1) == b"x"
    assert len(tries) == 3, "it was not asked all the time"


async def test_a_link_that_waits_for_the_system_can_be_closed(ends, monkeypatch):
    one, other = ends

    def short(*_):
        raise OSError(errno.ENOBUFS, "short")

    monkeypatch.setattr(link_module, "_send_with", short)
    near, far = socket.socketpair()
    with near:
        one.link.open(opening(), far.fileno())
        far.close()
        one.close()
        assert is_closed(near)
    await eventually(lambda: other.losses)


async def test_a_process_without_room_cannot_keep_a_connection_for_later(deaf, monkeypatch):
    one, other, listening = deaf
    while not one.link._outgoing:
        one.link.send(Data(1, bytes(90_000)))
        one.link.flush()

    def full(_):
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(link_module.os, "dup", full)
    with pytest.raises(OSError, match="too many"):
        one.link.open(opening(), 0)
    one.link.send(Leaving())
    listening()
    await eventually(lambda: other.packets and other.packets[-1] == Leaving())
    assert opening() not in other.packets
    assert not one.link.closed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is counted in /proc/self/fd")
async def test_a_process_that_has_no_room_hears_of_the_connection_all_the_same(ends):
    one, other = ends
    await eventually(lambda: one.link.peer and other.link.peer)
    near, far = socket.socketpair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with near, far:
        one.link.open(opening(1), far.fileno())
        one.link.send(lend())
        one.link.flush()
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free_descriptor(), hard))
        try:
            other.link._on_readable()
            if len(other.packets) < 2:
                other.link._on_readable()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert other.packets == [opening(1), lend()]
        assert (other.openings, other.descriptors, other.link.closed) == (1, [], False)
        one.link.open(opening(2), far.fileno())
        await eventually(lambda: other.descriptors)
        assert other.openings == 1


def first_free_descriptor():
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


async def test_the_end_of_the_peer_is_a_loss_told_once(ends):
    one, other = ends
    other.close()
    await eventually(lambda: one.losses)
    one.link.close()
    one.link.send(GiveBack(1))
    assert (one.losses, one.link.closed) == (1, True)


@pytest.mark.parametrize(
    "messages",
    [
        [framed(GiveBack(1))],  # no HELLO
        [framed(Hello(1, 99))],  # another version
        [framed(Hello(1), Hello(1))],  # two of them
        [framed(Hello(1)), framed(b"nonsense")],
        [framed(Hello(1)), framed(b"")],
        [framed(Hello(1)), framed(opening())],  # no descriptor
        [framed(Hello(1), opening())],
    ],
)
@pytest.mark.logs_errors("the link with process .* is closed")
async def test_a_peer_that_breaks_the_rules_is_hung_up_on(sockets, messages):
    one, other = sockets
    end = End(one)
    for message in messages:
        other.send(message)
    await eventually(lambda: end.losses)
    assert [packet for packet in end.packets if packet != Hello(1)] == []
    assert end.link.broken


@pytest.mark.logs_errors("the link with process .* is closed")
async def test_what_comes_in_front_of_what_breaks_the_rules_is_taken(sockets):
    one, other = sockets
    end = End(one)
    other.send(framed(Hello(1), GiveBack(1), b"nonsense", GiveBack(2)))
    await eventually(lambda: end.losses)
    assert end.packets == [GiveBack(1)]


async def test_a_peer_that_hangs_up_broke_no_rule(ends):
    one, other = ends
    other.close()
    await eventually(lambda: one.losses)
    assert not one.link.broken


@pytest.mark.logs_errors("the link with process .* is closed")
async def test_whoever_takes_packets_may_refuse_them(sockets):
    one, other = sockets
    end = End(one)

    def refuse(packet, _):
        raise PacketError("no")

    end.link._on_packet = refuse
    other.send(framed(Hello(1), GiveBack(1)))
    await eventually(lambda: end.losses)
    assert end.link.broken


@pytest.mark.parametrize("size", [1, 3, 4, 11, 13])
@pytest.mark.logs_errors("the link with process .* is closed")
async def test_a_packet_that_is_cut_off_is_refused_where_messages_are_kept_apart(size):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        end = End(one)
        other.send(framed(Hello(1)))
        other.send(framed(GiveBack(1), Data(2, b"abc"))[: 12 + size])
        await eventually(lambda: end.losses)
        assert end.packets == [GiveBack(1)]
        assert end.link.broken


@pytest.mark.logs_errors("a packet of 131073 bytes")
async def test_a_packet_larger_than_any_is_hung_up_on(sockets):
    one, other = sockets
    end = End(one)
    other.send(framed(Hello(1)) + struct.pack("!I", MAX_PACKET + 1))
    await eventually(lambda: end.losses)
    assert end.link.broken


@pytest.mark.logs_errors("a message is larger than any")
async def test_a_message_larger_than_any_is_hung_up_on():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        end = End(one)
        other.send(framed(Hello(1)))
        other.send(framed(Data(1, bytes(60_000)), Data(2, bytes(60_000)), Data(3, bytes(60_000))))
        await eventually(lambda: end.losses)
        assert end.packets == []
        assert end.link.broken


async def test_a_packet_larger_than_any_is_not_sent(ends):
    one, _ = ends
    with pytest.raises(PacketError):
        one.link.send(Data(1, bytes(MAX_PACKET)))
    assert not one.link.closed


async def test_packets_are_the_same_however_a_stream_is_cut():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        end = End(one)
        data = framed(Hello(1), Data(1, b"abc"), GiveBack(2))
        for at in range(len(data)):
            other.send(data[at : at + 1])
            await asyncio.sleep(0)
        await eventually(lambda: len(end.packets) == 2)
        assert end.packets == [Data(1, b"abc"), GiveBack(2)]
        end.close()


async def test_a_descriptor_finds_its_packet_however_a_stream_is_cut():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    near, far = socket.socketpair()
    with one, other, near, far:
        end = End(one)
        other.send(framed(Hello(1)))
        data, follows = framed(opening(1)), framed(GiveBack(1))
        for cut in range(1, len(data) + 1):
            socket.send_fds(other, [data[:cut]], [far.fileno()])
            await asyncio.sleep(0.001)
            other.send(data[cut:] + follows)
            await eventually(lambda cut=cut: len(end.packets) == 2 * cut)
        assert end.packets == [opening(1), GiveBack(1)] * len(data)
        assert len(end.descriptors) == len(data)
        end.close()


@pytest.mark.logs_errors("too many descriptors came at once")
async def test_too_many_descriptors_are_hung_up_on(sockets):
    one, other = sockets
    end = End(one)
    near, far = socket.socketpair()
    with near, far:
        socket.send_fds(other, [framed(Hello(1))], [far.fileno()] * 8)
        await eventually(lambda: end.losses)
        far.close()
        assert is_closed(near)


@pytest.mark.parametrize(
    ("packets", "count"), [([GiveBack(1)], 1), ([GiveBack(1)], 4), ([opening()], 2), ([opening(), lend()], 3)]
)
@pytest.mark.logs_errors("a descriptor came without OPEN")
async def test_descriptors_that_nobody_asked_for_are_refused_and_closed(sockets, packets, count):
    one, other = sockets
    end = End(one)
    near, far = socket.socketpair()
    with near, far:
        other.send(framed(Hello(1)))
        socket.send_fds(other, [framed(*packets)], [far.fileno()] * count)
        await eventually(lambda: end.losses)
        assert end.link.broken
        far.close()
        end.close()
        assert is_closed(near)


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

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.errors import Reason
from hostler.http.security import Tls
from hostler.server.usermode.queues.loan_packets import read_done, read_lend
from hostler.server.usermode.queues.packets import (
    MAX_PACKET,
    Begun,
    Client,
    Close,
    Data,
    Departed,
    Done,
    GiveBack,
    Hello,
    Leaving,
    Lend,
    Open,
    PacketError,
    decode,
    encode,
    split,
)

# -- playbook: what stands on the wire --------------------------------------------------------------------------------

TLS = Tls(
    version="TLSv1.3",
    cipher_suite="A_B",
    cipher_suite_id=0x1302,
    cipher_bits=256,
    server_name="h",
    client_certificate_negotiated=True,
    client_certificate=b"abc",
    client_chain=(b"abc", b"d"),
)

WIRE = [
    (Hello(7), (b"\1\0\0\0" b"\0\0\0\0" b"\0\5" b"\0\0\0\7")),
    (
        Open(6, ("1.2.3.4", 80), ("::1", 443), https=True),
        (b"\2\1\0\0" b"\0\0\0\6" b"\0\7\0\3\0\x50\1\xbb" b"1.2.3.4" b"::1"),
    ),
    (
        Open(6, ("", 0), ("", 0), https=True, tls=TLS),
        (b"\2\3\0\0" b"\0\0\0\6" + bytes(8)
        + b"\0\7\0\3\0\1\0\0" b"\x13\2\1\0" b"\0\2\0\2" b"TLSv1.3" b"A_B" b"h" b"\0\0\0\3abc" b"\0\0\0\1d"),
    ),
    (Open(2**32 - 1, ("", 0), ("", 0)), (b"\2\0\0\0" b"\xff\xff\xff\xff") + bytes(8)),
    (
        Lend(5, 6, "http://*:80/", b"x: y\r\n", b"GET"),
        (b"\3\0\0\0" b"\0\0\0\5" b"\0\0\0\6" b"\0\x0c" b"\0\0\0\6" b"\xff\xff\xff\xff\xff\xff\xff\xff"
        b"http://*:80/" b"x: y\r\n" b"GET"),
    ),
    (Data(5, b"abc"), (b"\4\0\0\0" b"\0\0\0\5" b"abc")),
    (
        Done(5, 200, 1, 2, keep_alive=True, unread=b"GET", bytes_written=3),
        (b"\5\1\0\0" b"\0\0\0\5" b"\0\xc8\0\0" b"\0\0\0\0\0\0\0\1" b"\0\0\0\0\0\0\0\2"
        b"\0\0\0\0\0\0\0\3" b"GET"),
    ),
    (
        Done(5, 0, keep_alive=False, reason=Reason.REQUEST),
        (b"\5\2\0\0" b"\0\0\0\5" b"\0\0\1\0") + bytes(24),
    ),
    (GiveBack(5), (b"\6\0\0\0" b"\0\0\0\5")),
    (Close(6), (b"\7\0\0\0" b"\0\0\0\6")),
    (Departed(6), (b"\x09\0\0\0" b"\0\0\0\6")),
    (Client(6, ("203.0.113.9", 4711), https=True), (b"\x0b\1\0\0" b"\0\0\0\6" b"\x12\x67" b"203.0.113.9")),
    (Client(6, ("", 0)), (b"\x0b\0\0\0" b"\0\0\0\6" b"\0\0")),
    (Begun(5, 200), (b"\x0a\0\0\0" b"\0\0\0\5" b"\0\xc8")),
    (
        Lend(5, 6, "/", b"", b"GET", whole=True, body_limit=7),
        (b"\3\1\0\0" b"\0\0\0\5" b"\0\0\0\6" b"\0\1" b"\0\0\0\0" b"\0\0\0\0\0\0\0\7" b"/" b"GET"),
    ),
    (Leaving(), (b"\x08\0\0\0" b"\0\0\0\0")),
]  # fmt: skip


@pytest.mark.parametrize(("packet", "block"), WIRE)
def test_a_packet_looks_like_this_on_the_wire(packet, block):
    assert encode(packet) == block
    assert decode(block) == packet


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\1",
        bytes(8),  # no kind
        b"\x0a" + bytes(7),
        b"\x09\1\0\0\0\0\0\5",  # a flag that DEPARTED has not
        b"\x09\0\0\0\0\0\0\5x",
        b"\6\1\0\0\0\0\0\5",  # a flag that GIVE_BACK has not
        b"\6\0\0\1\0\0\0\5",  # not zero
        b"\6\0\0\0\0\0\0\5x",  # longer than GIVE_BACK
        b"\7\1\0\0\0\0\0\5",  # a flag that CLOSE has not
        b"\7\0\0\0\0\0\0\5x",  # longer than CLOSE
        b"\4\1\0\0\0\0\0\5abc",  # a flag that DATA has not
        b"\x08\0\0\0\0\0\0\5",  # LEAVING is about no loan
        b"\x08\0\0\0\0\0\0\0x",
        b"\1\0\0\0\0\0\0\5\0\1\0\0\0\7",  # nor is HELLO
        b"\1\0\0\0\0\0\0\0\0\1\0\0\0",
        b"\1\0\0\0\0\0\0\0\0\1\0\0\0\7\0",
        b"\2\0\0\0\0\0\0\5",
        b"\2\4\0\0\0\0\0\5" + bytes(8),  # a flag that OPEN has not
        b"\2\2\0\0\0\0\0\5" + bytes(8),  # encrypted, and not how
        b"\2\2\0\0\0\0\0\5" + bytes(8) + bytes(17),  # the lengths do not add up
        b"\2\2\0\0\0\0\0\5" + bytes(8) + bytes(15) + b"\1",  # a certificate that is not there
        b"\2\2\0\0\0\0\0\5" + bytes(8) + bytes(13) + b"\4\0\0",  # a flag that TLS has not
        b"\2\2\0\0\0\0\0\5" + bytes(8) + b"\0\1" + bytes(14) + b"\xff",  # not text
        b"\2\0\0\0\0\0\0\5" + bytes(8) + b"x",  # the lengths do not add up
        b"\2\0\0\0\0\0\0\5\0\1" + bytes(6),
        b"\2\0\0\0\0\0\0\5\0\1" + bytes(6) + b"\xff",  # not text
        b"\3\0\0\0\0\0\0\5",
        b"\3\2\0\0\0\0\0\5" + bytes(10),  # a flag that LEND has not
        b"\3\0\0\1\0\0\0\5" + bytes(10),  # not zero
        b"\3\0\0\0\0\0\0\5" + bytes(9),
        b"\3\0\0\0\0\0\0\5" + bytes(4) + b"\0\1" + bytes(4),  # the lengths do not add up
        b"\3\0\0\0\0\0\0\5" + bytes(4) + b"\0\0\0\0\0\2" + b"x",
        b"\3\0\0\0\0\0\0\5" + bytes(4) + b"\0\1" + bytes(4) + b"\xff",  # not text
        b"\5\0\0\0\0\0\0\5",
        b"\5\4\0\0\0\0\0\5" + bytes(28),  # a flag that DONE has not
        b"\5\2\0\0\0\0\0\5" + bytes(28),  # failed, and not why
        b"\5\0\0\0\0\0\0\5\0\0\1\0" + bytes(24),  # why, and not that
        b"\5\2\0\0\0\0\0\5\0\0\xff\0" + bytes(24),  # no such reason
        b"\5\1\0\0\0\0\0\5\0\xc8\0\1" + bytes(24),  # not zero
        b"\4\0\0\0\0\0\0\5" + bytes(MAX_PACKET),
    ],
)
def test_what_encode_does_not_write_is_no_packet(block):
    with pytest.raises(PacketError):
        decode(block)


def test_all_the_certificates_that_a_client_may_show_fit_a_packet():
    chain = tuple(bytes(1000) for _ in range(102))
    packet = Open(1, ("::1", 1), ("::1", 2), tls=Tls(client_certificate=chain[0], client_chain=chain))
    assert decode(encode(packet)) == packet


def test_every_reason_travels():
    for reason in Reason:
        assert decode(encode(Done(1, 0, reason=reason))).reason is reason


def test_a_packet_that_is_too_large_is_not_written():
    with pytest.raises(PacketError, match="larger than"):
        encode(Data(1, bytes(MAX_PACKET)))
    with pytest.raises(PacketError, match="larger than"):
        encode(Lend(1, 1, "", bytes(MAX_PACKET), b""))
    with pytest.raises(PacketError, match="larger than"):
        encode(Open(1, ("x" * 65535, 0), ("y" * 65535, 0)))


@pytest.mark.parametrize(
    "packet",
    [
        Open(2**32, ("", 0), ("", 0)),
        Open(1, ("", 65536), ("", 0)),
        Open(1, ("x" * 65536, 0), ("", 0)),
        Open(1, ("", 0), ("", 0), tls=Tls(server_name="x" * 65536)),
        Lend(2**32, 1, "", b"", b""),
        Lend(1, 2**32, "", b"", b""),
        Lend(1, 1, "x" * 65536, b"", b""),
        Done(1, 200, bytes_sent=2**64),
        Close(-1),
    ],
)
def test_a_number_that_has_no_room_is_not_written(packet):
    with pytest.raises(PacketError, match=f"{type(packet).__name__} does not fit"):
        encode(packet)


# -- properties -------------------------------------------------------------------------------------------------------

loans = st.integers(0, 2**32 - 1)
addresses = st.tuples(st.text(max_size=40), st.integers(0, 65535))
payloads = st.binary(max_size=300)
counts = st.integers(0, 2**64 - 1)
encrypted = st.builds(
    lambda chain, **facts: Tls(client_certificate=chain[0] if chain else None, client_chain=chain, **facts),
    st.lists(payloads, max_size=3).map(tuple),
    version=st.text(max_size=10),
    cipher_suite=st.text(max_size=10),
    cipher_suite_id=st.integers(0, 65535),
    cipher_bits=st.integers(0, 65535),
    server_name=st.text(max_size=40),
    alpn=st.text(max_size=10),
    resumed=st.booleans(),
    client_certificate_negotiated=st.booleans(),
)
packets = st.one_of(
    st.builds(Hello, st.integers(0, 2**32 - 1), st.integers(0, 65535)),
    st.builds(Open, loans, addresses, addresses, st.booleans(), st.none() | encrypted),
    st.builds(
        Lend,
        loans,
        loans,
        st.text(max_size=40),
        payloads,
        payloads,
        st.booleans(),
        st.none() | st.integers(0, 2**63),
    ),
    st.builds(Data, loans, payloads),
    st.builds(
        Done,
        loans,
        st.integers(0, 65535),
        counts,
        counts,
        st.booleans(),
        st.none() | st.sampled_from(Reason),
        payloads,
        counts,
    ),
    st.builds(GiveBack, loans),
    st.builds(Close, loans),
    st.builds(Begun, loans, st.integers(0, 65535)),
    st.builds(Leaving),
)


@given(packets)
def test_a_packet_is_read_as_it_was_written(packet):
    block = encode(packet)
    assert decode(block) == packet
    assert (read_lend(block) is not None) is isinstance(packet, Lend)
    assert (read_done(block) is not None) is (isinstance(packet, Done) and packet.reason is None)
    is_canonical(block)


@given(packets, st.data())
def test_a_changed_packet_is_another_packet_or_none(packet, data):
    block = bytearray(encode(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(block)))
        kind = data.draw(st.sampled_from(["set", "insert", "cut"]))
        if kind == "set" and at < len(block):
            block[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            block[at:at] = data.draw(st.binary(max_size=4))
        elif kind == "cut":
            del block[at:]
    is_canonical(bytes(block))


@given(st.binary(max_size=100))
def test_any_bytes_are_a_packet_or_none(block):
    is_canonical(block)


def is_canonical(block):
    """What is read as a packet is what that packet is written as, and what is read of one without making it the same."""
    lend, done = read_lend(block), read_done(block)
    try:
        packet = decode(block)
    except PacketError:
        assert done is None
        assert lend is None or not is_text(lend[2])
        return
    assert encode(packet) == block
    if lend is not None:
        loan, connection, prefix, headers, data, whole, limit = lend
        assert packet == Lend(loan, connection, prefix.decode(), headers, data, whole, limit)
    if done is not None:
        loan, status, received, sent, keep_alive, unread, written = done
        assert packet == Done(loan, status, received, sent, keep_alive, None, unread, written)


def is_text(block):
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(loans, st.integers(0, 400_000))
def test_data_that_is_cut_is_the_same_data_together(loan, size):
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    ahead, last = split(loan, data)
    assert b"".join([*(packet.data for packet in ahead), last]) == data
    assert all(packet.loan == loan and len(encode(packet)) <= MAX_PACKET for packet in ahead)
    # with room for the rest of a LEND
    encode(Lend(loan, 1, "z" * 2000, b"h" * 16000, last))
    assert bool(ahead) == (size > 96 * 1024)

"""Headers of the PROXY protocol: bytes in, values out, and back."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.errors import ProtocolError
from hostler.http.proxy_protocol import (
    MAX_V1_SIZE,
    SIGNATURE,
    ProxyHeader,
    ProxyHeaderReader,
    encode_proxy_header,
)

CLIENT, SERVER = ("192.0.2.1", 50000), ("198.51.100.2", 443)
CLIENT6, SERVER6 = ("2001:db8::1", 50000), ("2001:db8::2", 443)


def read(data, *, piece=None):
    """Read a header, in pieces of a size; returns it with what followed, or None where it is not complete."""
    reader = ProxyHeaderReader()
    for at in range(0, len(data), piece or len(data)):
        end = at + (piece or len(data))
        found = reader.feed(data[at:end])
        if found is not None:
            header, rest = found
            return header, rest + data[end:]
    return None


def v2(command, family, block, length=None):
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


INET = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack("!HH", 50000, 443)
UNIX = b"/run/c".ljust(108, b"\0") + b"/run/s".ljust(108, b"\0")

READ = {
    "version 1, IPv4": (b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 443\r\n", ProxyHeader(CLIENT, SERVER)),
    "version 1, IPv6": (b"PROXY TCP6 2001:db8::1 2001:DB8::2 50000 443\r\n", ProxyHeader(CLIENT6, SERVER6)),
    "version 1, IPv4 in IPv6": (
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 50000 443\r\n",
        ProxyHeader(CLIENT, SERVER),
    ),
    "version 1, unknown": (b"PROXY UNKNOWN\r\n", ProxyHeader()),
    "version 1, unknown with what is to be ignored": (b"PROXY UNKNOWN ffff::1 ::2 1 2\r\n", ProxyHeader()),
    "version 1, as long as can be": (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", ProxyHeader()),
    "version 2, IPv4": (v2(0x21, 0x11, INET), ProxyHeader(CLIENT, SERVER)),
    "version 2, IPv4 over datagrams": (v2(0x21, 0x12, INET), ProxyHeader(CLIENT, SERVER)),
    "version 2 with TLVs": (v2(0x21, 0x11, INET + b"\x20\0\5hello" * 99), ProxyHeader(CLIENT, SERVER)),
    "version 2, as long as can be": (v2(0x21, 0x11, INET.ljust(65535, b"x")), ProxyHeader(CLIENT, SERVER)),
    "version 2, a Unix socket": (v2(0x21, 0x31, UNIX), ProxyHeader(("", 0), ("/run/s", 0))),
    "version 2, no family": (v2(0x21, 0x00, b""), ProxyHeader()),
    "version 2, no family, with TLVs": (v2(0x21, 0x00, b"\x20\0\1x"), ProxyHeader()),
    "version 2, LOCAL": (v2(0x20, 0x00, b""), ProxyHeader()),
    "version 2, LOCAL with addresses, which are to be discarded": (v2(0x20, 0x11, INET), ProxyHeader()),
}


@pytest.mark.parametrize(("data", "header"), READ.values(), ids=READ)
def test_a_header_is_read_in_pieces_of_any_size(data, header):
    for piece in (None, 1, 2, 7, 1000):
        assert read(data + b"GET /", piece=piece) == (header, b"GET /")


@pytest.mark.parametrize("data", [data for data, _ in READ.values()], ids=READ)
def test_the_beginning_of_a_header_is_waited_on(data):
    for end in {1, 5, 12, 15, 16, len(data) // 2, len(data) - 1}:
        assert read(data[: min(end, len(data) - 1)]) is None


REFUSED = {
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "another P": b"POST / HTTP/1.1\r\n",
    "a TLS record": b"\x16\x03\x01\x02\x00",
    "nothing but a line's end": b"\r\n\r\nGET /",
    "another protocol": b"PROXY UDP4 192.0.2.1 198.51.100.2 50000 443\r\n",
    "in lower case": b"PROXY tcp4 192.0.2.1 198.51.100.2 50000 443\r\n",
    "another family": b"PROXY TCP4 2001:db8::1 2001:db8::2 50000 443\r\n",
    "two spaces": b"PROXY TCP4  192.0.2.1 198.51.100.2 50000 443\r\n",
    "something behind it": b"PROXY TCP4 192.0.2.1 198.51.100.2 50000 443 \r\n",
    "too few words": b"PROXY TCP4 192.0.2.1 198.51.100.2 50000\r\n",
    "a port too large": b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
    "a port with a zero in front": b"PROXY TCP4 192.0.2.1 198.51.100.2 080 443\r\n",
    "a port with a sign": b"PROXY TCP4 192.0.2.1 198.51.100.2 +80 443\r\n",
    "a port with another script's digits": "PROXY TCP4 192.0.2.1 198.51.100.2 ٣ 443\r\n".encode(),
    "an octal address": b"PROXY TCP4 0192.0.2.1 198.51.100.2 50000 443\r\n",
    "a zone": b"PROXY TCP6 fe80::1%lo fe80::2 50000 443\r\n",
    "no end": b"PROXY UNKNOWN " + b"x" * 94,
    "an end that comes too late": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "version 1 in version 2": v2(0x11, 0x11, INET),
    "version 3": v2(0x31, 0x11, INET),
    "an unknown command": v2(0x22, 0x11, INET),
    "an unknown family": v2(0x21, 0x41, INET),
    "an unknown transport": v2(0x21, 0x13, INET),
    "too few addresses": v2(0x21, 0x11, INET[:11]),
    "IPv4 where IPv6 is said": v2(0x21, 0x21, INET),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_no_header_is_refused(data):
    for piece in (None, 1):
        with pytest.raises(ProtocolError, match="PROXY header"):
            read(data, piece=piece)


def test_what_cannot_become_a_header_is_refused_at_its_first_byte():
    for data in (b"G", b"\x16", b"p", b"PA", b"\r\n\r\n\0\r\nQUIX"):
        with pytest.raises(ProtocolError):
            read(data)


@given(st.binary(max_size=200), st.integers(1, 40))
def test_no_bytes_break_the_reader(data, piece):
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"):
        outcomes = []
        for size in (None, piece):
            try:
                outcomes.append(read(start + data or b"x", piece=size))
            except ProtocolError:
                outcomes.append("refused")
        assert outcomes[0] == outcomes[1]


ports = st.integers(0, 65535)
addresses = st.one_of(
    st.tuples(st.ip_addresses(v=4).map(str), ports),
    st.tuples(st.ip_addresses(v=6).filter(lambda one: one.ipv4_mapped is None).map(str), ports),
)


@given(st.sampled_from([1, 2]), addresses, addresses, st.binary(max_size=20))
def test_what_is_written_is_read_again(version, client, server, behind):
    data = encode_proxy_header(version, client, server)
    assert version == 2 or len(data) <= MAX_V1_SIZE
    assert read(data + behind) == (ProxyHeader(client, server), behind)


@pytest.mark.parametrize(
    ("client", "server"), [(None, None), (("", 0), SERVER), (CLIENT, ("/run/a.sock", 0))]
)
def test_who_has_no_address_is_unknown_or_local(client, server):
    assert encode_proxy_header(1, client, server) == b"PROXY UNKNOWN\r\n"
    assert encode_proxy_header(2, client, server) == SIGNATURE + b"\x20\0\0\0"


def test_a_zone_is_left_out():
    written = encode_proxy_header(1, ("fe80::1%eth0", 1), ("fe80::2", 2))
    assert written == b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"

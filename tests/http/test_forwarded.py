"""What proxies say of a client, read from the nearest on."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.http.forwarded import Hop, forwarded_hops, x_forwarded_hops

KNOWN = ("203.0.113.9", 0)


def x_forwarded(fors=None, proto=None, host=None):
    said = {b"x-forwarded-for": fors, b"x-forwarded-proto": proto, b"x-forwarded-host": host}
    return list(x_forwarded_hops([(name, value) for name, value in said.items() if value is not None]))


def clients(text):
    return [hop.client for hop in x_forwarded(text)]


def forwarded(*lines):
    return list(forwarded_hops([(b"forwarded", line) for line in lines]))


@pytest.mark.parametrize(
    ("text", "client"),
    [
        (b"203.0.113.9", KNOWN),
        (b"203.0.113.9:4711", ("203.0.113.9", 4711)),
        (b"2001:DB8::1", ("2001:db8::1", 0)),
        (b"[2001:db8::1]", ("2001:db8::1", 0)),
        (b"[2001:db8:0::1]:4711", ("2001:db8::1", 4711)),
        (b"::ffff:203.0.113.9", KNOWN),
        (b"[::ffff:203.0.113.9]:80", ("203.0.113.9", 80)),
        (b"unknown", None),
        (b"_hidden", None),
    ],
)
def test_an_entry_is_an_address_or_hides_one(text, client):
    assert clients(text) == [client]


@pytest.mark.parametrize(
    "text",
    [
        b"203.0.113.256", b"203.0.113", b"0203.0.113.9", b"203.0.113.9:", b"203.0.113.9:65536", b"203.0.113.9:+1", b"1",
        b"[2001:db8::1", b"2001:db8::1]", b"[203.0.113.9]", b"[::1]x", b"fe80::1%eth0", b"[fe80::1%25eth0]", b"::1::",
        b"example.org", b'"203.0.113.9"', b"203.0.113.9 203.0.113.10", b"for=203.0.113.9", b"\xb2.1.1.1", b"1.1.1.\xd9\xa1",
        b"_", b"1.1.1.1\x0b", b"a" * 1000, b":" * 1000, b"*",
    ],
)  # fmt: skip
def test_what_is_no_address_ends_the_way(text):
    assert clients(text) == []
    assert clients(b"192.0.2.1, " + text + b", 203.0.113.9") == [KNOWN]


def test_the_last_entry_is_the_nearest_proxys_and_empty_ones_are_none():
    assert clients(b"1.1.1.1,2.2.2.2 ,\t, 3.3.3.3,") == [("3.3.3.3", 0), ("2.2.2.2", 0), ("1.1.1.1", 0)]


def test_several_lines_are_one_list():
    lines = [
        (b"x-forwarded-for", b"1.1.1.1, 2.2.2.2"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-for", b"3.3.3.3"),
    ]
    assert [hop.client for hop in x_forwarded_hops(lines)] == [("3.3.3.3", 0), ("2.2.2.2", 0), ("1.1.1.1", 0)]


def test_scheme_and_host_go_with_the_addresses_from_the_last_on():
    assert x_forwarded(b"1.1.1.1, 2.2.2.2", b"http, https", b"a, b") == [
        Hop(("2.2.2.2", 0), "https", b"b"),
        Hop(("1.1.1.1", 0), "http", b"a"),
    ]


def test_where_there_are_fewer_of_them_the_hops_in_front_say_nothing():
    assert x_forwarded(b"1.1.1.1, 2.2.2.2", b"https") == [
        Hop(("2.2.2.2", 0), "https", None),
        Hop(("1.1.1.1", 0), None, None),
    ]


def test_where_there_are_more_of_them_the_rest_is_nobodys():
    assert x_forwarded(b"1.1.1.1", b"https, http", b"evil, good") == [Hop(("1.1.1.1", 0), "http", b"good")]


def test_a_proxy_may_say_the_scheme_alone():
    assert x_forwarded(None, b"https") == [Hop(None, "https", None)]
    assert x_forwarded(b" , ", b"https") == [Hop(None, "https", None)]


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        (b"HTTPS", "https"),
        (b"wss", "https"),
        (b"ws", "http"),
        (b"gopher", None),
        (b"https;", None),
        (b"\xff", None),
    ],
)
def test_a_scheme_is_http_or_https(text, scheme):
    assert x_forwarded(b"1.1.1.1", text) == [Hop(("1.1.1.1", 0), scheme, None)]


@pytest.mark.parametrize(
    ("element", "hop"),
    [
        (b"for=192.0.2.60;proto=http;by=203.0.113.43", Hop(("192.0.2.60", 0), "http", None)),
        (b'For="[2001:db8:cafe::17]:4711"', Hop(("2001:db8:cafe::17", 4711), None, None)),
        (b'for="192.0.2.60:80"', Hop(("192.0.2.60", 80), None, None)),
        (b'for="192.0.2.60:_port"', Hop(("192.0.2.60", 0), None, None)),
        (b'for="192.0.2\\.60"', Hop(("192.0.2.60", 0), None, None)),
        (b"for=unknown;proto=https", Hop(None, "https", None)),
        (b'for="_gazonk"', Hop(None, None, None)),
        (b"for=_hidden", Hop(None, None, None)),
        (b"proto=https", Hop(None, "https", None)),
        (b'host="example.org:8443";FOR=192.0.2.60', Hop(("192.0.2.60", 0), None, b"example.org:8443")),
        (b'secret="a, b; c=\\"d\\"";for=192.0.2.60', Hop(("192.0.2.60", 0), None, None)),
        (b";for=192.0.2.60;;", Hop(("192.0.2.60", 0), None, None)),
    ],
)
def test_an_element_of_forwarded(element, hop):
    assert forwarded(element) == [hop]
    assert forwarded(b"for=1.1.1.1, " + element + b",proto=http ") == [
        Hop(None, "http", None), hop, Hop(("1.1.1.1", 0), None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "element",
    [
        b"for", b"for=", b"=1.1.1.1", b"for = 1.1.1.1", b"for=1.1.1.1 ;proto=http", b"for=1.1.1.1; proto=http",
        b"for=[::1]", b'for="::1"', b'for="2001:db8::1"', b"for=192.0.2.60:80", b'for="1.1.1.1', b'for=1.1.1.1"',
        b"for=1.1.1.1;for=1.1.1.1", b"for=a;for=a", b"for=1.1.1.1;FOR=2.2.2.2", b'for=""', b'for="a b"', b"1.1.1.1",
        b"for:1.1.1.1", b'for="1.1.1.1"x', b'for="[::1]:99999"', b"for=1.1.1.1\xff", b"for=1.1.1.1;x", b'for="\\"',
    ],
)  # fmt: skip
def test_what_is_no_element_ends_the_way(element):
    assert forwarded(element) == []
    assert forwarded(element + b", for=203.0.113.9") == [Hop(KNOWN, None, None)]


@pytest.mark.parametrize(
    "forged",
    [b'for="', b'for="x, for="', b'x="\\', b"\\", b'"', b'for=1.2.3.4;x="', b'=";"', b',"=', b'a="b",c="'],
)
def test_what_a_client_leaves_open_swallows_nothing_of_what_a_proxy_appends(forged):
    for appended in (b"for=203.0.113.9", b'for="203.0.113.9"', b'by="[::1]:80";for="203.0.113.9:0";host="a"'):
        assert forwarded(forged + b", " + appended)[0].client == KNOWN
        assert forwarded(forged, appended)[0].client == KNOWN


@given(
    st.lists(st.binary(max_size=30)),
    st.sampled_from([b"for=203.0.113.9", b'proto=https;for="203.0.113.9:0"']),
)
def test_nothing_in_front_changes_how_the_last_element_is_read(lines, appended):
    assert forwarded(*lines, b",".join([*lines, appended]))[0].client == KNOWN


@given(st.text(alphabet='for=1.:;,"\\_ []ab', max_size=60))
def test_no_text_is_more_than_malformed(text):
    data = text.encode()
    forwarded(data)
    x_forwarded(data, data, data)


@pytest.mark.parametrize(
    "text",
    [
        b"1.1.1.1," * 50_000, b",".join([b'for="1.1.1.1:1"'] * 30_000), b'="' * 100_000, b'",' * 100_000, b'=",' * 70_000,
        b'a="b";' * 60_000, b'"' * 200_000, b"," * 200_000, b" " * 200_000, b'for="' + b"\\" * 200_000 + b'"',
    ],
)  # fmt: skip
def test_time_is_linear_in_the_bytes(text):
    def seconds(data):
        began = time.process_time()
        forwarded(data)
        x_forwarded(data, data, data)
        return time.process_time() - began

    assert seconds(text) < 50 * max(seconds(text[: len(text) // 8]), 0.005)

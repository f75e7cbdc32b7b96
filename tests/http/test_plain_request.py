"""A plain head as one value says what the request that is made of it says."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostler.http.headers import Headers
from hostler.http.heads import read_request
from hostler.http.plain_request import PlainRequest
from hostler.http.target import parse_target


def plain(*lines, target=b"/a?b", behind=b""):
    data = (
        b"".join(line + b"\r\n" for line in (b"GET %s HTTP/1.1" % target, b"Host: h", *lines, b"")) + behind
    )
    facts = read_request(data, 4096, 1024, 20)
    assert facts is not None
    return PlainRequest(data, facts)


LINES = [
    (),
    (b"X-Request-ID: one",),
    (b"x-request-id:one",),
    (b"X-REQUEST-ID: \t one \t",),
    (b"X-Request-ID:",),
    (b"A-X-Request-ID: no", b"X-Request-ID: yes"),
    (b"X-Request-IDs: no",),
    (b"X-Request-ID: first", b"X-Request-ID: second"),
    (b"X: x-request-id: no",),
]
"""Header lines behind Host."""


@pytest.mark.parametrize("lines", LINES)
def test_a_header_is_found_as_among_pairs(lines):
    made = plain(*lines, behind=b"\nx-request-id: of the body\r\n")
    headers = Headers(list(made.request().headers.pairs()))
    assert made.get_raw(b"x-request-id") == headers.get_raw(b"x-request-id")
    assert made.get_all_raw(b"x-request-id") == headers.get_all_raw(b"x-request-id")


@pytest.mark.parametrize(
    "use",
    [
        lambda headers: headers.get("X-Request-ID", "none"),
        lambda headers: headers.get_all("X-Request-ID"),
        lambda headers: "X-Request-ID" in headers,
        lambda headers: headers.lower_pairs(),
        lambda headers: headers.index(),
        list,
        len,
        repr,
        lambda headers: headers.raw,
        lambda headers: headers.add("X-Request-ID", "more"),
        lambda headers: headers.set("X-Request-ID", "other"),
        lambda headers: headers.remove("X-Request-ID"),
        lambda headers: headers.without(frozenset({b"host"})).pairs(),
        lambda headers: headers.only({b"host"}),
    ],
)
@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("is_looked_at", [False, True])
def test_its_headers_are_as_any(lines, use, is_looked_at):
    """Also where a value was asked for before."""
    made = plain(*lines)
    headers, pairs = made.request().headers, Headers.received(list(plain(*lines).request().headers.pairs()))
    if is_looked_at:
        assert headers.get("host") == "h"
    assert not headers.changed
    assert use(headers) == use(pairs)
    assert headers.pairs() == pairs.pairs()
    assert headers.changed or headers.pairs() == plain(*lines).request().headers.pairs()


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("lines", LINES)
def test_it_can_be_copied_and_pickled(way, lines):
    made = plain(*lines)
    copied = COPIES[way](made)
    assert copied == made
    assert type(copied) is PlainRequest
    request = COPIES[way](made.request())
    assert (request.method, request.target) == ("GET", b"/a?b")
    assert request.headers.pairs() == made.request().headers.pairs()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["get", "get_all", "add", "set", "remove", "contains", "len", "pairs", "lower", "index", "raw",
                         "copy", "deepcopy", "pickle", "without", "lines", "extend"]),
        st.sampled_from(["Host", "x-request-id", "X", "A", "Connection", "Accept"]),
        st.sampled_from(["", "v", "x, a", "bad\r\nvalue", " spaced "]),
    ),
    max_size=8,
)  # fmt: skip


def apply(headers, name, header, value):
    """Do something with headers; return (what is to be gone on with, what was seen)."""
    if name in COPIES:
        return COPIES[name](headers), None
    if name == "without":
        return headers, headers.without(frozenset({header.lower().encode()})).pairs()
    if name in {"add", "set"}:
        return headers, getattr(headers, name)(header, value)
    if name == "extend":
        return headers, headers.extend(Headers([(header.encode(), value.encode())]))
    seen = {
        "contains": lambda: header in headers,
        "len": lambda: len(headers),
        "pairs": lambda: list(headers.pairs()),
        "lower": headers.lower_pairs,
        "index": headers.index,
        "raw": lambda: list(headers.raw),
        "lines": lambda: None if headers.lines is None else dict(headers.lines),
    }
    return headers, seen[name]() if name in seen else getattr(headers, name)(header)


@settings(max_examples=300)
@given(lines=st.sampled_from(LINES), operations=OPERATIONS)
def test_its_headers_are_as_those_that_were_cut_at_once(lines, operations):
    mine = plain(*lines).request().headers
    looked_at = plain(*lines).request().headers
    others = Headers.received(None if looked_at.lines else list(looked_at.pairs()), looked_at.lines)
    for operation in operations:
        mine, seen = apply(mine, *operation)
        others, expected = apply(others, *operation)
        assert seen == expected
        assert mine.changed == others.changed
    assert mine.pairs() == others.pairs()
    assert mine.lines == others.lines


def test_an_attribute_that_headers_do_not_have():
    assert not hasattr(plain().request().headers, "line")


@pytest.mark.parametrize("target", [b"/", b"/a/b", b"/?", b"/a?b=c?d"])
def test_its_target_is_what_parsing_it_gives(target):
    made, parsed = plain(target=target), parse_target("GET", target)
    mine = made.parsed_target()
    assert (mine.path, mine.query, mine.raw_path, mine.forward_path, mine.is_ambiguous) == (
        parsed.path,
        parsed.query,
        parsed.raw_path,
        parsed.forward_path,
        parsed.is_ambiguous,
    )


def test_it_stands_for_what_was_made_of_it_until_that_changes():
    made = plain(b"A: b")
    request, target = made.request(), made.parsed_target()
    assert made.stands_for(request, target)
    request.headers.set("A", "c")
    assert not made.stands_for(request, target)
    target.query = b"c"
    assert not made.stands_for(made.request(), target)


def test_what_says_who_the_client_is_can_be_taken_off():
    one = plain(
        b"X-A: 1",
        b"X-Forwarded-For: \t1.1.1.1 ",
        b"forwarded:for=2.2.2.2",
        b"X-FORWARDED-FOR: 3.3.3.3",
        b"X-B: 2",
    )
    left, taken = one.without_identity()
    assert taken == [
        (b"X-Forwarded-For", b" \t1.1.1.1 "), (b"forwarded", b"for=2.2.2.2"), (b"X-FORWARDED-FOR", b" 3.3.3.3"),
    ]  # fmt: skip
    assert left == plain(b"X-A: 1", b"X-B: 2")
    assert left.size == len(left.head)


def test_a_head_that_says_nothing_of_the_client_stays_itself():
    one = plain(b"X-Forwarded-Port: 1", b"X-Forwarded-Fo: 2", b"A: X-Forwarded-For: 3", b"NotForwarded: 4")
    assert one.without_identity() == (one, [])

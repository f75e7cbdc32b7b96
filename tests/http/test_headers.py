"""Headers keep what arrived, in order and in its own case, and compare names without case (RFC 9110 5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.http.headers import Headers


@pytest.fixture
def headers():
    return Headers([(b"Host", b"a"), (b"Via", b"1.1 x"), (b"VIA", b"1.1 y"), (b"X-Name", b"caf\xe9")])


def test_nothing_is_a_header_section_too():
    assert Headers().raw == []
    assert len(Headers()) == 0


def test_two_empty_sections_share_nothing():
    Headers().add("A", "b")
    assert Headers().raw == []


def test_the_list_given_is_the_list_kept():
    raw = [(b"A", b"b")]
    assert Headers(raw).raw is raw


def test_text_and_bytes_pairs_become_bytes():
    assert Headers.of([("A", b"1"), (b"B", "caf\xe9")]).raw == [(b"A", b"1"), (b"B", b"caf\xe9")]


@pytest.mark.parametrize("name", ["via", "Via", "VIA"])
def test_get_returns_the_first_line_of_any_case(headers, name):
    assert headers.get(name) == "1.1 x"


def test_get_returns_the_default_when_there_is_none(headers):
    assert headers.get("vi") is None
    assert headers.get("via ", "other") == "other"


def test_get_decodes_latin_1(headers):
    assert headers.get("x-name") == "caf\xe9"


def test_get_raw_takes_a_lower_case_name(headers):
    assert headers.get_raw(b"via") == b"1.1 x"
    assert headers.get_raw(b"vib") is None


def test_get_all_returns_every_line_in_order(headers):
    assert headers.get_all("Via") == ["1.1 x", "1.1 y"]
    assert headers.get_all("none") == []


def test_an_empty_value_is_not_the_absence_of_one():
    headers = Headers([(b"A", b"")])
    assert headers.get("a", "default") == ""
    assert "a" in headers


def test_add_appends(headers):
    headers.add("via", "1.1 z")
    assert headers.raw[-1] == (b"via", b"1.1 z")
    assert headers.get_all("via") == ["1.1 x", "1.1 y", "1.1 z"]


def test_set_replaces_every_line_by_one_at_the_end(headers):
    headers.set(b"via", "z")
    assert headers.raw == [(b"Host", b"a"), (b"X-Name", b"caf\xe9"), (b"via", b"z")]


@pytest.mark.parametrize(
    ("connection", "left"),
    [
        (["close, X-User"], ["close"]),
        (["x-user"], []),
        (["keep-alive , X-USER,,a", "x-user", "close"], ["keep-alive, a", "close"]),
        (["close, X-Other"], ["close, X-Other"]),
        ([], []),
    ],
)
def test_what_is_set_is_no_field_that_a_client_can_have_dropped(connection, left):
    headers = Headers.of(
        [*(("Connection", value) for value in connection), ("X-User", "mallory"), ("A", "1")]
    )
    headers.set("X-User", "alice")
    assert (headers.get_all("connection"), headers.get_all("x-user")) == (left, ["alice"])
    assert headers.get("a") == "1"


def test_what_manages_a_connection_stays_named_when_it_is_set():
    headers = Headers.of([("Connection", "Upgrade"), ("Upgrade", "h2c")])
    headers.set("Upgrade", "websocket")
    assert list(headers) == [("Connection", "Upgrade"), ("Upgrade", "websocket")]


def test_remove_takes_every_line_and_keeps_the_list(headers):
    raw = headers.raw
    headers.remove("via")
    headers.remove("none")
    assert headers.raw is raw
    assert [name for name, _ in raw] == [b"Host", b"X-Name"]


def test_contains_asks_without_case(headers):
    assert "hOST" in headers
    assert "hos" not in headers


def test_iteration_is_text_in_wire_order(headers):
    assert list(headers) == [("Host", "a"), ("Via", "1.1 x"), ("VIA", "1.1 y"), ("X-Name", "caf\xe9")]
    assert len(headers) == 4


@pytest.mark.parametrize(
    "headers",
    [
        Headers([(b"Host", b"a"), (b"VIA", b""), (b"via", b"b")]),
        Headers(None, {b"host": b"Host: a", b"via": b"VIA:\t b "}),
    ],
)
def test_lower_pairs_leave_the_headers_as_they_are(headers):
    before = list(headers.pairs())
    lowered = headers.lower_pairs()
    assert lowered == [(name.lower(), value) for name, value in before]
    lowered.clear()
    assert headers.pairs() == before


def test_repr_shows_the_lines():
    assert repr(Headers([(b"A", b"b")])) == "Headers([(b'A', b'b')])"


# -- lines off the wire, which stay lines as long as they can ---------------------------------------------------------

NAMES = st.sampled_from(["A", "a", "B", "X-C", "Connection", "a: b", "", "n\x00", "ä"])
VALUES = st.sampled_from(["", "1", "a, x-c", " padded\t", "x\r\ny: z", "\xff", "a: b", "\x01"])
CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "set", "remove", "extend", "without"]), NAMES, VALUES), max_size=6
)


def _change(headers, kind, name, value):
    if kind == "remove":
        headers.remove(name)
    elif kind == "extend":
        headers.extend(Headers(None, {b"q": b"Q: 1", b"a": b"A:2"}))
    elif kind == "without":
        return headers.without(frozenset({name.lower().encode("latin-1"), b"q"}))
    else:
        getattr(headers, kind)(name, value)
    return headers


@given(CHANGES)
def test_lines_change_as_pairs_do(changes):
    lines = Headers(None, {b"host": b"Host: a", b"a": b"A:  1 ", b"connection": b"Connection: b, close"})
    pairs = Headers(list(lines.pairs()))
    for change in changes:
        lines, pairs = _change(lines, *change), _change(pairs, *change)
        names = frozenset({b"a", b"connection"})
        assert (lines.only(names), lines.lower_pairs()) == (pairs.only(names), pairs.lower_pairs())
        assert lines.index() == pairs.index()
    assert lines.pairs() == pairs.pairs()


def test_what_is_set_or_added_keeps_lines_as_they_came():
    headers = Headers.received(None, {b"host": b"Host: a", b"a": b"A:1"})
    headers.set("B", "2")
    headers.add("C", "3")
    assert headers.lines == {b"host": b"Host: a", b"a": b"A:1", b"b": b"B: 2", b"c": b"C: 3"}
    assert headers.changed


@pytest.mark.parametrize(
    "pair",
    [("A", "2"), ("b: c", "2"), ("B", "2\r\nC: 3"), ("B", " 2"), ("", "2"), ("B", "\x00")],
    ids=["on another line", "no token", "two lines", "space around it", "no name", "NUL"],
)
def test_what_no_line_may_hold_is_kept_as_a_pair(pair):
    headers = Headers(None, {b"a": b"A:1"})
    headers.add(*pair)
    assert headers.lines is None
    assert [*headers] == [("A", "1"), pair]

"""Headers keep what arrived, in order and in its own case, and compare names without case (RFC 9110 5.1)."""

from __future__ import annotations

import pytest

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

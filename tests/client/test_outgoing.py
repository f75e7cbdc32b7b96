"""What a proxy passes on of a head, what it drops, what it adds (YARP's header rules)."""

from __future__ import annotations

import pytest

from hostler.client.address import DestinationAddress
from hostler.client.outgoing import (
    changed_parts,
    delegated_head,
    outgoing_request,
    outgoing_request_trailers,
    outgoing_response,
    outgoing_response_trailers,
)
from hostler.errors import ProtocolError
from hostler.exchange import Exchange
from hostler.http.encode import encode_request
from hostler.http.fields import HOP_BY_HOP
from hostler.http.h1 import RequestReader, ResponseReader
from hostler.http.headers import Headers
from hostler.http.heads import read_request
from hostler.http.message import CHUNKED, Request, Response
from hostler.http.plain_request import PlainRequest
from hostler.http.target import parse_target

ADDRESS = DestinationAddress.parse("http://there:81/base")


def arrived(head, **more):
    """Make the exchange of a head as it came off the wire."""
    request = RequestReader().feed(head)
    target = parse_target(request.method, request.target)
    more.setdefault("path", target.path)
    return Exchange(request, None, target, ("192.0.2.7", 50000), ("192.0.2.1", 80), "here", 80, **more)


def arrived_plain(head, **more):
    """Make the exchange of a head that is plain; None for another."""
    facts = read_request(head, 1 << 16, 1 << 14, 100)
    if facts is None:
        return None
    plain = PlainRequest(head, facts)
    more.setdefault("path", plain.path)
    return Exchange(plain, None, None, ("192.0.2.7", 50000), ("192.0.2.1", 80), "here", 80, **more)


def passed(*lines, first="GET / HTTP/1.1", host="here", address=ADDRESS, **more):
    """Return the lines of the head to the destination."""
    head = "".join(f"{line}\r\n" for line in (first, f"Host: {host}", *lines, "")).encode("latin-1")
    made = encode_request(outgoing_request(arrived(head, **more), address))
    assert made.endswith(b"\r\n\r\n")
    return made.decode("latin-1")[:-4].split("\r\n")


ADDED = ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: here", "X-Forwarded-Proto: http"]


def test_nothing_is_added_but_host_and_the_forwarded_headers():
    assert passed() == ["GET /base/ HTTP/1.1", "Host: there:81", *ADDED]


def test_host_comes_first_and_the_rest_keeps_order_case_and_repetition():
    lines = ["b: 1", "A: 2", "b: 3", "Cookie: x=1; y=2", "X-Empty:"]
    kept = [line.rstrip() for line in passed(*lines) if line not in ADDED]
    assert kept[1:] == ["Host: there:81", *lines]


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP - {b"connection", b"transfer-encoding"}))
def test_what_concerns_one_hop_only_is_dropped(name):
    spelled = name.decode().title()
    assert passed(f"{spelled}: x", "Kept: 1") == passed("Kept: 1")


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"]
)
def test_what_the_client_says_of_forwarding_is_replaced(name):
    assert passed(f"{name}: evil", f"{name.lower()}: evil") == passed()


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["Connection: close"], []),
        (["Connection: keep-alive", "Keep-Alive: 5"], []),
        (["Connection: X-One", "X-One: 1", "X-Two: 2"], ["X-Two: 2"]),
        (["Connection: x-one ,\tX-TWO,,", "X-One: 1", "X-Two: 2"], []),
        (["Connection: x-one", "X-One: 1", "Connection: x-two", "X-Two: 2", "x-one: 3"], []),
        (["Connection: Authorization", "Authorization: x"], []),
        (["X-One: 1", "Connection: close, X-One", "A: 1"], ["A: 1"]),
    ],
)
def test_what_connection_names_is_dropped(lines, kept):
    assert passed(*lines) == passed(*kept)


@pytest.mark.parametrize("name", ["Host", "Content-Length", "X-Forwarded-For", "X-Forwarded-Host"])
def test_connection_cannot_take_away_what_the_destination_must_see(name):
    lines = passed(f"Connection: {name}", "Content-Length: 5", first="POST / HTTP/1.1")
    assert "Host: there:81" in lines
    assert "Content-Length: 5" in lines
    assert set(ADDED) <= set(lines)


def test_a_chunked_body_stays_chunked():
    lines = passed("Transfer-Encoding: Chunked", first="POST / HTTP/1.1")
    assert [line for line in lines if "ncoding" in line] == ["Transfer-Encoding: chunked"]


def test_an_http_1_0_request_without_host_has_no_forwarded_host():
    made = encode_request(outgoing_request(arrived(b"GET / HTTP/1.0\r\n\r\n"), ADDRESS))
    assert made == (
        b"GET /base/ HTTP/1.1\r\nHost: there:81\r\n"
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n\r\n"
    )


def test_the_scheme_is_told():
    assert "X-Forwarded-Proto: https" in passed(scheme="https")


@pytest.mark.parametrize(
    ("address", "target", "path_base", "expected"),
    [
        ("http://a", "/", "", "/"),
        ("http://a/", "/x", "", "/x"),
        ("http://a/b/", "/x/", "", "/b/x/"),
        ("http://a/b", "/app/x", "/app", "/b/x"),
        ("http://a", "/app", "/app", "/"),
        ("http://a/b", "/app", "/app", "/b"),
        ("http://a", "/x?", "", "/x?"),
        ("http://a", "/x?a=%2F&b=[1]&c=%zz?", "", "/x?a=%2F&b=[1]&c=%zz?"),
        ("http://a", "/a%2Fb//c%20d;e", "", "/a%2Fb//c%20d;e"),
        ("http://a", "/a/./b/../c", "", "/a/c"),
        ("http://a/b", "/../../x", "", "/b/x"),
        ("http://a/b", "/%2e%2e/x", "", "/b/x"),
        ("http://a/b", "http://here/x?y", "", "/b/x?y"),
    ],
)
def test_the_target_is_the_addresss_path_then_the_clients(address, target, path_base, expected):
    lines = passed(
        first=f"GET {target} HTTP/1.1", address=DestinationAddress.parse(address), path_base=path_base
    )
    assert lines[0] == f"GET {expected} HTTP/1.1"
    assert (f"X-Forwarded-Prefix: {path_base}" in lines) == bool(path_base)


def test_options_of_the_whole_server():
    assert passed(first="OPTIONS * HTTP/1.1")[0] == "OPTIONS * HTTP/1.1"


@pytest.mark.parametrize(
    ("path_base", "prefix"),
    [("/a b", "/a%20b"), ("/\u00fc", "/%C3%BC"), ("/a\r\nX: 1", "/a%0D%0AX:%201"), ("/a%2Fb", "/a%2Fb")],
)
def test_a_prefix_is_percent_encoded(path_base, prefix):
    """As YARP writes it; so it cannot break the head either."""
    assert f"X-Forwarded-Prefix: {prefix}" in passed(first="GET /a/b HTTP/1.1", path_base=path_base)


@pytest.mark.parametrize(
    ("client", "told"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7"), ("::1", "::1")],
)
def test_the_client_is_told_by_its_address(client, told):
    made = arrived(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    made.client = (client, 50000)
    assert outgoing_request(made, ADDRESS).headers.get("x-forwarded-for") == told


def test_what_a_stage_changed_goes_out_under_the_same_rules():
    made = arrived(b"POST / HTTP/1.1\r\nHost: here\r\nA: 1\r\nX-User: me\r\nContent-Length: 1\r\n\r\n")
    headers = made.request.headers
    headers.remove("X-User")
    headers.add("X-Forwarded-For", "evil")
    headers.add("Keep-Alive", "5")
    headers.add("B", "2")
    out = outgoing_request(made, ADDRESS)
    assert [f"{name}: {value}" for name, value in out.headers] == [
        "Host: there:81", "A: 1", "Content-Length: 1", "B: 2", *ADDED,
    ]  # fmt: skip


def test_the_clients_own_request_is_left_as_it_is():
    made = arrived(b"GET / HTTP/1.1\r\nHost: here\r\nTE: x\r\n\r\n")
    outgoing_request(made, ADDRESS)
    assert made.request.headers.pairs() == [(b"Host", b"here"), (b"TE", b"x")]


def test_what_manages_the_connection_is_told_by_the_value_not_by_its_headers():
    upgrade = arrived(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    out = outgoing_request(upgrade, ADDRESS)
    assert (out.upgrade, out.host, out.version) == (b"websocket", b"there:81", 11)
    chunked = arrived(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    body = outgoing_request(chunked, ADDRESS)
    assert body.framing == CHUNKED
    assert not {"connection", "upgrade", "transfer-encoding"} & {
        name.lower() for name, _ in (*out.headers, *body.headers)
    }


SOME_TRAILERS = [
    (b"X-Checksum", b"1"), (b"X-Forwarded-For", b"evil"), (b"forwarded", b"for=evil"), (b"X-FORWARDED-Prefix", b"/"),
    (b"Host", b"evil"), (b"Authorization", b"x"), (b"cookie", b"a=b"), (b"Set-Cookie", b"a=b"), (b"Content-Length", b"5"),
    (b"Proxy-Authorization", b"x"), (b"Proxy-Connection", b"close"), (b"HTTP2-Settings", b"x"), (b"Keep-Alive", b"5"),
]  # fmt: skip


def test_what_a_head_does_not_let_through_a_trailer_does_not_either():
    request, response = Request("POST", b"/", Headers()), Response(200)
    assert outgoing_request_trailers(request, SOME_TRAILERS) == [(b"X-Checksum", b"1")]
    assert outgoing_response_trailers(response, SOME_TRAILERS) == [(b"X-Checksum", b"1")]


def test_what_connection_names_is_dropped_from_the_trailers_too():
    headers = Headers([(b"Connection", b"close, X-Checksum")])
    assert outgoing_request_trailers(Request("POST", b"/", headers), SOME_TRAILERS) == []
    assert outgoing_response_trailers(Response(200, headers), SOME_TRAILERS) == []


# -- upgrades -------------------------------------------------------------------------------------------------------


def test_an_upgrade_is_offered_on():
    lines = passed("Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: x")
    assert [line for line in lines if "pgrade" in line] == ["Connection: Upgrade", "Upgrade: websocket"]
    assert "Sec-WebSocket-Key: x" in lines


@pytest.mark.parametrize(
    "lines",
    [
        ["Upgrade: websocket"],
        ["Upgrade: websocket", "Connection: close"],
        ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAA"],
        ["Upgrade: websocket, h2c", "Connection: Upgrade"],
        ["Upgrade: websocket", "Connection: Upgrade", "Content-Length: 5"],
    ],
)
def test_what_is_not_offered_on(lines):
    head = "".join(f"{line}\r\n" for line in ("GET / HTTP/1.1", "Host: here", *lines, "")).encode()
    assert outgoing_request(arrived(head), ADDRESS).upgrade is None
    assert not [line for line in passed(*lines) if "pgrade" in line]


# -- responses ------------------------------------------------------------------------------------------------------


def returned(*lines, status=200, method="GET"):
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Status", *lines, "")).encode("latin-1")
    response = ResponseReader(method).feed(head)
    return [
        f"{name.decode()}: {value.decode()}" for name, value in outgoing_response(response).headers.pairs()
    ]


def test_a_responses_headers_keep_order_case_and_repetition():
    lines = [
        "b: 1",
        "Set-Cookie: a",
        "A: 2",
        "Set-Cookie: b",
        "Content-Length: 3",
        "Strict-Transport-Security: x",
    ]
    assert returned(*lines) == lines


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP - {b"connection", b"transfer-encoding"}))
def test_a_response_says_nothing_of_the_destinations_hop(name):
    assert returned(f"{name.decode().title()}: x", "Kept: 1") == ["Kept: 1"]


def test_what_the_destinations_connection_names_is_dropped():
    assert returned("X-Hop: 1", "Connection: X-Hop, close", "A: 1", "Content-Length: 1") == [
        "A: 1",
        "Content-Length: 1",
    ]


@pytest.mark.parametrize(
    ("status", "method", "lines", "expected"),
    [
        (200, "GET", ["Transfer-Encoding: chunked", "Content-Length: 5"], []),
        (204, "GET", ["Content-Length: 0"], []),
        (205, "GET", ["Content-Length: 0"], []),
        (304, "GET", ["Content-Length: 5"], ["Content-Length: 5"]),
        (200, "HEAD", ["Content-Length: 5"], ["Content-Length: 5"]),
        (103, "GET", ["Content-Length: 5", "Link: x"], ["Link: x"]),
    ],
)
def test_a_length_is_passed_on_where_it_means_something(status, method, lines, expected):
    assert returned(*lines, status=status, method=method) == expected


def test_a_101_says_which_protocol_comes_next():
    lines = ["Connection: Upgrade, X-Hop", "Upgrade: websocket", "Sec-WebSocket-Accept: x"]
    assert returned(*lines, "X-Hop: 1", "Keep-Alive: 5", status=101) == lines


def test_the_destinations_own_response_is_left_as_it_is():
    response = ResponseReader("GET").feed(b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\nKeep-Alive: 5\r\n\r\n")
    out = outgoing_response(response)
    assert (out.status, out.reason, out.framing) == (200, b"Fine", 0)
    out.headers.remove("Content-Length")
    assert response.headers.pairs() == [(b"Content-Length", b"0"), (b"Keep-Alive", b"5")]


# -- what a process gets that the request is delegated to -------------------------------------------------------------

KEPT = {b"connection", b"upgrade", b"te", b"transfer-encoding"}


def head_of(*lines, first="GET / HTTP/1.1", host="here"):
    return "".join(f"{line}\r\n" for line in (first, f"Host: {host}", *lines, "")).encode("latin-1")


def delegated(*lines, change=None, first="GET / HTTP/1.1", host="here", **more):
    """Return the lines of the head to the process."""
    head = head_of(*lines, first=first, host=host)
    given = arrived(head, **more)
    if change is not None:
        change(given)
    made = delegated_head(given, head)
    assert made.endswith(b"\r\n\r\n")
    assert RequestReader().feed(made) is not None
    plain = arrived_plain(head, **more)
    if plain is not None and change is None:
        assert delegated_head(plain, head) == made
    return made.decode("latin-1")[:-4].split("\r\n")


def test_a_head_with_nothing_to_drop_is_delegated_as_it_came(monkeypatch):
    monkeypatch.delattr("hostler.client.outgoing.encode_request")
    lines = ["a:1", "B:  2 ", "a: 3", "Connection: keep-alive, Upgrade", "Upgrade: websocket", "TE: trailers",
             "Expect: 100-continue"]  # fmt: skip
    assert delegated(*lines) == ["GET / HTTP/1.1", "Host: here", *lines, *ADDED]
    assert delegated(first="POST /x?y HTTP/1.1") == ["POST /x?y HTTP/1.1", "Host: here", *ADDED]


@pytest.mark.parametrize("host", ["Host: here", "host:here", "HOST: here ", "Host:\there"])
@pytest.mark.parametrize(
    ("line", "is_made_anew"),
    [
        ("a: 1", False),
        ("Connection: keep-alive", False),
        ("CONNECTION: Close", False),
        ("TE: trailers", False),
        ("Transfer-Encoding: chunked", False),
        ("Keep-Alive: timeout=5", True),
        ("Proxy-Connection: keep-alive", True),
        ('Forwarded: for="_x; y"', True),
    ],
)
def test_a_plain_head_is_delegated_as_any_other(host, line, is_made_anew):
    head = f"GET /x?y HTTP/1.1\r\nA: 1\r\n{host}\r\n{line}\r\nB: 2\r\n\r\n".encode()
    plain = arrived_plain(head)
    made = delegated_head(plain, head)
    assert made == delegated_head(arrived(head), head)
    assert made.startswith(head[:-2]) is not is_made_anew
    if host == "Host: here" and line in {"a: 1", "Connection: keep-alive", "CONNECTION: Close"}:
        assert plain._request is None  # nobody had to look at its lines


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP - KEPT))
def test_what_concerns_one_hop_only_is_not_delegated(name):
    spelled = name.decode().title()
    assert delegated(f"{spelled}: x", "Kept: 1") == delegated("Kept: 1")
    assert delegated(f"{spelled}: x", f"{spelled}: y", "Kept: 1") == delegated("Kept: 1")


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"]
)
def test_what_the_client_says_of_forwarding_is_not_delegated(name):
    assert delegated(f"{name}: evil") == delegated()
    assert delegated(f"{name}: evil", f"{name.lower()}: evil") == delegated()


def test_what_connection_names_is_not_delegated():
    line = "Connection: X-One, close, TE"
    assert delegated(line, "X-One: 1", "TE: trailers") == delegated(line, "TE: trailers")


@pytest.mark.parametrize("body", [["Transfer-Encoding: chunked"], ["Content-Length: 3"]])
def test_a_body_is_delegated_with_the_framing_that_it_has(body):
    first = "POST / HTTP/1.1"
    assert delegated(*body, first=first) == [first, "Host: here", *body, *ADDED]
    assert delegated("Keep-Alive: 5", *body, first=first) == [first, "Host: here", *body, *ADDED]


def test_a_target_is_delegated_whole_and_in_the_spelling_that_is_forwarded():
    for raw in ("/base/a/../x?q=/..", "http://here/base/x?q=/.."):
        first, *rest = delegated(first=f"GET {raw} HTTP/1.1", path_base="/base")
        assert (first, rest) == ("GET /base/x?q=/.. HTTP/1.1", ["Host: here", *ADDED])
    assert delegated(first="GET /a|b HTTP/1.1")[0] == "GET /a%7Cb HTTP/1.1"
    assert delegated(first="OPTIONS * HTTP/1.1")[0] == "OPTIONS * HTTP/1.1"


def test_a_request_without_a_host_is_delegated_without_one():
    for line in ("A: 1", "Keep-Alive: 1"):
        head = f"GET / HTTP/1.0\r\n{line}\r\n\r\n".encode()
        lines = delegated_head(arrived(head), head).decode().split("\r\n")
        assert lines[0] == "GET / HTTP/1.0"
        assert not any(line.startswith(("Host", "X-Forwarded-Host")) for line in lines)


def set_host(given):
    given.request.host = b"other:81"


def set_target(given):
    given.target = parse_target("GET", b"/new?q")


def set_method(given):
    given.request.method = "PUT"


@pytest.mark.parametrize(
    ("change", "name", "line"),
    [
        (lambda given: given.request.headers.set("X-User", "me"), "headers", "X-User: me"),
        (lambda given: given.request.headers.add("X-More", "1"), "headers", "X-More: 1"),
        (lambda given: given.request.headers.raw.append((b"X-Raw", b"1")), "headers", "X-Raw: 1"),
        (set_host, "host", "Host: other:81"),
        (set_target, "target", "GET /new?q HTTP/1.1"),
        (set_method, "method", "PUT / HTTP/1.1"),
    ],
)
def test_what_stages_change_is_delegated_and_known(change, name, line):
    assert line in delegated("X-User: evil", "Kept: 1", change=change)
    given = arrived(head_of("X-User: evil", "Kept: 1"))
    assert changed_parts(given, "GET", b"/") == []
    change(given)
    assert changed_parts(given, "GET", b"/") == [name]


@pytest.mark.parametrize("read", [arrived, arrived_plain])
def test_headers_that_a_stage_put_in_place_of_those_that_came_are_delegated(read):
    head = head_of("X-User: root")
    given = read(head)
    given.request.headers = Headers.of([("Host", "here"), ("X-User", "me")])
    made = delegated_head(given, head)
    assert b"X-User: me" in made
    assert b"root" not in made
    assert changed_parts(given, "GET", b"/") == ["headers"]


def test_what_stages_remove_is_not_delegated():
    for lines in (["X-User: evil"], ["X-User: evil", "x-user: evil"]):
        assert delegated(*lines, change=lambda given: given.request.headers.remove("x-user")) == delegated()


def test_asking_changes_nothing():
    given = arrived(head_of("A: 1", "B: 2"))
    headers = given.request.headers
    headers.remove("x-not-there")
    assert (headers.get("a"), "b" in headers, list(headers)[1], headers.index()[1]) == (
        "1", True, ("A", "1"), frozenset(),
    )  # fmt: skip
    assert changed_parts(given, "GET", b"/") == []


@pytest.mark.parametrize(
    "make", [delegated_head, lambda given, _: encode_request(outgoing_request(given, ADDRESS))]
)
@pytest.mark.parametrize(
    ("framing", "change"),
    [
        ("Content-Length: 5", lambda headers: headers.set("Content-Length", "4")),
        ("Content-Length: 5", lambda headers: headers.add("Content-Length", "5")),
        ("Content-Length: 5", lambda headers: headers.remove("Content-Length")),
        ("Content-Length: 0", lambda headers: headers.set("Content-Length", "5")),
        ("Transfer-Encoding: chunked", lambda headers: headers.set("Content-Length", "5")),
        ("A: 1", lambda headers: headers.set("Transfer-Encoding", "chunked")),
        ("Content-Length: 5", lambda headers: headers.set("Transfer-Encoding", "chunked")),
        ("A: 1", lambda headers: headers.set("X-User", "a\r\nb: c")),
        ("A: 1", lambda headers: headers.set("X User", "a")),
    ],
)
def test_no_stage_makes_a_message_of_another_length_or_with_other_lines(make, framing, change):
    head = head_of(framing, first="POST / HTTP/1.1")
    given = arrived(head)
    change(given.request.headers)
    with pytest.raises(ProtocolError):
        make(given, head)


@pytest.mark.parametrize("host", [b"a\r\nX-User: b", b"a b", b"a,b"])
def test_a_host_of_a_stage_is_checked(host):
    given = arrived(head_of())
    given.request.host = host
    for make in (lambda: outgoing_request(given, ADDRESS), lambda: delegated_head(given, head_of())):
        with pytest.raises(ProtocolError, match="not a host"):
            make()


def test_a_client_of_a_stage_is_checked():
    given = arrived(head_of())
    given.client = ("192.0.2.9\r\nX-User: b", 0)
    with pytest.raises(ProtocolError, match="is not an IP address"):
        delegated_head(given, head_of())

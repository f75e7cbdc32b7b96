"""A plain head as one value says what the request that is made of it says."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"X-Request-ID: one",),
        (b"x-request-id:one",),
        (b"X-REQUEST-ID: \t one \t",),
        (b"X-Request-ID:",),
        (b"A-X-Request-ID: no", b"X-Request-ID: yes"),
        (b"X-Request-IDs: no",),
        (b"X-Request-ID: first", b"X-Request-ID: second"),
        (b"X: x-request-id: no",),
    ],
)
def test_a_header_is_found_as_among_pairs(lines):
    made = plain(*lines, behind=b"\nx-request-id: of the body\r\n")
    headers = made.request().headers
    assert made.get_raw(b"x-request-id") == headers.get_raw(b"x-request-id")
    assert made.get_all_raw(b"x-request-id") == headers.get_all_raw(b"x-request-id")


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

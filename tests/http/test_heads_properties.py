"""What holds for any bytes: both twins return the same, and a plain head means what the ordinary way makes of it."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import pytest
from attrs import fields_dict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hostler.client.address import DestinationAddress
from hostler.client.outgoing import outgoing_request, outgoing_response, plain_request_head
from hostler.errors import ProtocolError
from hostler.http import plain
from hostler.http.encode import encode_request, encode_response
from hostler.http.h1 import RequestReader, ResponseReader
from hostler.http.headers import split_line
from hostler.http.limits import Limits
from hostler.http.plain_request import PlainRequest
from hostler.http.target import Target, parse_target
from tests.http.heads import meaning
from tests.http.plain_heads import (
    any_block,
    any_limits,
    any_pairs,
    any_request,
    any_response,
    compiled,
    mutated,
)

needs_compiled = pytest.mark.skipif(compiled is None, reason="hostler was built without a C compiler")
many = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])

randoms = st.randoms(use_true_random=False)
ADDRESSES = [DestinationAddress.parse(url) for url in ("http://destination:8080", "http://destination/base")]
"""Where requests are forwarded to."""


@st.composite
def cases(draw, make):
    """A head, nearly plain, with limits."""
    random = draw(randoms)
    data = mutated(random, make(random))
    return data, any_limits(random, data)


def parts(target: Target) -> list[object]:
    """Return all that is known of a target: two of them are never equal."""
    return [getattr(target, name) for name in fields_dict(Target)]


def normalised(head: bytes) -> bytes:
    """Write a head's lines as the ordinary way does when names are repeated: `name: value`."""
    first, *lines = head[:-4].split(b"\r\n")
    return b"\r\n".join([first, *(b"%b: %b" % split_line(line) for line in lines), b"\r\n"])


def assert_same(one: bytes, other: bytes, head: bytes) -> None:
    """Compare what two ways made of a head, byte for byte, but for spaces around values where it repeats a name."""
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:-2]]
    is_repeating = len(set(names)) < len(names)
    assert (normalised(one) if is_repeating else one) == other


@needs_compiled
class TestTwins:
    @many
    @given(cases(any_request))
    @example((b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", (99, 99, 9)))
    def test_read_the_same_requests(self, case):
        data, limits = case
        assert compiled.read_request(data, *limits) == plain.read_request(data, *limits)

    @many
    @given(cases(any_response))
    def test_read_the_same_responses(self, case):
        data, (max_head, _, max_headers) = case
        assert compiled.read_response(data, max_head, max_headers) == plain.read_response(
            data, max_head, max_headers
        )

    @many
    @given(st.binary())
    def test_decline_the_same_noise(self, data):
        assert compiled.read_request(data, 999, 999, 99) == plain.read_request(data, 999, 999, 99)
        assert compiled.read_response(data, 999, 99) == plain.read_response(data, 999, 99)
        assert compiled.split_lines(data, False) == plain.split_lines(data, False)

    @many
    @given(randoms, st.booleans())
    def test_split_the_same_lines(self, random, lower):
        block = mutated(random, any_block(random))
        assert compiled.split_lines(block, lower) == plain.split_lines(block, lower)

    @many
    @given(randoms)
    def test_write_the_same_lines(self, random):
        pairs = any_pairs(random)
        assert compiled.write_lines(pairs) == plain.write_lines(pairs)


class TestOrdinaryWay:
    """What is plain is what the ordinary way takes, and what it writes."""

    @many
    @given(cases(any_request))
    def test_requests_are_read_alike(self, case):
        data, (max_head, max_line, max_headers) = case
        facts = plain.read_request(data, max_head, max_line, max_headers)
        if facts is None:
            return
        reader = RequestReader(Limits(request_line=max_line, head=max_head, headers=max_headers))
        request, one = reader.feed(data), PlainRequest(data, facts)
        assert (reader.head, reader.unread) == (one.head, data[one.size :])
        assert meaning(one.request()) == meaning(request)
        assert (one.method, one.raw_target, one.host) == (request.method, request.target, request.host)
        assert (one.framing, one.keep_alive) == (request.framing, request.keep_alive)
        target = parse_target(request.method, request.target)
        assert parts(one.parsed_target()) == parts(target)
        assert (one.path, one.query) == (target.path, target.query)

    @many
    @given(cases(any_request), st.sampled_from(ADDRESSES), st.booleans())
    def test_requests_are_forwarded_alike(self, case, address, below_its_first_segment):
        data, limits = case
        facts = plain.read_request(data, *limits)
        if facts is None:
            return
        one = PlainRequest(data, facts)
        source = SimpleNamespace(
            request=RequestReader().feed(data),
            target=parse_target(one.method, one.raw_target),
            client=("192.0.2.1", 1),
            scheme="http",
            path_base=one.path[: one.path.find("/", 1)]
            if below_its_first_segment and "/" in one.path[1:]
            else "",
            plain=None,
        )
        try:
            written = encode_request(outgoing_request(source, address))
        except ProtocolError:  # Host is not one, which no reader of heads judges
            with pytest.raises(ProtocolError):
                plain_request_head(source, one, address)
        else:
            assert_same(plain_request_head(source, one, address), written, one.head)

    @many
    @given(cases(any_response))
    def test_responses(self, case):
        data, (max_head, _, max_headers) = case
        facts = plain.read_response(data, max_head, max_headers)
        if facts is None:
            return
        status, framing, keep_alive, block, has_date, end = facts
        reader = ResponseReader("GET", Limits(head=max_head, headers=max_headers))
        response = reader.feed(data)
        assert (reader.head, reader.unread) == (data[:end], data[end:])
        said = (response.status, response.framing, response.keep_alive, b"date" in response.headers)
        assert said == (status, framing, keep_alive, has_date)
        outgoing = outgoing_response(response)
        lines = outgoing.headers.lines
        raw = outgoing.headers.pairs() if lines is None else []
        written = encode_response(status, raw, outgoing.reason, lines.values() if lines is not None else ())
        assert_same(block + b"\r\n", written, data[:end])

    @many
    @given(cases(any_request))
    def test_a_cut_head_is_not_plain(self, case):
        data, limits = case
        facts = plain.read_request(data, *limits)
        if facts is not None:
            assert plain.read_request(data[: facts[-1]], *limits) == facts
            assert plain.read_request(data[: facts[-1] - 1], *limits) is None

    @many
    @given(randoms)
    def test_pairs_are_written_as_the_ordinary_way_does(self, random):
        pairs = any_pairs(random)
        written = plain.write_lines(pairs)
        if written is not None:
            assert encode_response(200, pairs) == b"HTTP/1.1 200 OK\r\n" + written[0] + b"\r\n"

    @many
    @given(randoms)
    def test_lines_are_split_as_the_ordinary_way_does(self, random):
        block = any_block(random)
        assert plain.split_lines(block, False) == [split_line(line) for line in block.split(b"\r\n")[:-1]]


def test_half_of_these_heads_are_plain():
    """The properties above say little where nothing is plain."""
    random = Random(1)
    requests = [
        plain.read_request(mutated(random, any_request(random)), 32768, 8192, 100) for _ in range(1000)
    ]
    responses = [plain.read_response(mutated(random, any_response(random)), 32768, 100) for _ in range(1000)]
    for facts in (requests, responses):
        assert 300 < sum(one is not None for one in facts) < 700

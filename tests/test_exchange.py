from __future__ import annotations

import asyncio

import pytest

from hostler.answering import apply_response_callbacks
from hostler.config.model import Cluster
from hostler.contract import Delegated
from hostler.errors import DelegationError, Failure, Reason
from hostler.exchange import Exchange
from hostler.http.heads import read_request
from hostler.http.message import CHUNKED, Response
from hostler.http.plain_request import PlainRequest
from hostler.outcome import Kind
from hostler.testing import FakeRule, FakeStream, exchange, live

TEXT = ("content-type", "text/plain; charset=utf-8")


async def blocked(coroutine):
    """Start a coroutine and let it run until it waits."""
    task = asyncio.create_task(coroutine)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not task.done()
    return task


def made(**keys):
    stream = FakeStream(**keys)
    return exchange("POST", "/x", stream=stream), stream


# -- what a stage reads


def test_narrowing_keeps_what_is_wanted():
    given = exchange(cluster=live(Cluster("api", ["http://a", "http://b"])))
    given.narrow(lambda destination: destination.id == "http://b")
    assert [destination.id for destination in given.candidates] == ["http://b"]


def test_the_values_of_a_header_are_the_same_whether_its_head_is_plain_or_was_changed():
    head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX: cookie: no\r\nCOOKIE:b=2 \r\n\r\n"
    plain = PlainRequest(head, read_request(head, 8192, 8192, 100))
    given = Exchange(plain, FakeStream(), None, ("127.0.0.1", 1), ("127.0.0.1", 2), "a", 80)
    assert given.header_values(b"cookie") == [b"a=1", b"b=2"]
    assert given.plain is plain
    given.request.headers.add("Cookie", "c=3")
    assert given.header_values(b"cookie") == [b"a=1", b"b=2", b"c=3"]
    assert given.header_values(b"accept") == []


def test_items_are_a_place_of_its_own():
    one, other = exchange(), exchange()
    one.items["tenant"] = "blue"
    assert (one.items, other.items) == ({"tenant": "blue"}, {})


# -- respond


async def test_responding_with_text():
    given, stream = made()
    outcome = await given.respond(201, "grüß", headers=[("x-a", "1")])
    assert list(stream.response.headers) == [("x-a", "1"), TEXT, ("content-length", "6")]
    assert (stream.response.status, stream.response.body) == (201, "grüß".encode())
    assert (stream.response.framing, stream.response.complete) == (6, True)
    assert (outcome.kind, outcome.status, outcome.bytes_sent, outcome.failure) == (
        Kind.RESPONDED,
        201,
        6,
        None,
    )


async def test_responding_with_bytes_says_nothing_of_their_type():
    given, stream = made()
    await given.respond(200, b"\x00")
    assert list(stream.response.headers) == [("content-length", "1")]


async def test_a_content_type_of_ones_own():
    given, stream = made()
    await given.respond(200, "{}", headers=[("Content-Type", "application/json")])
    assert stream.response.headers.get_all("content-type") == ["application/json"]


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body(status):
    given, stream = made()
    await given.respond(status, b"lost")
    assert (stream.response.body, "content-length" in stream.response.headers) == (b"", False)


@pytest.mark.parametrize("status", [0, 100, 199, 1000])
async def test_only_a_final_status_can_be_responded(status):
    given, stream = made()
    with pytest.raises(ValueError, match="not the status of a final response"):
        await given.respond(status)
    assert not stream.started


async def test_a_second_response_is_an_error():
    given, _ = made()
    await given.respond(200)
    with pytest.raises(RuntimeError, match=r"a response has begun already \(status 200\)"):
        await given.respond(500)


async def test_responding_to_a_client_that_is_gone_is_no_error():
    given, stream = made()
    stream.client_leaves()
    outcome = await given.respond(200, "hello")
    assert (outcome.status, stream.response.status) == (0, 0)


# -- start, write, end


async def test_a_response_in_pieces():
    given, stream = made()
    await given.start(200, [("x-a", "1")])
    assert (stream.response.framing, stream.response.complete) == (CHUNKED, False)
    await given.write(b"he")
    await given.write(b"llo")
    outcome = await given.end([("x-sum", "1")])
    assert (stream.response.body, stream.response.complete) == (b"hello", True)
    assert list(stream.response.trailers) == [("x-sum", "1")]
    assert (outcome.kind, outcome.bytes_sent) == (Kind.RESPONDED, 5)


async def test_a_response_of_known_length():
    given, stream = made()
    await given.start(200, length=5)
    assert stream.response.framing == 5
    assert list(stream.response.headers) == [("content-length", "5")]


async def test_switching_protocols_can_be_started():
    given, stream = made()
    await given.start(101, [("upgrade", "echo")])
    assert stream.response.status == 101


@pytest.mark.parametrize("how", ["client_reads", "client_leaves"])
async def test_writing_waits_for_the_client(how):
    given, stream = made()
    await given.start(200)
    stream.client_stalls()
    task = await blocked(given.write(b"hello"))
    assert stream.response.body == b"hello"
    getattr(stream, how)()
    await task


async def test_whoever_waits_for_the_client_to_leave_learns_of_the_end():
    given, _ = made()
    channel = given.channel()
    task = await blocked(channel.disconnected())
    await given.respond(200)
    await task
    assert channel.failure is None


@pytest.mark.parametrize("started", [False, True])
async def test_whoever_waits_for_the_client_to_leave_learns_of_a_failure(started):
    given, _ = made()
    if started:
        await given.start(200)
    task = await blocked(given.channel().disconnected())
    await given.fail(Failure(Reason.REQUEST))
    await task


# -- fail


async def test_failing_before_the_response():
    given, stream = made()
    failure = Failure(Reason.REQUEST_TIMED_OUT)
    outcome = await given.fail(failure)
    assert (stream.response.status, stream.response.body) == (504, b"504 Gateway Timeout\n")
    assert list(stream.response.headers) == [TEXT, ("content-length", "20")]
    assert (outcome.kind, outcome.status, outcome.failure) == (Kind.FAILED, 504, failure)


async def test_failing_after_the_response_began_aborts_it():
    given, stream = made()
    await given.start(200)
    outcome = await given.fail(Failure(Reason.RESPONSE_BODY_DESTINATION))
    assert (stream.response.aborted, stream.response.complete) == (True, False)
    assert (outcome.kind, outcome.status) == (Kind.FAILED, 200)


async def test_failing_when_the_client_is_gone_answers_nothing():
    given, stream = made()
    stream.client_leaves()
    outcome = await given.fail(Failure(Reason.REQUEST_CANCELED))
    assert (stream.started, outcome.status) == (False, 0)


async def test_an_outcome_names_its_destination():
    given = exchange(cluster=live(Cluster("api", ["http://a"])))
    assert given.outcome(Kind.RESPONDED).destination is None
    given.destination = given.candidates[0]
    assert given.outcome(Kind.FORWARDED).destination == "http://a"
    assert given.outcome(Kind.FORWARDED, destination="http://b").destination == "http://b"


# -- on_response


async def respond(given):
    await given.respond(200)


async def start(given):
    await given.start(200)
    await given.end()


async def fail(given):
    await given.fail(Failure(Reason.REQUEST))


@pytest.mark.parametrize("answer", [respond, start, fail])
async def test_callbacks_add_to_the_headers_in_order(answer):
    given, stream = made()
    given.on_response(lambda headers: headers.append((b"x-a", b"1")))
    given.on_response(lambda headers: headers.append((b"x-a", b"2")))
    await answer(given)
    assert stream.response.headers.get_all("x-a") == ["1", "2"]


async def test_callbacks_run_once():
    given, _ = made()
    calls = []
    given.on_response(calls.append)
    await given.respond(200)
    await given.fail(Failure(Reason.REQUEST))
    apply_response_callbacks(given, [])
    assert len(calls) == 1


# -- the request's body


async def test_reading_the_body():
    given, _ = made(body=[b"he", b"llo"])
    assert await given.read() == b"hello"
    assert given.outcome(Kind.RESPONDED).bytes_received == 5


async def test_reading_no_body():
    assert await exchange().read() == b""


async def test_a_body_may_be_as_large_as_the_limit():
    given, _ = made(body=b"x" * 10)
    assert len(await given.read(10)) == 10


async def test_a_larger_body_is_refused():
    given, _ = made(body=[b"x" * 6, b"x" * 5])
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        await given.read(10)


async def test_the_pieces_come_as_they_arrive():
    given, stream = made(body=None)
    pieces = []

    async def collect():
        async for piece in given.chunks():
            pieces.append(piece)

    stream.client_sends(b"a")
    task = await blocked(collect())
    assert pieces == [b"a"]
    stream.client_sends(b"b")
    stream.client_ends()
    await task
    assert pieces == [b"a", b"b"]


async def test_reading_from_a_client_that_leaves():
    given, stream = made(body=None)
    task = await blocked(given.read())
    stream.client_leaves()
    with pytest.raises(ConnectionError, match="RequestCanceled"):
        await task


async def test_a_client_that_waits_is_told_to_go_on():
    given, stream = made(body=None, expect_continue=True)
    task = await blocked(given.read())
    assert [status for status, _ in stream.response.informational] == [100]
    stream.client_sends(b"a")
    stream.client_ends()
    assert await task == b"a"


# -- delegating


async def test_delegating():
    given, stream = made(delegation=Delegated(200, 5, 7))
    given.on_response(lambda headers: headers.append((b"x-a", b"1")))
    rule = FakeRule("reports")
    outcome = await given.delegate(rule)
    assert stream.delegated == (rule, [(b"x-a", b"1")])
    assert (outcome.kind, outcome.status, outcome.destination) == (Kind.DELEGATED, 200, "reports")
    assert (outcome.bytes_received, outcome.bytes_sent) == (5, 7)


async def test_a_delegated_exchange_that_broke():
    failure = Failure(Reason.RESPONSE_BODY_DESTINATION)
    given, _ = made(delegation=Delegated(200, failure=failure))
    outcome = await given.delegate(FakeRule())
    assert (outcome.kind, outcome.status, outcome.failure) == (Kind.FAILED, 200, failure)


async def test_a_delegation_that_failed_is_answered():
    failure = Failure(Reason.NO_AVAILABLE_DESTINATIONS)
    given, stream = made(delegation=failure)
    outcome = await given.delegate(FakeRule("reports"))
    assert (stream.response.status, stream.response.complete) == (503, True)
    assert (outcome.kind, outcome.status, outcome.destination) == (Kind.FAILED, 503, "reports")
    assert outcome.failure is failure


async def test_the_answer_to_a_failed_delegation_has_what_callbacks_add():
    given, stream = made(delegation=Failure(Reason.NO_AVAILABLE_DESTINATIONS))
    calls = []
    given.on_response(lambda headers: (calls.append(1), headers.append((b"x-a", b"1"))))
    await given.delegate(FakeRule())
    assert (stream.response.headers.get_all("x-a"), calls) == (["1"], [1])


def replace(headers):
    headers[:] = [pair for pair in headers if pair[0] != b"server"]


@pytest.mark.parametrize(
    "callback",
    [
        replace,
        list,
        len,
        bool,
        sorted,
        lambda headers: (b"a", b"b") in headers,
        lambda headers: headers.pop(),
        lambda headers: headers.clear(),
        lambda headers: headers.remove((b"a", b"b")),
        lambda headers: headers.insert(0, (b"a", b"b")),
        lambda headers: headers[0],
        lambda headers: headers.copy(),
        lambda headers: [*headers],
    ],
)
async def test_callbacks_only_add_to_what_another_process_answers(callback):
    given, stream = made(delegation=Delegated(200))
    given.on_response(callback)
    with pytest.raises(DelegationError, match=r"another process gives this answer: .* may add headers to it"):
        await given.delegate(FakeRule())
    assert stream.delegated is None


async def test_callbacks_add_in_each_way_to_what_another_process_answers():
    given, stream = made(delegation=Delegated(200))

    def add(headers):
        headers.append((b"a", b"1"))
        headers.extend([(b"b", b"2")])
        headers += [(b"c", b"3")]

    given.on_response(add)
    rule = FakeRule()
    await given.delegate(rule)
    assert stream.delegated == (rule, [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])


async def refused(given):
    with pytest.raises(DelegationError) as caught:
        await given.delegate(FakeRule())
    return str(caught.value)


async def test_a_response_that_has_begun_cannot_be_delegated():
    given, _ = made(delegation=Delegated(200))
    await given.start(200)
    assert await refused(given) == "POST /x cannot be delegated: its response has begun"


async def test_a_body_that_was_read_cannot_be_delegated():
    given, _ = made(body=b"x", delegation=Delegated(200))
    await given.read()
    assert await refused(given) == "POST /x cannot be delegated: its body was read"


async def test_a_server_that_cannot_delegate():
    given, _ = made()
    assert await refused(given) == (
        "POST /x cannot be delegated: its connection or server cannot delegate, or it is over"
    )


async def test_an_exchange_that_is_over_cannot_be_delegated():
    given, stream = made(delegation=Delegated(200))
    stream.client_leaves()
    assert "it is over" in await refused(given)


async def test_a_refusal_leaves_the_callbacks_for_the_answer():
    given, stream = made()
    given.on_response(lambda headers: headers.append((b"x-a", b"1")))
    await refused(given)
    await given.respond(200)
    assert stream.response.headers.get("x-a") == "1"


# -- the exchange and the stream of hostler.testing, which hold the others to the contract


def test_an_exchange_is_what_a_server_would_deliver():
    given = exchange("POST", "/a%20b?q=1", body=b"xyz", host="Example.com:8080", scheme="https")
    assert (given.path, given.target.query) == ("/a b", b"q=1")
    assert (given.host, given.port, given.scheme) == ("example.com", 8080, "https")
    assert list(given.request.headers) == [("Host", "Example.com:8080"), ("Content-Length", "3")]
    assert (given.request.framing, given.request.host) == (3, b"Example.com:8080")


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_a_host_without_a_port_is_on_the_schemes(scheme, port):
    assert exchange(scheme=scheme).port == port


@pytest.mark.parametrize("body", [[b"a"], (), None])
def test_a_body_in_pieces_is_chunked(body):
    given = exchange("POST", body=body)
    assert given.request.framing == CHUNKED
    assert given.request.headers.get("transfer-encoding") == "chunked"


def test_headers_of_ones_own_are_kept():
    headers = [("host", "a:81"), ("transfer-encoding", "gzip, chunked")]
    given = exchange("POST", headers=headers, body=[b"x"])
    assert (list(given.request.headers), given.host, given.port) == (headers, "a", 81)
    headers = [("host", "a"), ("content-length", "1")]
    assert list(exchange("POST", headers=headers, body=b"x").request.headers) == headers


def test_a_stream_wants_a_head_first():
    stream = FakeStream()
    with pytest.raises(RuntimeError, match="needs a head before it"):
        stream.write(b"x")
    with pytest.raises(RuntimeError, match="needs a head before its end"):
        stream.end()


def test_a_stream_wants_one_head():
    stream = FakeStream()
    stream.start(Response(200))
    with pytest.raises(RuntimeError, match=r"has a head already \(status 200\)"):
        stream.start(Response(200))


def test_what_is_written_to_a_stream_that_is_over_is_discarded():
    stream = FakeStream()
    stream.client_leaves()
    stream.client_leaves()
    stream.client_stalls()
    stream.client_reads()
    stream.inform(103, [])
    stream.start(Response(200), b"x")
    stream.write(b"x")
    stream.end()
    stream.abort()
    assert (stream.status, stream.response.body, stream.response.informational) == (0, b"", [])
    assert (stream.response.complete, stream.response.aborted) == (False, False)


async def test_what_arrives_waits_for_whoever_takes_it():
    given, stream = made(body=None)
    stream.client_sends(b"a")
    stream.client_ends()
    stream.resume()
    assert stream.bytes_received == 0
    assert await given.read() == b"a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("200", ""), "'200' is not a status"),
        ((200, {"a": 1}), "a body is str or bytes, not dict; json.dumps"),
        ((200, None), "a body is str or bytes, not NoneType"),
    ],
)
async def test_an_answer_of_the_wrong_type_is_refused_before_anything_is_sent(arguments, message):
    given, stream = made()
    with pytest.raises(TypeError, match=message):
        await given.respond(*arguments)
    assert not stream.started


@pytest.mark.parametrize("headers", [[("x-a", 5)], [(None, "a")], "x-a: 5", {"x-a": 5}])
async def test_headers_of_the_wrong_type_are_refused_before_anything_is_sent(headers):
    given, stream = made()
    with pytest.raises(TypeError, match=r"give (str or bytes|pairs)"):
        await given.respond(200, "", headers=headers)
    assert not stream.started


async def test_headers_may_be_a_mapping():
    given, stream = made()
    await given.respond(204, headers={"x-a": "1"})
    assert stream.response.headers.get("x-a") == "1"


def test_a_limit_of_less_than_nothing_is_refused():
    made = exchange(method="POST", body=b"x")
    with pytest.raises(
        ValueError, match=r"^-1 is no number of bytes; give 0 or more, or None for any number$"
    ):
        made.max_request_body_size = -1  # as documents lift a limit
    made.max_request_body_size = None
    assert made.max_request_body_size is None


async def test_it_can_be_broken_off():
    stream = FakeStream()
    outcome = await exchange(stream=stream).reset(8)
    assert (outcome.kind, outcome.status, stream.closed) == (Kind.FAILED, 0, True)


async def test_of_a_connection_that_the_server_does_not_know_nothing_is_known():
    connection = exchange().connection
    for ask in ("server_name", "client_hello", "tcp", "quic", "client_certificate"):
        assert await getattr(connection, ask)() is None

"""What the model's response cache keeps, whom it answers, what drops it."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import cache
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import NULL, URL, Program, memory_chunk, native_response

PLAIN = {"Content-Type": "text/plain"}


def offer(program, client, url=URL, *, policy=(cache.TIME_TO_LIVE, 60), flags=0, headers=PLAIN, body=b"kept",
          status=200, sent=(), method="GET", version="1.1"):  # fmt: skip
    """Have a request answered with an answer that may be kept; returns what came."""
    options = {} if version is None else {"version": version}
    call = client.request(method, url, sent, **options)
    io = program.take()
    response, keep = native_response(status=status, headers=dict(headers), chunks=[memory_chunk(body)])
    given = NULL if policy is None else ffi.new("HTTP_CACHE_POLICY *", policy)
    sending = program._io()
    sending.keep = (response, keep, given)
    code = program.http.HttpSendHttpResponse(
        program.queue,
        io.request.RequestId,
        flags | c.BUFFER_DATA,
        response,
        given,
        sending.moved,
        NULL,
        0,
        sending.overlapped,
        NULL,
    )
    assert code == 0
    return call


def hit(machine, client, url=URL, **options):
    """Whether a request is answered without a process."""
    before = machine.cache.hits
    client.request("GET", url, **options)
    return machine.cache.hits == before + 1


@pytest.mark.parametrize("policy", [(cache.TIME_TO_LIVE, 60), (cache.USER_INVALIDATES, 0)])
def test_an_answer_with_a_policy_answers_the_next_request(machine, program, client, policy):
    assert offer(program, client, policy=policy).wait().body == b"kept"
    response = client.request("GET", URL).wait()
    assert (response.status, response.body, response.header("content-length")) == (200, b"kept", b"4")
    assert (response.header("content-type"), response.header("age")) == (b"text/plain", None)
    assert program.receive().code == c.IO_PENDING


@pytest.mark.parametrize("policy", [None, (cache.NO_CACHE, 60), (cache.TIME_TO_LIVE, 0)])
def test_without_a_policy_nothing_is_kept(machine, program, client, policy):
    offer(program, client, policy=policy)
    assert not hit(machine, client)


@pytest.mark.parametrize(
    "sent",
    [
        [("Authorization", "Basic eA==")],
        [("Translate", "f")],
        [("Range", "bytes=0-1")],
        [("If-Range", '"x"')],
        [("Expect", "something")],
    ],
)
def test_a_request_that_keeps_its_answer_out(machine, program, client, sent):
    offer(program, client, sent=sent)
    assert machine.cache.entries == {}


def test_only_answers_to_get_are_kept(machine, program, client):
    offer(program, client, method="DELETE")
    assert machine.cache.entries == {}


@pytest.mark.parametrize(
    ("headers", "status", "flags"),
    [
        ({}, 200, 0),
        (PLAIN, 206, 0),
        (PLAIN | {"Last-Modified": "yesterday"}, 200, 0),
        (PLAIN, 200, c.DISCONNECT),
    ],
)
def test_an_answer_that_is_not_kept(machine, program, client, headers, status, flags):
    offer(program, client, headers=headers, status=status, flags=flags)
    assert machine.cache.entries == {}


def test_what_is_too_large_or_comes_in_pieces_is_not_kept(machine, program, client):
    offer(program, client, body=b"x" * 262144)
    assert machine.cache.entries == {}
    call = client.request("GET", f"{URL}pieces")
    request = program.take().request.RequestId
    response, keep = native_response(headers={**PLAIN, "Content-Length": "2"}, chunks=[memory_chunk(b"a")])
    given = ffi.new("HTTP_CACHE_POLICY *", (cache.TIME_TO_LIVE, 60))
    io = program._io()
    io.keep = (response, keep, given)
    program.http.HttpSendHttpResponse(
        program.queue,
        request,
        c.MORE | c.BUFFER_DATA,
        response,
        given,
        io.moved,
        NULL,
        0,
        io.overlapped,
        NULL,
    )
    program.send(request, b"b")
    assert call.wait().body == b"ab"
    assert machine.cache.entries == {}


@pytest.mark.parametrize("status", [304, 404, 500])
def test_nearly_every_status_is_kept(machine, program, client, status):
    offer(program, client, status=status, body=b"")
    assert client.request("GET", URL).wait().status == status


def test_what_was_kept_for_a_time_is_dropped_after_it(machine, program, client):
    offer(program, client)
    machine.now = 59
    assert hit(machine, client)
    machine.now = 60
    assert not hit(machine, client)


def test_the_query_is_part_of_the_name(machine, program, client):
    offer(program, client, f"{URL}?a=1")
    assert hit(machine, client, f"{URL}?a=1")
    assert not hit(machine, client, f"{URL}?a=2")


def test_nothing_that_a_request_says_makes_another_answer(machine, program, client):
    offer(program, client, headers=PLAIN | {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"})
    assert hit(machine, client, headers=[("Accept-Encoding", "identity"), ("Cookie", "a=1")])


def test_a_request_with_credentials_goes_to_the_process(machine, program, client):
    offer(program, client)
    assert not hit(machine, client, headers=[("Authorization", "Basic eA==")])


def test_a_part_is_served_from_what_is_kept(machine, program, client):
    offer(program, client)
    response = client.request("GET", URL, [("Range", "bytes=1-2")]).wait()
    assert (response.status, response.body, response.header("content-range")) == (206, b"ep", b"bytes 1-2/4")


def test_a_length_of_the_applications_own_would_be_there_twice(machine, program, client):
    offer(program, client, headers=PLAIN | {"Content-Length": "4"})
    client.request("GET", URL, [("Range", "bytes=1-2")])
    assert machine.defects == [f"a part of {URL} has two Content-Lengths"]
    machine.defects.clear()


def test_chunks_of_the_applications_own_are_no_answer_for_everybody(machine, program, client):
    offer(program, client, headers=PLAIN | {"Transfer-Encoding": "chunked"}, body=b"1\r\nx\r\n0\r\n\r\n")
    assert machine.defects == [f"{URL} is kept with chunks of the application's own"]
    machine.defects.clear()


def test_last_modified_answers_conditional_requests(machine, program, client):
    offer(program, client, headers=PLAIN | {"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"})
    for since, status in [("Sun, 06 Nov 1994 08:49:37 GMT", 304), ("Sun, 06 Nov 1994 08:49:36 GMT", 200)]:
        assert client.request("GET", URL, [("If-Modified-Since", since)]).wait().status == status


@pytest.mark.parametrize("by_prefix", [False, True])
def test_flushing(machine, client, by_prefix):
    machine.cache.names_by_prefix = by_prefix
    program = Program(machine, urls=("http://+:8080/",))
    base = "http://+:8080" if by_prefix else "http://localhost:8080"

    def kept():
        return sorted(name.removeprefix(base) for name in machine.cache.entries)

    for path in ("/a", "/a/b", "/a?q=1", "/ab"):
        offer(program, client, f"http://localhost:8080{path}")
    assert kept() == ["/a", "/a/b", "/a?q=1", "/ab"]
    assert program.call("HttpFlushResponseCache", f"{base}/a", 0).code == 0
    assert kept() == ["/a/b", "/a?q=1", "/ab"]
    assert program.call("HttpFlushResponseCache", f"{base}/a", 1).code == 0
    assert kept() == ["/ab"]
    assert program.call("HttpFlushResponseCache", "http://localhost:9000/", 1).code == c.INVALID_PARAMETER
    assert program.call("HttpFlushResponseCache", f"{base}/", 8).code == c.INVALID_PARAMETER


def test_with_its_prefix_it_is_gone(machine, program, client):
    offer(program, client, policy=(cache.USER_INVALIDATES, 0))
    assert program.http.HttpRemoveUrlFromUrlGroup(program.group, URL, 0) == 0
    assert program.add(URL) == 0
    assert not hit(machine, client)


def test_over_http_2_too():
    machine = Machine()
    program, client = Program(machine), machine.client(http2=True)
    offer(program, client, version=None)
    assert client.request("GET", URL).wait().body == b"kept"
    machine.close()
    assert machine.defects == []

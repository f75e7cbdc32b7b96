"""One transfer on one connection, without sockets: what moves when, and what is left of it afterwards."""

from __future__ import annotations

import asyncio

import pytest

from hostler.client.address import DestinationAddress
from hostler.client.http1 import Http1UpstreamConnection
from hostler.client.outgoing import outgoing_request
from hostler.client.transfer import RETRY, Transfer
from hostler.completion import Completion
from hostler.errors import Failure, Reason
from hostler.http.message import CHUNKED
from hostler.testing import FakeStream, exchange
from tests.client.transports import Owner, Pipe

ADDRESS = DestinationAddress.parse("http://there")


class Case:
    """An exchange whose transfer has begun."""

    def __init__(self, given=None, connection=None, *, pipe=None, timeout=100.0, served=False):
        """`served`: on a connection that has answered before."""
        loop = asyncio.get_running_loop()
        self.owner = Owner()
        if connection is None:
            connection = Http1UpstreamConnection(self.owner, loop, 60)
            self.pipe = pipe or Pipe()
            connection.connection_made(self.pipe)
        else:
            self.pipe = connection._transport
        self.connection = connection
        if served:
            Case(None, connection).receive(OK + b"ok")
            self.pipe.written = b""
        self.exchange = given or exchange()
        self.stream = self.exchange.stream
        self.result = self.transfer = Transfer(self.exchange, timeout, self.exchange.method)
        self.transfer.begin(connection, outgoing_request(self.exchange, ADDRESS))

    def receive(self, data):
        self.connection.data_received(data)

    @property
    def response(self):
        return self.stream.response

    def close(self):
        self.connection.close()


@pytest.fixture
async def case():
    made = []

    def make(*arguments, **options):
        made.append(Case(*arguments, **options))
        return made[-1]

    yield make
    for item in made:
        item.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


async def test_an_exchange(case):
    here = case(exchange("POST", body=[b"one", b"two"]))
    assert here.pipe.written.partition(b"\r\n\r\n")[2] == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    here.receive(OK)
    here.receive(b"ok")
    assert here.result.result() is None
    assert (here.response.status, here.response.body, here.response.complete) == (200, b"ok", True)
    assert here.owner.freed == [here.connection]
    assert not here.connection.has_expired()


async def test_a_transfer_has_all_that_a_completion_is_made_with(case):
    """It does not call the `__init__` of that."""
    assert vars(Completion()).keys() <= vars(case().transfer).keys()


async def test_an_event_loop_may_hand_over_bytearrays(case):
    """As the Proactor loop of Python 3.11 does."""
    here = case()
    for data in (OK, b"ok"):
        here.receive(bytearray(data))
    assert (here.result.result(), here.response.body) == (None, b"ok")


@pytest.mark.parametrize("cut", range(1, 90, 7))
async def test_how_an_answer_is_cut_does_not_change_it(case, cut):
    whole = (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"
    )
    here = case()
    for at in range(0, len(whole), cut):
        here.receive(whole[at : at + cut])
    assert here.result.result() is None
    assert [status for status, _ in here.response.informational] == [103]
    assert here.response.body == b"abcde"
    assert here.response.trailers.get("x-t") == "1"
    assert here.owner.freed == [here.connection]


async def test_a_second_request_on_the_same_connection(case):
    first = case()
    first.receive(OK + b"ok")
    second = case(exchange("HEAD"), first.connection)
    second.receive(OK)
    assert (second.result.result(), second.response.complete, second.response.body) == (None, True, b"")
    third = case(exchange("GET"), first.connection)
    third.receive(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert (third.response.status, third.response.complete) == (404, True)


class LastStraw(FakeStream):
    """A stream whose client falls behind exactly when the answer's end is written."""

    def end(self, trailers=None):
        self.client_stalls()
        super().end(trailers)
        self.client_reads()


async def test_the_end_of_an_answer_that_is_too_much_for_the_client_does_not_pause_an_idle_connection(case):
    here = case(exchange(stream=LastStraw()))
    here.receive(OK + b"ok")
    assert here.owner.freed == [here.connection]
    assert here.pipe.reading


async def test_an_answer_before_the_request_is_complete_ends_the_connection(case):
    here = case(exchange("POST", body=None))
    here.receive(OK + b"ok")
    assert (here.result.result(), here.response.complete) == (None, True)
    assert here.pipe.closing


async def test_bytes_behind_an_answer_end_the_connection(case):
    here = case()
    here.receive(OK + b"okHTTP/1.1 200 OK\r\n")
    assert here.response.complete
    assert here.response.body == b"ok"
    assert here.pipe.closing


async def test_a_destination_that_does_not_keep_up_stops_the_client(case):
    here = case(exchange("POST", body=None))
    here.connection.pause_writing()
    assert here.stream.paused
    here.connection.resume_writing()
    assert not here.stream.paused


async def test_a_client_that_does_not_keep_up_stops_the_destination(case):
    here = case()
    here.stream.client_stalls()
    assert not here.pipe.reading
    here.stream.client_reads()
    assert here.pipe.reading


async def test_a_connection_with_unsent_bytes_is_not_kept(case):
    """Its next request would begin with a client that is held back, and that nobody would let go again."""
    here = case()
    here.connection.pause_writing()
    here.receive(OK + b"ok")
    assert here.pipe.closing
    assert here.owner.freed == []


async def test_after_a_failure_nothing_waits_for_a_destination_that_takes_nothing(case):
    here = case(exchange("POST", body=None))
    here.stream.client_sends(b"x")
    here.stream.client_leaves()
    assert here.result.result().reason is Reason.REQUEST_CANCELED
    assert here.pipe.aborted


async def test_a_tunnels_last_bytes_are_still_sent(case):
    here = upgraded(case)
    here.connection.eof_received()
    here.stream.client_sends(b"bye")
    here.stream.client_ends()
    assert here.result.result() is None
    assert here.pipe.written.endswith(b"bye")
    assert (here.pipe.closing, here.pipe.aborted) == (True, False)


class Tunnel(FakeStream):
    """A stream that stays open after a 101."""

    def end(self, trailers=None):
        self.response.complete = True

    def _flow(self):
        self._told = False
        super()._flow()


def upgraded(case, **options):
    headers = [("Connection", "Upgrade"), ("Upgrade", "x")]
    given = exchange(headers=headers, stream=Tunnel())
    given.request.upgrade = b"x"
    here = case(given, **options)
    here.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhi")
    assert here.response.status == 101
    assert here.response.body == b"hi"
    here.stream._ended = False
    return here


async def test_a_tunnel_without_half_open_connections_ends_whole(case):
    here = upgraded(case, pipe=Pipe(half_close=False))
    here.stream.client_ends()
    assert here.result.result() is None
    assert here.pipe.closing


async def test_a_tunnels_bytes_are_not_chunked(case):
    here = upgraded(case)
    here.stream.client_sends(b"raw")
    assert here.pipe.written.endswith(b"raw")
    here.receive(b"0\r\n\r\n")
    assert here.response.body == b"hi0\r\n\r\n"
    assert not here.result.done()


RETRIED = [("GET", b""), ("HEAD", b""), ("PUT", b""), ("DELETE", b""), ("PUT", None), ("POST", None)]


@pytest.mark.parametrize(("method", "body"), RETRIED)
async def test_what_may_be_sent_again(case, method, body):
    here = case(exchange(method, body=body), served=True)
    here.connection.connection_lost(None)
    assert here.result.result() is RETRY
    assert here.owner.gone == [here.connection]


@pytest.mark.parametrize(
    ("method", "body"), [("POST", b""), ("PATCH", b""), ("POST", b"x"), ("PUT", b"x"), ("GET", b"x")]
)
async def test_what_may_not_be_sent_again(case, method, body):
    here = case(exchange(method, body=body), served=True)
    here.connection.connection_lost(ConnectionResetError("reset"))
    assert here.result.result().reason is Reason.REQUEST


@pytest.mark.parametrize("begun", [b"H", OK[:20], b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_nothing_is_sent_again_once_an_answer_has_begun(case, begun):
    here = case(served=True)
    here.receive(begun)
    here.connection.connection_lost(None)
    assert here.result.result().reason is Reason.REQUEST


async def test_an_interim_answer_counts_for_its_own_request_only(case):
    first = case(served=True)
    first.receive(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"ok")
    second = case(exchange(), first.connection)
    second.connection.connection_lost(None)
    assert second.result.result() is RETRY


async def test_a_broken_off_upload_is_the_destinations_fault(case):
    here = case(exchange("POST", body=None))
    here.stream.client_sends(b"x")
    here.connection.connection_lost(BrokenPipeError("broken"))
    assert here.result.result().reason is Reason.REQUEST_BODY_DESTINATION


async def test_a_broken_off_answer(case):
    here = case()
    here.receive(OK + b"o")
    here.connection.connection_lost(None)
    assert here.result.result().reason is Reason.RESPONSE_BODY_DESTINATION
    assert not here.response.complete


@pytest.mark.parametrize(
    ("end", "complete"),
    [(lambda connection: connection.eof_received(), True), (lambda connection: None, False)],
)
async def test_an_answer_until_the_end_of_the_connection(case, end, complete):
    here = case()
    here.receive(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert not here.result.done()
    end(here.connection)
    here.connection.connection_lost(None if complete else ConnectionResetError())
    assert here.response.body == b"abc"
    assert here.response.complete == complete
    assert (here.result.result() is None) == complete


@pytest.mark.parametrize("framing", [5, CHUNKED])
async def test_the_end_of_the_connection_ends_no_other_answer(case, framing):
    here = case()
    head = b"Content-Length: 5" if framing > 0 else b"Transfer-Encoding: chunked"
    here.receive(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % head)
    here.connection.eof_received()
    assert not here.result.done()
    here.connection.connection_lost(None)
    assert here.result.result().reason is Reason.RESPONSE_BODY_DESTINATION


async def test_nothing_that_comes_late_disturbs_the_next_exchange(case):
    here = case()
    here.receive(OK + b"ok")
    here.transfer.lost(Failure(Reason.REQUEST_CANCELED))
    here.transfer.pause()
    here.transfer.resume()
    here.transfer.disconnected(None, stale=True)
    assert here.result.result() is None
    assert here.pipe.reading
    assert not here.pipe.closing


async def test_an_uncalled_for_answer_closes_the_connection(case):
    here = case()
    here.receive(OK + b"ok")
    here.connection.data_received(b"HTTP/1.1 200 OK\r\n")
    assert here.pipe.closing


async def test_an_answer_while_its_head_cannot_be_passed_on_is_passed_on_in_no_part(case):
    class Refusing(FakeStream):
        def start(self, response, data=b""):
            from hostler.errors import ProtocolError  # noqa: PLC0415 - only here

            raise ProtocolError("no")

    here = case(exchange(stream=Refusing()))
    here.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")
    assert here.result.result().reason is Reason.RESPONSE_HEADERS
    assert here.response.body == b""
    assert here.pipe.closing


@pytest.mark.parametrize(
    ("arrange", "reason", "status"),
    [
        (lambda here: None, Reason.REQUEST_TIMED_OUT, 504),
        (lambda here: here.receive(OK), Reason.RESPONSE_BODY_DESTINATION, 502),
        (lambda here: (here.receive(OK), here.stream.client_stalls()), Reason.RESPONSE_BODY_CLIENT, 502),
    ],
)
async def test_whose_fault_a_standstill_is(case, arrange, reason, status):
    here = case(timeout=0.02)
    arrange(here)
    async with asyncio.timeout(5):
        await here.result
    failure = here.result.result()
    assert (failure.reason, failure.status) == (reason, status)
    assert failure.detail == "nothing moved for 0.02 s"


async def test_a_standstill_in_the_middle_of_the_body_is_the_clients_fault_or_the_destinations(case):
    client = case(exchange("POST", body=None), timeout=0.02)
    there = case(exchange("POST", body=None), timeout=0.02)
    there.connection.pause_writing()
    async with asyncio.timeout(5):
        await client.result
        await there.result
    assert (client.result.result().status, there.result.result().status) == (408, 504)

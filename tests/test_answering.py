from hostler.answering import answer_failure, begin_response, finish_response
from hostler.errors import Failure, Reason
from hostler.http.message import Response
from hostler.testing import FakeStream, exchange


async def test_beginning_a_response_for_whoever_frames_it():
    stream = FakeStream()
    given = exchange(stream=stream)
    given.on_response(lambda headers: headers.append((b"x-a", b"1")))
    begin_response(given, Response(200, framing=2), b"ok")
    finish_response(given)
    assert (stream.response.body, stream.response.complete) == (b"ok", True)
    assert list(stream.response.headers) == [("x-a", "1")]


async def test_a_response_that_a_pump_began_is_aborted_too():
    stream = FakeStream()
    given = exchange(stream=stream)
    begin_response(given, Response(200, framing=2))
    answer_failure(given, Failure(Reason.RESPONSE_BODY_DESTINATION))
    assert stream.response.aborted

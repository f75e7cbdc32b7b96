"""A proxy on HTTP.sys that delegates: what opens a queue when, which failures last, what a client gets for them."""

import logging

import pytest
from attrs import evolve

from hostler.config.model import queue
from hostler.errors import Reason, Side
from hostler.http.target import parse_target
from hostler.outcome import Kind
from hostler.proxy import Proxy
from hostler.server.httpsys.constants import CreateRequestQueueFlag, ServerProperty
from hostler.stages.access import AccessLog
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from tests.server.httpsys.delegating import BACK, FRONT, Q, delegating, receiving, routed
from tests.server.httpsys.served import served

DELEGATION = "hostler.server.httpsys.delegation"


@pytest.fixture
def said(caplog):
    """Return the (level, text) of what the delegation said since the last call."""
    caplog.set_level(logging.DEBUG, DELEGATION)

    def lines():
        records = [(item.levelname, item.getMessage()) for item in caplog.records if item.name == DELEGATION]
        caplog.clear()
        return records

    return lines


def opens_target(version, name, security, flags, handle):
    """Pick the calls of HttpCreateRequestQueue that look for a queue to delegate to."""
    return bool(flags & CreateRequestQueueFlag.DELEGATION)


def sets_delegation(group, number, value, size):
    """Pick the calls of HttpSetUrlGroupProperty that make or end a rule."""
    return number == ServerProperty.DELEGATION


# -- what goes over ---------------------------------------------------------------------------------------------------


async def test_the_queue_is_opened_by_the_first_request(machine, said):
    async with receiving(machine), delegating(machine) as front:
        assert front.looked == 0
        for number in range(3):
            assert (await front.get(f"/{number}")).body == b"hello |/%d|" % number
        assert (front.looked, front.handles) == (1, 1)
        assert said() == [("INFO", f"delegating to queue q under {BACK}")] * 3


async def test_the_outcome_says_delegated_and_no_status(machine):
    async with receiving(machine), delegating(machine) as front:
        await front.request("POST", "/", body=b"x" * 100).response()
        (outcome,) = front.outcomes
        assert (outcome.kind, outcome.status, outcome.destination) == (Kind.DELEGATED, 0, "q")
        assert (outcome.bytes_received, outcome.bytes_sent, outcome.failure) == (0, 0, None)


async def test_the_access_line_says_where_it_went(machine):
    lines = []
    log = AccessLog(lines.append, clock=lambda: 0.0, now=lambda: 0.0)
    async with receiving(machine), delegating(machine, stages=(log,)) as front:
        await front.get("/a?b")
        await machine.until(lambda: lines)
    assert lines[0].startswith(
        "1970-01-01T00:00:00.000Z 192.0.2.1 GET localhost:8080 /a?b - delegated to q, 0 B in, 0 B out, 0.0 ms, route all, id "
    )


async def test_the_rest_of_the_connection_is_the_proxys(machine):
    async with receiving(machine), delegating(machine) as front:
        client = machine.client()
        for number in range(3):
            answer = await client.request("GET", f"{FRONT}{number}").response()
            assert answer.body == b"hello |/%d|" % number
        assert len(front.outcomes) == 3


async def test_many_at_once_share_one_handle(machine):
    async with receiving(machine), delegating(machine) as front:
        calls = [front.request("POST", f"/{number}", body=b"b") for number in range(50)]
        for number, call in enumerate(calls):
            assert (await call.response()).body == b"hello |/%d|b" % number
        assert (front.looked, front.handles) == (1, 1)


async def test_headers_that_stages_add_are_missed_once(machine, said):
    async def stamp(exchange, onward):
        exchange.on_response(lambda headers: headers.extend([(b"x-two", b"2"), (b"x-one", b"1")]))
        return await onward(exchange)

    async with receiving(machine), delegating(machine, stages=(stamp,)) as front:
        for _ in range(3):
            assert (await front.get()).header("x-one") is None
        (warning,) = [text for level, text in said() if level == "WARNING"]
        assert warning == (
            "queue q answers by itself: headers that stages add (x-one, x-two) are not on its answers"
        )


def set_header(exchange):
    exchange.request.headers.set("X-User", "me")


def remove_header(exchange):
    exchange.request.headers.remove("X-User")


def set_method(exchange):
    exchange.request.method = "PUT"


def set_host(exchange):
    exchange.request.host = b"other"


def set_target(exchange):
    exchange.target = parse_target("GET", b"/other")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (set_header, "headers"),
        (remove_header, "headers"),
        (set_method, "method"),
        (set_host, "host"),
        (set_target, "target"),
    ],
)
async def test_a_request_that_a_stage_changed_is_not_handed_over_as_it_came(machine, change, name, caplog):
    async def stage(exchange, onward):
        if exchange.path == "/change":
            change(exchange)
        return await onward(exchange)

    async with receiving(machine), delegating(machine, stages=(stage,)) as front:
        call = front.request("GET", "/change", [("X-User", "evil")])
        assert (await call.response()).status == 500
        assert f"a stage changed its {name}, and HTTP.sys hands over the request as it came" in caplog.text
        assert (await front.get("/same")).status == 200


async def test_transforms_do_not_hold_for_what_is_delegated_which_is_said_at_the_start(machine, caplog):
    (route,), clusters = routed(Q)
    proxy = Proxy([evolve(route, transforms=[{"PathPrefix": "/v1"}])], clusters)
    async with receiving(machine), delegating(machine, proxy=proxy) as front:
        assert "Routes.all.Transforms: do not hold for what is delegated: HTTP.sys hands over" in caplog.text
        assert (await front.get("/a")).body == b"hello |/a|"


# -- no queue: every request looks for it -----------------------------------------------------------------------------


async def test_a_queue_that_is_not_there_yet_is_looked_for_by_each_request(machine, said):
    async with delegating(machine) as front:
        for number in range(1, 4):
            failure = await front.refused()
            assert failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
            assert failure.cause.code == ErrorCode.ERROR_FILE_NOT_FOUND
            assert front.looked == number
            ((level, text),) = said()
            assert level == "INFO"
            assert text.startswith(f"queue q cannot be delegated to under {BACK}: queue 'q' does not exist: ")
            assert "reset" not in text
        async with receiving(machine):
            assert (await front.get()).status == 200


# -- refused: nobody tries again before a reset -----------------------------------------------------------------------


@pytest.mark.parametrize("function", ["HttpCreateRequestQueue", "HttpSetUrlGroupProperty"])
@pytest.mark.parametrize("code", [5, 8, 50, 183, 1450, 4711])
async def test_any_other_failure_to_open_stays_until_a_reset(machine, said, function, code):
    picks = {"HttpCreateRequestQueue": opens_target, "HttpSetUrlGroupProperty": sets_delegation}
    async with receiving(machine), delegating(machine) as front:
        front.windows.fail(function, code, when=picks[function])
        for _ in range(3):
            failure = await front.refused()
            assert failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
            assert (failure.cause.code, failure.cause.function) == (code, function)
            assert (front.looked, front.handles) == (1, 0)
            ((level, text),) = said()
            assert level == "INFO"
            assert text.endswith("it is not tried again before a reset (Proxy.reset_queue)")
        front.proxy.reset_queue("q", BACK)
        assert said() == [("INFO", f"queue q under {BACK} was reset")]
        assert (await front.get()).status == 200


async def test_a_queue_of_another_user_says_what_to_do(machine, said):
    async with receiving(machine, windows=machine.process("r", user="bob")), delegating(machine) as front:
        await front.refused()
        await front.refused()
        assert front.looked == 1
        assert "have its creator name this user in the queue's security descriptor" in said()[0][1]


async def test_a_queue_that_this_process_delegates_to_already_is_refused(machine):
    async with receiving(machine), delegating(machine) as front:

        async def handler(exchange):
            return await exchange.delegate(rule)

        async with served(front.windows, handler, urls=["http://localhost:7070/"]) as other:
            rule = other.open_rule("q", BACK)
            call = machine.client().request("GET", "http://localhost:7070/")
            assert (await call.response()).status == 200
            failure = await front.refused()
            assert failure.cause.code == ErrorCode.ERROR_ALREADY_EXISTS
        await front.refused()
        front.proxy.reset_queue("q", BACK)
        assert (await front.get()).status == 200


# -- lost under way ---------------------------------------------------------------------------------------------------

LOST = pytest.mark.parametrize("code", [6807, 6], ids=["OBJECT_NO_LONGER_EXISTS", "INVALID_HANDLE"])


@LOST
async def test_a_lost_queue_is_opened_anew_within_the_request(machine, said, code):
    async with receiving(machine), delegating(machine) as front:
        front.windows.fail("HttpDelegateRequestEx", code)
        assert (await front.get()).status == 200
        assert (front.looked, front.handles) == (2, 1)
        levels, texts = zip(*said(), strict=True)
        assert levels == ("INFO", "DEBUG", "INFO")
        assert texts[1].startswith("queue q is lost: HttpDelegateRequestEx q: ERROR_")
        assert front.outcomes[0].kind is Kind.DELEGATED


@LOST
async def test_a_queue_that_is_lost_twice_is_a_failure(machine, said, code):
    async with receiving(machine), delegating(machine) as front:
        front.windows.fail("HttpDelegateRequestEx", code, times=2)
        failure = await front.refused()
        assert (failure.reason, failure.status, failure.side) == (Reason.REQUEST, 503, Side.DESTINATION)
        assert (failure.cause.code, failure.cause.function) == (code, "HttpDelegateRequestEx")
        assert (front.called("HttpDelegateRequestEx"), front.looked) == (2, 2)
        assert [level for level, _ in said()] == ["INFO", "DEBUG", "INFO", "DEBUG", "ERROR"]
        assert (await front.get()).status == 200


async def test_a_queue_that_is_lost_and_not_there_again_is_no_destination(machine, said):
    async with delegating(machine) as front:
        async with receiving(machine):
            await front.get()
        said()
        failure = await front.refused()
        assert failure.reason is Reason.NO_AVAILABLE_DESTINATIONS
        assert failure.cause.code == ErrorCode.ERROR_FILE_NOT_FOUND
        assert [level for level, _ in said()] == ["INFO", "DEBUG", "INFO"]
        assert (front.looked, front.handles) == (2, 0)


# -- other refusals of HttpDelegateRequestEx --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [2, 5, 22, 50, 87, 4711])
async def test_other_refusals_are_not_tried_again(machine, said, caplog, code):
    async with receiving(machine), delegating(machine) as front:
        front.windows.fail("HttpDelegateRequestEx", code)
        failure = await front.refused()
        assert (failure.reason, failure.status) == (Reason.REQUEST, 503)
        assert str(failure) == f"Request: {Win32Error(code, 'HttpDelegateRequestEx', 'q')}"
        assert front.called("HttpDelegateRequestEx") == 1
        stage = [item for item in caplog.records if item.name == "hostler.stages.delegate"]
        assert [(item.levelname, "queue q" in item.getMessage()) for item in stage] == [("WARNING", True)]
        assert said()[1] == ("ERROR", f"delegating to queue q under {BACK} failed: {failure.detail}")
        assert (await front.get()).status == 200
        assert (front.looked, front.handles) == (1, 1)


@pytest.mark.logs_errors("delegating to queue q .* failed")
async def test_a_prefix_that_the_queue_does_not_have_is_refused(machine):
    async with receiving(machine), delegating(machine, queue("q", "http://localhost:9999/")) as front:
        failure = await front.refused()
        assert (failure.reason, failure.cause.code) == (Reason.REQUEST, ErrorCode.ERROR_FILE_NOT_FOUND)


async def test_a_client_that_is_gone_is_nobodys_fault(machine, said):
    async def leave(exchange, onward):
        clients.pop().disconnect()
        return await onward(exchange)

    async with receiving(machine), delegating(machine, stages=(leave,)) as front:
        clients = [machine.client()]
        call = clients[0].request("GET", FRONT)
        await call.over()
        await machine.until(lambda: front.outcomes)
        failure = front.failure
        assert (failure.reason, failure.side) == (Reason.REQUEST_CANCELED, Side.CLIENT)
        assert failure.cause.code == ErrorCode.ERROR_CONNECTION_INVALID
        assert [level for level, _ in said()] == ["INFO"]


# -- what cannot be delegated any more --------------------------------------------------------------------------------


async def test_a_body_that_was_read_cannot_be_delegated(machine, caplog):
    async def read(exchange, onward):
        await exchange.read()
        return await onward(exchange)

    async with receiving(machine), delegating(machine, stages=(read,)) as front:
        assert (await front.request("POST", "/a", body=b"x").response()).status == 500
        assert "POST /a cannot be delegated: its body was read" in caplog.text
        assert front.called("HttpDelegateRequestEx") == 0


async def test_a_response_that_has_begun_cannot_be_delegated(machine, caplog):
    async def begin(exchange, onward):
        await exchange.start(200, length=10)
        await exchange.write(b"12345")
        return await onward(exchange)

    async with receiving(machine), delegating(machine, stages=(begin,)) as front:
        call = front.request()
        with pytest.raises(ConnectionResetError):
            await call.response()
        assert "GET / cannot be delegated: its response has begun" in caplog.text


async def test_what_was_delegated_cannot_be_answered_or_delegated_again(machine, caplog):
    async def again(exchange, onward):
        outcome = await onward(exchange)
        exchange.stream.write(b"discarded")
        assert not exchange.stream.can_delegate
        return outcome

    async with receiving(machine), delegating(machine, stages=(again,)) as front:
        assert (await front.get()).body == b"hello |/|"
        assert front.called("HttpSendHttpResponse") == 0
    assert not [item for item in caplog.records if item.levelno >= logging.WARNING]


# -- reset ------------------------------------------------------------------------------------------------------------


async def test_a_reset_lets_go_of_the_queue_until_the_next_request(machine, said):
    async with receiving(machine), delegating(machine) as front:
        await front.get()
        assert front.handles == 1
        front.proxy.reset_queue("Q", BACK.upper().replace("HTTP:", "http:"))
        assert front.handles == 0
        assert said()[-1] == ("INFO", f"queue q under {BACK} was reset")
        assert (await front.get()).status == 200
        assert front.looked == 2


@pytest.mark.parametrize(("name", "prefix"), [("other", BACK), ("q", "http://localhost:1/")])
async def test_a_reset_of_what_nobody_names_does_nothing(machine, said, name, prefix):
    async with receiving(machine), delegating(machine) as front:
        await front.get()
        said()
        front.proxy.reset_queue(name, prefix)
        assert said() == []
        assert front.handles == 1

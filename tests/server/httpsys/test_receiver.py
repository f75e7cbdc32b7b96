"""Receiving requests: how many calls wait, what becomes of each, and that none of what they bring is lost."""

import asyncio
import logging
import os

import pytest

from hostler.server.base import QueueMode
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.served import URL
from tests.server.httpsys.ways import Way, every_way, every_way_in_any_order, serving, turns

RECEIVE = "HttpReceiveHttpRequest"
BIG = [("x-big", "b" * 15_800)]
"""A head that HTTP.sys takes and no receive has room for."""


async def path(exchange):
    return await exchange.respond(200, exchange.path)


def by_id(handle, number, *rest):
    return number != 0


def receives(windows):
    return [call for call in windows.calls if call.function == RECEIVE]


async def answers(machine, *paths, headers=()):
    """Ask for each path on a connection of its own; returns the bodies."""
    calls = [machine.client().request("GET", URL + name, headers) for name in paths]
    return [(await call.response()).body.decode() for call in calls]


# -- calls that wait --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "expected"), [(None, 5 * (os.cpu_count() or 1)), (1, 1), (7, 7)])
async def test_so_many_calls_wait_for_requests(machine, count, expected):
    windows = machine.process()
    async with serving(machine, path, windows=windows, receives=count):
        await machine.until(lambda: windows.alive().get("operation") == expected)
        assert await answers(machine, "a", "b") == ["/a", "/b"]
        await machine.until(lambda: windows.alive().get("operation") == expected)


@every_way_in_any_order
async def test_requests_are_received_once_each_into_the_same_buffers(machine, way):
    windows, seen = machine.process(), []

    async def handler(exchange):
        seen.append(exchange.path)
        return await path(exchange)

    async with serving(machine, handler, way, windows=windows, receives=2):
        for round_ in range(5):
            names = [f"{round_}{letter}" for letter in "abcdefg"]
            assert await answers(machine, *names) == [f"/{name}" for name in names]
    assert len(seen) == len(set(seen)) == 35
    assert len({call.arguments[3] for call in receives(windows)}) == 2


@pytest.mark.parametrize("number", [1, 0])
async def test_where_calls_that_are_over_at_once_post_a_packet_too_each_request_comes_once(machine, number):
    windows = machine.process()
    windows.fail("SetFileCompletionNotificationModes", ErrorCode.ERROR_INVALID_FUNCTION)
    async with serving(machine, path, windows=windows, receives=1):
        await turns(number * 5)  # with none, the requests wait for the first receive
        names = [f"r{number}" for number in range(20)]
        assert await answers(machine, *names, headers=BIG) == [f"/{name}" for name in names]


# -- buffers that are too small ---------------------------------------------------------------------------------------


@every_way_in_any_order
async def test_a_head_that_is_larger_than_the_buffer_is_asked_for_by_its_id(machine, way):
    windows, sizes = machine.process(), []

    async def handler(exchange):
        sizes.append(len(exchange.request.headers.get("x-big")))
        return await path(exchange)

    async with serving(machine, handler, way, windows=windows, receives=1):
        await machine.until(windows.alive)
        await machine.until(lambda: receives(windows))
        assert await answers(machine, "pending", headers=BIG) == ["/pending"]
        assert await answers(machine, *"waiting", headers=BIG) == [f"/{name}" for name in "waiting"]
    assert sizes == [15_800] * 8
    results = [(bool(call.arguments[1]), call.result) for call in receives(windows)]
    assert (False, ErrorCode.ERROR_IO_PENDING) in results
    assert (False, ErrorCode.ERROR_MORE_DATA) in results
    assert results.count((True, 0)) == 8


async def test_the_buffer_is_as_large_as_the_option_says(machine):
    windows = machine.process()
    async with serving(machine, path, windows=windows, receives=1, receive_buffer=65536):
        assert await answers(machine, "a", headers=BIG) == ["/a"]
    assert {call.arguments[4] for call in receives(windows)} == {65536}
    assert not any(call.arguments[1] for call in receives(windows))


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("code", [87, 1229, 38])
async def test_a_request_that_is_gone_when_it_is_asked_for_by_its_id_is_passed_over(machine, code, later):
    windows = machine.process()
    async with serving(machine, path, windows=windows, receives=1):
        fault = windows.fail(RECEIVE, code, when=by_id, later=later)
        machine.client().request("GET", URL, BIG)
        assert await answers(machine, "next", headers=BIG) == ["/next"]
        assert fault.times == 0


@pytest.mark.parametrize("later", [False, True])
async def test_what_fails_by_id_for_another_reason_is_tried_again_by_id(machine, later, caplog):
    windows = machine.process()
    async with serving(machine, path, windows=windows, receives=1):
        windows.fail(RECEIVE, ErrorCode.ERROR_NO_SYSTEM_RESOURCES, when=by_id, later=later)
        assert await answers(machine, "a", headers=BIG) == ["/a"]
    assert "out of resources" in caplog.text


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("completion", ["thread", "proactor"])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("code", [ErrorCode.ERROR_CONNECTION_INVALID, ErrorCode.ERROR_NO_SYSTEM_RESOURCES,
                                  ErrorCode.ERROR_OPERATION_ABORTED, 1450, 4711])  # fmt: skip
@pytest.mark.logs_errors("HttpReceiveHttpRequest: .*trying again", sometimes=True)
async def test_a_receive_that_fails_is_made_again(machine, completion, code, later):
    windows = machine.process()
    windows.fail(RECEIVE, code, later=later)
    async with serving(machine, path, Way(completion), windows=windows, receives=1):
        assert await answers(machine, "a") == ["/a"]


async def test_what_goes_on_failing_is_said_once(machine, caplog):
    windows = machine.process()
    fault = windows.fail(RECEIVE, ErrorCode.ERROR_NO_SYSTEM_RESOURCES, times=6)
    async with serving(machine, path, windows=windows, receives=3):
        await machine.until(lambda: not fault.times)
        assert await answers(machine, "a") == ["/a"]
        assert caplog.text.count("trying again") == 1
        windows.fail(RECEIVE, ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
        assert await answers(machine, *"bcdefg") == [f"/{name}" for name in "bcdefg"]
    assert caplog.text.count("trying again") == 2


async def test_a_queue_that_is_no_more_is_said_once_and_not_asked_again(machine, caplog):
    windows = machine.process()
    windows.fail(RECEIVE, ErrorCode.ERROR_INVALID_HANDLE, times=3)
    async with serving(machine, path, windows=windows, receives=3):
        await machine.until(lambda: len(receives(windows)) == 3)
        await turns()
        assert len(receives(windows)) == 3
        assert "operation" not in windows.alive()
    assert caplog.text.count("no more requests are received") == 1


async def test_a_queue_that_is_shut_down_by_somebody_else_receives_no_more(machine, caplog):
    windows = machine.process()
    async with serving(machine, path, windows=windows, receives=3) as server:
        await machine.until(lambda: windows.alive().get("operation") == 3)
        windows.http.HttpShutdownRequestQueue(server._queue.handle)
        await machine.until(lambda: len(receives(windows)) == 6)  # each found out for itself
        await turns()
    assert "no more requests are received" in caplog.text


async def test_a_request_that_cannot_be_taken_costs_its_client_and_nobody_else(machine, monkeypatch, caplog):
    def broken(native):
        monkeypatch.undo()
        raise LookupError("a mistake of ours")

    monkeypatch.setattr("hostler.server.httpsys.server.read_request", broken)
    async with serving(machine, path, receives=1):
        with pytest.raises(ConnectionResetError):
            await machine.client().request("GET", URL).response()
        assert await answers(machine, "a") == ["/a"]
    assert "a mistake of ours" in caplog.text


# -- whose turn it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
async def test_many_waiting_requests_leave_the_loop_its_turns(machine, count):
    handled, steps = [], []

    async def handler(exchange):
        handled.append(exchange.path)
        return await path(exchange)

    async with serving(machine, handler, receives=count):
        calls = [machine.client().request("GET", f"{URL}{number}") for number in range(300)]
        while len(handled) < 300:
            before = len(handled)
            await asyncio.sleep(0)
            steps.append(len(handled) - before)
        for call in calls:
            assert (await call.response()).status == 200
    assert max(steps) <= 17 * count
    assert handled == [f"/{number}" for number in range(300)]


# -- stopping ---------------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("headers", [[], BIG])
async def test_a_request_that_came_before_the_stop_is_served_though_its_packet_comes_after(
    machine, way, named, headers
):
    queue = ("jobs", QueueMode.CREATE) if named else None
    windows = machine.process()
    async with serving(machine, path, way, windows=windows, receives=1, queue=queue) as server:
        await machine.until(lambda: windows.alive().get("operation"))
        machine.hold_packets = True
        call = machine.client().request("GET", URL + "a", headers)
        stopping = asyncio.create_task(server.stop(5))
        await turns()
        machine.hold_packets = False
        machine.release_packets()
        assert (await call.response()).body == b"/a"
        await stopping


@pytest.mark.parametrize("headers", [[], BIG])
@pytest.mark.parametrize("count", [1, 3])
async def test_requests_that_wait_when_the_server_stops_are_served(machine, count, headers):
    async with serving(machine, path, receives=count) as server:
        calls = [machine.client().request("GET", f"{URL}{number}", headers) for number in range(100)]
        await server.stop(5)
        for number, call in enumerate(calls):
            assert (await call.response()).body == b"/%d" % number


async def test_a_handler_that_stops_the_server_has_the_requests_after_it_served(machine):
    stopping = []

    async def handler(exchange):
        if not stopping:
            stopping.append(asyncio.create_task(server.stop(5)))
            await asyncio.sleep(0)
        return await path(exchange)

    async with serving(machine, handler, receives=1) as server:
        assert await answers(machine, *"abcdefghijklmnopqrstuvwxyz") == [
            f"/{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"
        ]
        await stopping[0]


async def test_a_receive_that_fails_while_stopping_is_not_made_again(machine, caplog):
    windows = machine.process()
    async with serving(machine, path, windows=windows, receives=2):
        windows.fail(RECEIVE, ErrorCode.ERROR_NO_SYSTEM_RESOURCES, times=2)
    assert len(receives(windows)) == 2
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.logs_errors("HttpReceiveHttpRequest: .*trying again")
async def test_a_receive_that_waits_to_be_made_again_does_not_keep_the_server_from_stopping(machine):
    windows = machine.process()
    fault = windows.fail(RECEIVE, ErrorCode.ERROR_NO_SYSTEM_RESOURCES, times=2)
    async with serving(machine, path, windows=windows, receives=2) as server:
        await machine.until(lambda: not fault.times)
        async with asyncio.timeout(1):
            await server.stop(60)

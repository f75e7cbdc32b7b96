"""Listening on more, what cannot be listened on, and stopping."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest

from hostler.errors import ListenError
from tests.server.contract.abilities import needs
from tests.server.contract.clients import BROKEN, Client, visitor
from tests.server.contract.machines import free_port


async def is_served(url):
    """Whether anybody answers at a URL."""
    async with visitor() as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx.TransportError:
            return False


# -- listening --------------------------------------------------------------------------------------------------------


async def test_port_0_picks_a_free_port(machine):
    one = await machine.serve("hello")
    other = await machine.serve("hello")
    ports = {httpx.URL(node.urls[0]).port for node in (one, other)}
    assert len(ports) == 2
    assert 0 not in ports
    assert await is_served(one.urls[0])
    assert await is_served(other.urls[0])


async def test_a_server_may_listen_nowhere(machine):
    node = await machine.serve("hello", [])
    assert node.urls == []


@needs("several prefixes")
async def test_more_can_be_listened_on_while_running(machine):
    node = await machine.serve("hello")
    (more,) = await node.listen([f"{machine.scheme}://127.0.0.1:0/more/"])
    async with visitor() as client:
        assert (await client.get(node.urls[0])).text == "hello |/"
        assert (await client.get(f"{more}x")).text == "hello /more|/x"


@needs("several prefixes")
async def test_more_paths_of_one_port_can_be_listened_on_while_running(machine):
    port = free_port()
    node = await machine.serve("hello", [f"{machine.scheme}://127.0.0.1:{port}/a/"])
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get("/a/x")).body == b"hello /a|/x"
        await node.listen(
            [f"{machine.scheme}://127.0.0.1:{port}/b/", f"{machine.scheme}://127.0.0.1:{port}/a/deep/"]
        )
        assert (await client.get("/b/x")).body == b"hello /b|/x"
        assert (await client.get("/a/deep/x")).body == b"hello /a/deep|/x"
        assert (await client.get("/a/x")).body == b"hello /a|/x"


@needs("several prefixes")
async def test_many_prefixes_can_be_listened_on_at_once(machine):
    urls = [f"{machine.scheme}://127.0.0.1:{free_port()}/{number}/" for number in range(6)]
    node = await machine.serve("hello", urls)
    assert node.urls == urls
    for number, url in enumerate(urls):
        async with visitor() as client:
            assert (await client.get(url)).text == f"hello /{number}|/"


@needs("several prefixes")
async def test_a_port_that_another_program_has_is_an_error_and_nothing_is_listened_on(machine):
    node = await machine.serve("hello")
    free = f"{machine.scheme}://127.0.0.1:{free_port()}/"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"{machine.scheme}://127.0.0.1:{other.getsockname()[1]}/"
        with pytest.raises(ListenError, match=taken):
            await node.listen([free, taken])
    assert not await is_served(free)
    assert await is_served(node.urls[0])
    assert await node.listen([free]) == [free]
    assert await is_served(free)


@needs("several prefixes")
async def test_a_prefix_that_another_server_has_is_an_error_and_nothing_is_listened_on(machine):
    first, second = await machine.serve("hello"), await machine.serve("facts")
    free = f"{machine.scheme}://127.0.0.1:{free_port()}/"
    with pytest.raises(ListenError, match=first.urls[0]):
        await second.listen([free, first.urls[0]])
    assert not await is_served(free)
    async with visitor() as client:
        assert (await client.get(first.urls[0])).text == "hello |/"


@needs("several prefixes")
@pytest.mark.parametrize("again", ["{}://127.0.0.1:{}/a/", "{}://127.0.0.1:{}/A/"])
async def test_a_prefix_that_the_server_itself_has_is_an_error_and_nothing_is_listened_on(machine, again):
    port = free_port()
    node = await machine.serve("hello", [f"{machine.scheme}://127.0.0.1:{port}/a/"])
    free = f"{machine.scheme}://127.0.0.1:{free_port()}/"
    with pytest.raises(ListenError):
        await node.listen([free, again.format(machine.scheme, port)])
    assert not await is_served(free)
    assert await is_served(node.urls[0])
    assert await node.listen([free]) == [free]
    assert await is_served(free)


@needs("address check")
async def test_an_address_that_is_not_ours_is_an_error(machine):
    node = await machine.serve("hello", [])
    with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
        await node.listen(["http://192.0.2.1:5080/"])


# -- stopping ---------------------------------------------------------------------------------------------------------


async def test_a_server_that_stopped_serves_no_more_and_frees_its_prefixes(machine):
    node = await machine.serve("hello")
    assert await is_served(node.urls[0])
    await node.stop(0.0)
    assert not await is_served(node.urls[0])
    again = await machine.serve("facts", node.urls)
    assert await is_served(again.urls[0])


async def test_a_server_may_be_stopped_again(machine):
    node = await machine.serve("hello")
    for _ in range(3):
        await node.stop(0.0)


async def test_a_server_that_never_listened_can_be_stopped(machine):
    node = await machine.serve("hello", [])
    await node.stop(1.0)


async def test_requests_under_way_are_finished(machine):
    node = await machine.serve("held")
    async with await Client.connect(node.urls[0]) as one, await Client.connect(node.urls[0]) as other:
        for client in (one, other):
            await client.send(client.request("GET", "/x"))
            await node.reported("held")
        stopping = asyncio.create_task(node.stop(10.0))
        await asyncio.sleep(0)
        assert not stopping.done()
        await node.open("go on")
        assert [(await client.answer()).body for client in (one, other)] == [b"held /x"] * 2
        await stopping


async def test_responses_under_way_are_finished(machine):
    node = await machine.serve("half")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/?then=end"))
        await node.reported("half")
        stopping = asyncio.create_task(node.stop(10.0))
        await node.open("go on")
        assert (await client.answer()).body == b"half"
        await stopping


@needs("unmatched requests")
async def test_no_new_requests_are_taken_while_stopping(machine):
    node = await machine.serve("held")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/old"))
        await node.reported("held")
        stopping = asyncio.create_task(node.stop(10.0))
        while await _answers(node.urls[0]):  # noqa: ASYNC110 - a server in another process hears of it later
            await asyncio.sleep(0)
        await node.open("go on")
        assert (await client.answer()).body == b"held /old"
        await stopping


async def _answers(url):
    """Whether a new client gets anything but a refusal; a request that is taken is given up."""
    try:
        async with await Client.connect(url) as client:
            await client.send(client.request("GET", "/new"))
            async with asyncio.timeout(1):
                return (await client.answer()).status != 503
    except BROKEN:
        return False
    except TimeoutError:
        return True


@needs("broken responses")
async def test_requests_that_outlast_their_grace_are_aborted_and_their_handlers_cancelled(machine):
    node = await machine.serve("held")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/x"))
        await node.reported("held")
        await node.stop(0.05)
        await node.reported("cancelled")
        with pytest.raises(BROKEN):
            assert (await client.answer()).status == 503
            raise EOFError


@needs("broken responses")
async def test_responses_that_outlast_their_grace_cannot_be_taken_for_complete(machine):
    node = await machine.serve("half")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/"))
        await node.reported("half")
        await node.stop(0.05)
        with pytest.raises(BROKEN):
            await client.answer()


@needs("unmatched requests")
async def test_idle_connections_do_not_hold_up_the_stop_and_are_served_no_more(machine):
    node = await machine.serve("hello")
    async with await Client.connect(node.urls[0]) as idle, await Client.connect(node.urls[0]) as used:
        assert (await used.get("/")).status == 200
        await node.stop(10.0)
        for client in (idle, used):
            with contextlib.suppress(*BROKEN):
                assert (await client.get("/")).status in {400, 404, 503}


async def test_handlers_that_would_go_on_for_long_are_told(machine):
    node = await machine.serve("long_poll")
    async with await Client.connect(node.urls[0]) as client:
        await client.send(client.request("GET", "/"))
        await node.reported("polling")
        stopping = asyncio.create_task(node.stop(10.0))
        assert (await client.answer()).body == b"begun ended"
        await stopping

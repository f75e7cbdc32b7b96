"""Named queues: who may open one how, and who gets its requests."""

from __future__ import annotations

import asyncio

import pytest

from hostler.errors import NoSuchQueueError, QueueExistsError, QueueNameError
from tests.server.contract.abilities import needs
from tests.server.contract.clients import Client
from tests.server.contract.machines import free_port

pytestmark = needs("named queues")


# -- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["create", "create-or-attach"])
async def test_a_queue_is_made_when_there_is_none(machine, mode):
    node = await machine.serve("hello", [], queue="q", mode=mode)
    with pytest.raises(QueueExistsError):
        await machine.serve("hello", [], queue="q", mode="create")
    await node.stop(0.0)
    with pytest.raises(NoSuchQueueError):
        await machine.serve("hello", [], queue="q", mode="attach")


@pytest.mark.parametrize("mode", ["attach", "create-or-attach"])
async def test_a_queue_is_joined_when_there_is_one(machine, mode):
    await machine.serve("hello", [], queue="q", mode="create")
    await machine.serve("hello", [], queue="q", mode=mode)


async def test_a_queue_that_is_not_there_cannot_be_joined(machine):
    with pytest.raises(NoSuchQueueError, match="nobody"):
        await machine.serve("hello", [], queue="nobody", mode="attach")


async def test_a_queue_that_is_there_cannot_be_made(machine):
    await machine.serve("hello", [], queue="taken")
    with pytest.raises(QueueExistsError, match="taken"):
        await machine.serve("hello", [], queue="taken", mode="create")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "x" * 261, "a\0b"])
@pytest.mark.parametrize("mode", ["create", "attach", "create-or-attach"])
async def test_what_is_no_name_is_no_queue(machine, name, mode):
    with pytest.raises(QueueNameError):
        await machine.serve("hello", [], queue=name, mode=mode)


async def test_a_server_that_was_refused_a_queue_can_have_another(machine):
    await machine.serve("hello", [], queue="q")
    node = await machine.serve("hello", [])
    with pytest.raises(QueueExistsError):
        await node.join("q", "create")
    assert await node.join("other", "create") == "other"
    url = f"{machine.scheme}://127.0.0.1:{free_port()}/"
    assert await node.listen([url]) == [url]
    async with await Client.connect(url) as client:
        assert (await client.get("/")).status == 200


async def test_a_queue_lasts_as_long_as_anybody_has_it(machine):
    first = await machine.serve("hello", [], queue="q", mode="create")
    second = await machine.serve("hello", [], queue="q", mode="attach")
    await first.stop(0.0)
    with pytest.raises(QueueExistsError):
        await machine.serve("hello", [], queue="q", mode="create")
    await second.stop(0.0)
    await machine.serve("hello", [], queue="q", mode="create")


async def test_a_queue_that_is_closed_is_free(machine):
    node = await machine.serve("hello", [], queue="q", mode="create")
    await node.leave()
    await machine.serve("hello", [], queue="q", mode="create")


@needs("another process")
@pytest.mark.logs_errors("the request queue was closed", sometimes=True)
async def test_queues_are_for_all_processes(machine):
    away = await machine.serve("hello", [], queue="q", mode="create", apart=True)
    with pytest.raises(QueueExistsError):
        await machine.serve("hello", [], queue="q", mode="create")
    with pytest.raises(QueueExistsError):
        await machine.serve("hello", [], queue="q", mode="create", apart=True)
    await away.kill()
    with pytest.raises(NoSuchQueueError):
        await machine.serve("hello", [], queue="q", mode="attach")
    await machine.serve("hello", [], queue="q", mode="create", apart=True)


# -- listening with a queue -------------------------------------------------------------------------------------------


async def test_a_server_with_a_queue_listens_as_well(machine):
    node = await machine.serve("hello", queue="q")
    async with await Client.connect(node.urls[0]) as client:
        assert (await client.get("/x")).body == b"hello |/x"


async def test_closing_a_queue_finishes_what_is_under_way(machine):
    node = await machine.serve("held", queue="q")
    sender = await machine.serve("delegating")
    await sender.open_rule("d", "q", node.urls[0])
    async with await Client.connect(sender.urls[0]) as client:
        await client.send(client.request("GET", "/d"))
        await node.reported("held")
        leaving = asyncio.create_task(node.leave())
        await asyncio.sleep(0)
        assert not leaving.done()
        await node.open("go on")
        assert (await client.answer()).body == b"held /d"
        await leaving

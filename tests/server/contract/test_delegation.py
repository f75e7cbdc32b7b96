"""Delegation: rules, what travels, who answers, and what happens when nobody does."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.server.contract.abilities import needs
from tests.server.contract.clients import BROKEN, Client, chunked
from tests.server.contract.machines import free_port

pytestmark = needs("named queues", "delegation")


async def receiving(machine, handler, *, queue="q", path="/", **options):
    """Start a server that answers from a queue; it listens on the prefix that it is delegated to under."""
    return await machine.serve(
        handler, [f"{machine.scheme}://127.0.0.1:{free_port()}{path}"], queue=queue, **options
    )


async def delegation(machine, handler, *, path="/", **options):
    """Start a receiver with that handler, and a sender that delegates everything under /d to it."""
    receiver = await receiving(machine, handler, path=path, **options)
    sender = await machine.serve("delegating")
    await sender.open_rule("d", "q", receiver.urls[0])
    return sender, receiver


def client_of(node):
    return Client.connect(node.urls[0])


async def failed(node):
    """Check that the last delegation failed for want of a destination."""
    outcome = await node.reported("outcome")
    assert (outcome["kind"], outcome["status"], outcome["queue"]) == ("FAILED", 503, "q")
    assert outcome["failure"] in {"NO_AVAILABLE_DESTINATIONS", "REQUEST"}


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "apart", [False, pytest.param(True, marks=needs("another process"))], ids=["here", "apart"]
)
async def test_a_delegated_request_is_answered_by_the_other(machine, apart):
    sender, _ = await delegation(machine, "hello", apart=apart)
    assert await sender.can_delegate()
    async with await client_of(sender) as client:
        for number in range(3):
            answer = await client.get(f"/d/{number}")
            assert (answer.status, answer.body) == (200, f"hello |/d/{number}".encode())
        assert (await client.get("/here")).body == b"here"


async def test_the_outcome_says_where_a_request_went(machine):
    sender, _ = await delegation(machine, "hello")
    async with await client_of(sender) as client:
        await client.get("/d")
    outcome = await sender.reported("outcome")
    assert (outcome["kind"], outcome["queue"], outcome["failure"]) == ("DELEGATED", "q", None)
    assert outcome["status"] in {0, 200}


@needs("delegation report")
async def test_the_outcome_says_what_became_of_it(machine):
    sender, _ = await delegation(machine, "echo")
    async with await client_of(sender) as client:
        await client.ask("POST", "/d", body=b"x" * 1000)
    outcome = await sender.reported("outcome")
    assert (outcome["status"], outcome["received"], outcome["sent"]) == (200, 1000, 1000)


async def test_the_other_sees_the_request_as_it_came(machine):
    sender, _ = await delegation(machine, "facts")
    async with await client_of(sender) as client:
        lines = ["X-Own: 1", "User-Agent: contract"]
        answer = await client.ask("PROPFIND", "/d/caf%C3%A9?q=%20", *lines)
        facts = httpx.Response(200, content=answer.body).json()
        assert (facts["method"], facts["target"]) == ("PROPFIND", "/d/caf%C3%A9?q=%20")
        assert (facts["path"], facts["query"], facts["scheme"]) == ("/d/café", "q=%20", machine.scheme)
        found = {name.lower(): value for name, value in facts["headers"]}
        assert (found["x-own"], found["user-agent"]) == ("1", "contract")
        assert found["host"] == client.authority
        assert facts["client"] == list(client.socket.getsockname())
        assert facts["server"] == list(client.socket.getpeername())


@needs("encryption")
async def test_the_other_sees_how_it_is_encrypted(machine):
    sender, _ = await delegation(machine, "facts")
    async with await client_of(sender) as client:
        facts = httpx.Response(200, content=(await client.get("/d")).body).json()
        assert (facts["scheme"], facts["tls"]) == ("https", "TLSv1.3")


async def test_the_authority_of_an_absolute_form_is_the_host_to_both(machine):
    sender, _ = await delegation(machine, "facts")
    async with await client_of(sender) as client:
        answer = await client.get(f"http://{client.authority}/d", host="b.example")
        facts = httpx.Response(200, content=answer.body).json()
        assert f"{facts['host']}:{facts['port']}" == client.authority
        hosts = [value for name, value in facts["headers"] if name.lower() == "host"]
        assert hosts == [client.authority]


@needs("delegated changes")
async def test_the_other_sees_what_stages_made_of_the_request(machine):
    sender, _ = await delegation(machine, "facts")
    async with await client_of(sender) as client:
        answer = await client.get("/d?user=me", "X-User: evil", "Kept: 1")
        found = {
            name.lower(): value for name, value in httpx.Response(200, content=answer.body).json()["headers"]
        }
        assert (found["x-user"], found["kept"]) == ("me", "1")


@needs("delegated changes")
async def test_the_other_sees_what_the_proxy_says_of_the_client(machine):
    sender, _ = await delegation(machine, "facts")
    async with await client_of(sender) as client:
        lines = ["X-Forwarded-For: evil", "x-forwarded-prefix: /evil", "Forwarded: for=evil", "Keep-Alive: 5"]
        for given in ([], lines):
            answer = await client.get("/d", *given)
            headers = httpx.Response(200, content=answer.body).json()["headers"]
            assert [[name, value] for name, value in headers if "orwarded" in name] == [
                ["X-Forwarded-For", "127.0.0.1"],
                ["X-Forwarded-Host", client.authority],
                ["X-Forwarded-Proto", machine.scheme],
            ]


async def test_the_prefix_of_the_rule_is_cut_from_the_path(machine):
    sender, _ = await delegation(machine, "hello", path="/d/deep/")
    async with await client_of(sender) as client:
        assert (await client.get("/d/deep/x")).body == b"hello /d/deep|/x"
        assert (await client.get("/d/DEEP/x")).body == b"hello /d/DEEP|/x"


@needs("answer headers")
async def test_headers_for_the_answer_travel_along(machine):
    sender, _ = await delegation(machine, "hello")
    async with await client_of(sender) as client:
        assert (await client.get("/d?add=affinity")).get("x-added") == "affinity"
        assert (await client.get("/d")).get("x-added") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["status=200&size=5", "status=204", "status=304", "status=404&size=70000"])
async def test_answers_of_all_kinds_come_through(machine, method, query):
    sender, _ = await delegation(machine, "answer")
    async with await client_of(sender) as client:
        for _ in range(2):
            answer = await client.ask(method, f"/d?{query}")
            wanted = dict(item.split("=") for item in query.split("&"))
            assert answer.status == int(wanted["status"])
            assert len(answer.body) == (int(wanted.get("size", 0)) if method == "GET" else 0)


async def test_an_answer_in_chunks_comes_through(machine):
    sender, _ = await delegation(machine, "pieces")
    async with await client_of(sender) as client:
        for _ in range(2):
            answer = await client.get("/d")
            assert (answer.get("transfer-encoding"), answer.body) == ("chunked", b"000011112222")


async def test_a_large_answer_comes_through_to_a_slow_client(machine):
    sender, receiver = await delegation(machine, "river")
    async with await Client.connect(sender.urls[0], receive_buffer=1 << 16) as client:
        await client.send(client.request("GET", "/d?count=512"))
        await receiver.reported("paused")
        assert len((await client.answer()).body) == 512 << 16
        assert (await client.get("/here")).body == b"here"


@pytest.mark.logs_errors("failed in the handler", sometimes=True)
async def test_a_handler_that_fails_at_the_other_is_a_500(machine):
    sender, _ = await delegation(machine, "raises")
    async with await client_of(sender) as client:
        assert (await client.get("/d")).status == 500
        assert (await client.get("/here")).status == 200


async def test_a_delegated_answer_that_is_given_up_cannot_be_taken_for_complete(machine):
    sender, receiver = await delegation(machine, "half")
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d?then=abort"))
        await receiver.reported("half")
        await receiver.open("go on")
        with pytest.raises(BROKEN):
            await client.answer()


async def test_delegated_requests_and_others_alternate_on_a_connection(machine):
    sender, _ = await delegation(machine, "hello")
    async with await client_of(sender) as client:
        paths = ["/d/1", "/2", "/d/3", "/d/4", "/5"] * 5
        await client.send(b"".join(client.request("GET", path) for path in paths))
        for path in paths:
            expected = f"hello |{path}".encode() if path.startswith("/d") else b"here"
            assert (await client.answer()).body == expected


async def test_many_delegated_requests_at_once(machine):
    sender, _ = await delegation(machine, "hello")

    async def ask(number):
        async with await client_of(sender) as client:
            return [(await client.get(f"/d/{number}/{turn}")).body for turn in range(4)]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(number)) for number in range(12)]
    for number, task in enumerate(tasks):
        assert task.result() == [f"hello |/d/{number}/{turn}".encode() for turn in range(4)]


# -- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_the_body_of_a_delegated_request_is_untouched(machine, size, framing):
    sender, _ = await delegation(machine, "echo")
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    async with await client_of(sender) as client:
        for _ in range(2):
            if framing == "length":
                data = client.request("POST", "/d", body=body)
            else:
                pieces = [body[at : at + 70_000] for at in range(0, size, 70_000)]
                data = client.request("POST", "/d", "Transfer-Encoding: chunked") + chunked(*pieces)
            sending = asyncio.create_task(client.send(data))
            assert (await client.answer()).body == body
            await sending
            assert (await client.get("/here")).body == b"here"


async def test_100_continue_is_the_others_to_send(machine):
    sender, _ = await delegation(machine, "echo")
    async with await client_of(sender) as client:
        await client.send(client.request("POST", "/d", "Expect: 100-continue", "Content-Length: 5"))
        assert (await client.head())[0] == 100
        await client.send(b"first")
        assert (await client.answer()).body == b"first"


async def test_a_delegated_upgrade_carries_bytes_both_ways(machine):
    sender, _ = await delegation(machine, "shouting")
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d", "Connection: upgrade", "Upgrade: shouting"))
        assert (await client.head())[0] == 101
        for word in (b"over", b"there"):
            await client.send(word)
            assert await client.until(word.upper()) == word.upper()


async def test_the_other_learns_that_the_client_is_gone(machine):
    sender, receiver = await delegation(machine, "patient")
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d"))
        await receiver.reported("waiting")
        client.reset()
        assert await receiver.reported("gone") == {"side": "CLIENT"}


# -- what cannot be delegated any more --------------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["body", "response"])
async def test_what_was_begun_here_cannot_be_delegated(machine, after):
    receiver = await receiving(machine, "echo")
    sender = await machine.serve("too_late")
    await sender.open_rule("d", "q", receiver.urls[0])
    async with await client_of(sender) as client:
        answer = await client.ask("POST", f"/?after={after}", body=b"data")
        assert (answer.status, answer.body) == (200, b"myself")
    refused = await sender.reported("refused")
    assert refused["possible"] is False
    assert "cannot be delegated" in refused["error"]


async def test_a_request_is_delegated_once(machine):
    receiver = await receiving(machine, "echo")
    sender = await machine.serve("too_late")
    await sender.open_rule("d", "q", receiver.urls[0])
    async with await client_of(sender) as client:
        assert (await client.ask("POST", "/?after=delegation", body=b"data")).body == b"data"
    assert (await sender.reported("refused"))["possible"] is False


# -- rules ------------------------------------------------------------------------------------------------------------


async def test_a_rule_may_be_opened_before_there_is_a_queue(machine):
    url = f"{machine.scheme}://127.0.0.1:{free_port()}/"
    sender = await machine.serve("delegating")
    assert await sender.open_rule("d", "q", url) == ["q", url]
    async with await client_of(sender) as client:
        for _ in range(2):
            assert (await client.get("/d")).status == 503
            await failed(sender)
        await machine.serve("hello", [url], queue="q")
        assert (await client.get("/d")).body == b"hello |/d"


async def test_two_prefixes_of_one_queue_are_two_rules(machine):
    port = free_port()
    receiver = await machine.serve(
        "hello",
        [f"{machine.scheme}://127.0.0.1:{port}/one/", f"{machine.scheme}://127.0.0.1:{port}/two/"],
        queue="q",
    )
    sender = await machine.serve("delegating")
    for name, url in zip(("one", "two"), receiver.urls, strict=True):
        await sender.open_rule(name, "q", url)
    assert not await sender.is_same_rule("one", "two")
    async with await client_of(sender) as client:
        assert (await client.get("/one/x")).body == b"hello /one|/x"
        assert (await client.get("/two/x")).body == b"hello /two|/x"
        await sender.close_rule("one")
        assert (await client.get("/two/x")).body == b"hello /two|/x"
        assert (await client.get("/one/x")).body == b"here"


async def test_a_rule_is_shared_and_counted(machine):
    sender, receiver = await delegation(machine, "hello")
    assert await sender.open_rule(
        "D", "Q", receiver.urls[0].upper().replace(machine.scheme.upper(), machine.scheme)
    )
    assert await sender.is_same_rule("d", "D")
    async with await client_of(sender) as client:
        await client.get("/d")
        await sender.close_rule("D")
        assert (await client.get("/d")).body == b"hello |/d"
        await sender.open_rule("again", "q", receiver.urls[0])
        assert await sender.is_same_rule("d", "again")
        await sender.close_rule("again")
        await sender.close_rule("d")
        await sender.open_rule("d", "q", receiver.urls[0])
        assert (await client.get("/d")).body == b"hello |/d"


async def test_a_rule_that_was_reset_opens_its_queue_anew(machine):
    sender, _ = await delegation(machine, "hello")
    async with await client_of(sender) as client:
        for _ in range(3):
            assert (await client.get("/d")).body == b"hello |/d"
            await sender.reset_rule("d")


async def test_a_reset_does_not_disturb_requests_under_way(machine):
    sender, receiver = await delegation(machine, "held")
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d"))
        await receiver.reported("held")
        await sender.reset_rule("d")
        await receiver.open("go on")
        assert (await client.answer()).body == b"held /d"


async def test_a_sender_that_stops_gives_its_rules_back(machine):
    sender, receiver = await delegation(machine, "hello")
    async with await client_of(sender) as client:
        await client.get("/d")
    await sender.stop(1.0)
    await sender.close_rule("d")
    again = await machine.serve("delegating")
    await again.open_rule("d", "q", receiver.urls[0])
    async with await client_of(again) as client:
        assert (await client.get("/d")).body == b"hello |/d"


# -- queues that come and go ------------------------------------------------------------------------------------------


@pytest.mark.logs_errors("delegating to queue q .* failed", sometimes=True)
async def test_a_queue_that_goes_away_is_503_and_one_that_comes_back_is_found(machine):
    sender, receiver = await delegation(machine, "hello")
    async with await client_of(sender) as client:
        for _ in range(2):
            assert (await client.get("/d")).body == b"hello |/d"
            await sender.reported("outcome")
            await receiver.stop(1.0)
            assert (await client.get("/d")).status == 503
            await failed(sender)
            receiver = await machine.serve("hello", receiver.urls, queue="q")


@pytest.mark.parametrize("mode", [pytest.param("create", marks=needs("detached queues")), "create-or-attach"])
async def test_a_receiver_may_be_restarted_between_two_requests(machine, mode):
    sender, receiver = await delegation(machine, "hello", mode=mode)
    async with await client_of(sender) as client:
        for _ in range(3):
            assert (await client.get("/d")).body == b"hello |/d"
            await sender.reported("outcome")
            await receiver.stop(1.0)
            receiver = await machine.serve("hello", receiver.urls, queue="q", mode=mode)
        assert (await client.get("/here")).body == b"here"


async def test_a_receiver_may_make_its_queue_anew_after_a_reset(machine):
    sender, receiver = await delegation(machine, "hello", mode="create")
    async with await client_of(sender) as client:
        for _ in range(3):
            assert (await client.get("/d")).body == b"hello |/d"
            await sender.reported("outcome")
            await receiver.stop(1.0)
            await sender.reset_rule("d")
            receiver = await machine.serve("hello", receiver.urls, queue="q", mode="create")


@needs("another process")
@pytest.mark.logs_errors("delegating to queue q .* failed", sometimes=True)
async def test_a_receiver_that_was_killed_may_be_restarted(machine):
    sender, receiver = await delegation(machine, "hello", apart=True)
    async with await client_of(sender) as client:
        for _ in range(2):
            assert (await client.get("/d")).body == b"hello |/d"
            await sender.reported("outcome")  # it is over for everybody
            await receiver.kill()
            assert (await client.get("/d")).status == 503
            await failed(sender)
            receiver = await machine.serve("hello", receiver.urls, queue="q", apart=True)
        assert (await client.get("/d")).body == b"hello |/d"


@needs("another process")
async def test_a_receiver_that_is_killed_in_the_middle_of_its_answer_is_a_broken_response(machine):
    sender, receiver = await delegation(machine, "half", apart=True)
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d"))
        await receiver.reported("half")
        await receiver.kill()
        with pytest.raises(BROKEN):
            await client.answer()
    async with await client_of(sender) as client:
        assert (await client.get("/here")).body == b"here"


@needs("another process")
async def test_the_members_of_a_queue_stand_in_for_one_another(machine):
    sender, _ = await delegation(machine, "hello", apart=True)
    for end in ("stop", "kill"):
        other = await machine.serve("hello", [], queue="q", mode="attach", apart=True)
        async with await client_of(sender) as client:
            for _ in range(4):
                assert (await client.get("/d")).body == b"hello |/d"
                await sender.reported("outcome")
            await (other.kill() if end == "kill" else other.stop(1.0))
            for _ in range(4):
                assert (await client.get("/d")).body == b"hello |/d"
                await sender.reported("outcome")


async def test_a_receiver_that_stops_finishes_what_it_has(machine):
    sender, receiver = await delegation(machine, "held")
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d"))
        await receiver.reported("held")
        stopping = asyncio.create_task(receiver.stop(10.0))
        await asyncio.sleep(0)
        await receiver.open("go on")
        assert (await client.answer()).body == b"held /d"
        await stopping


@needs("delegation report")
async def test_a_sender_that_stops_waits_for_what_it_delegated(machine):
    sender, receiver = await delegation(machine, "held")
    async with await client_of(sender) as client:
        await client.send(client.request("GET", "/d"))
        await receiver.reported("held")
        stopping = asyncio.create_task(sender.stop(10.0))
        await asyncio.sleep(0)
        assert not stopping.done()
        await receiver.open("go on")
        assert (await client.answer()).body == b"held /d"
        await stopping

"""Copies of requests for another cluster: what it gets, and that the original does not notice."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from hostler import Cluster, ConfigError, Proxy, Route, queue, request_transform, response_transform, serving
from hostler.config.definitions import Definitions, RetryDefinition
from hostler.config.limits import ConcurrencyDefinition
from hostler.config.model import Mirror
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.stages.mirror import MirrorStage
from hostler.stages.mirror import mirror as in_default_pipeline
from tests.client.peers import OK, answering, connected, destination, until
from tests.stages.test_retry import BUSY, taking


@asynccontextmanager
async def mirrored(
    original,
    copy,
    *,
    transforms=(),
    stages=(),
    behind=(),
    randomness=None,
    retry=None,
    at_once=None,
    **settings,
):
    """Serve a proxy that sends everything to one address, and copies to another; gives a connected client.

    With `retry`, the definition of a policy, requests are sent again; `at_once` limits copies.
    """
    pipeline = DEFAULT_PIPELINE
    if randomness is not None:
        stage = MirrorStage(randomness)
        pipeline = [stage if item is in_default_pipeline else item for item in pipeline]
    proxy = Proxy(
        [
            Route(
                "/{**rest}",
                "shop",
                mirror=Mirror("shadow", **settings),
                transforms=transforms,
                retry_policy="again" if retry else "",
            )
        ],
        [Cluster("shop", [original]), Cluster("shadow", [copy], destination_concurrency=at_once)],
        definitions=Definitions(retries={"again": retry} if retry else {}),
        pipeline=[*stages, *pipeline[:-1], *behind, pipeline[-1]],
    )
    async with serving(proxy) as served, connected(served.url) as client:
        yield client


def request(method="GET", headers="", body=b""):
    return f"{method} /a?b=c HTTP/1.1\r\nHost: shop.example\r\n{headers}\r\n".encode() + body


async def test_a_copy_is_the_same_request():
    heads = []

    async def script(peer):
        while True:
            heads.append(await peer.head())
            peer.send(OK)

    async with (
        destination(answering(OK)) as there,
        destination(script) as shadow,
        mirrored(there.address, shadow.address) as client,
    ):
        client.send(request(headers="X-Tenant: blue\r\n"))
        assert (await client.answer()).body == b"ok"
        await until(lambda: heads)
    (head,) = heads
    assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"X-Tenant: blue\r\n" in head
    assert b"X-Forwarded-Host: shop.example\r\n" in head


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_copy_has_the_body(chunked):
    copies = []
    body = b"x" * 5000
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    headers = "Transfer-Encoding: chunked\r\n" if chunked else "Content-Length: 5000\r\n"
    async with (
        destination(taking([], OK)) as there,
        destination(taking(copies, OK)) as shadow,
        mirrored(there.address, shadow.address) as client,
    ):
        client.send(request("POST", headers, sent))
        assert (await client.answer()).status == 200
        await until(lambda: copies)
    assert copies == [body]


@pytest.mark.parametrize("chunked", [False, True])
async def test_what_is_copied_and_tried_again_reaches_each_destination_once(chunked):
    copies, tries = [], []
    body = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    headers = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {len(body)}\r\n"

    async def script(peer):
        await peer.head()
        piece = b""
        while len(piece) < len(sent):
            piece += await peer.some()
        tries.append(piece)
        peer.send(BUSY if len(tries) == 1 else OK)

    async with (
        destination(script) as there,
        destination(taking(copies, OK)) as shadow,
        mirrored(there.address, shadow.address, retry=RetryDefinition(statuses=[503])) as client,
    ):
        client.send(request("PUT", headers, sent))
        assert (await client.answer()).status == 200
        await until(lambda: copies)
    assert (tries, copies) == ([sent, sent], [body])


async def test_a_copy_has_what_transforms_make_of_requests():
    heads, answered = [], []

    async def script(peer):
        heads.append(await peer.head())
        peer.send(OK)
        await peer.rest()

    @request_transform
    def name(context):
        context.headers.set("X-User", context.exchange.items["user"])

    @response_transform
    def note(context):
        answered.append(context.exchange)

    async def log_in(exchange, onward):
        exchange.items["user"] = "ada"
        return await onward(exchange)

    async with (
        destination(answering(OK)) as there,
        destination(script) as shadow,
        mirrored(
            there.address, shadow.address, transforms=[{"PathPrefix": "/v2"}, name, note], stages=[log_in]
        ) as client,
    ):
        client.send(request(headers="X-User: eve\r\n"))
        assert (await client.answer()).status == 200
        await until(lambda: heads)
    (head,) = heads
    assert head.startswith(b"GET /v2/a?b=c HTTP/1.1\r\n")
    assert b"X-User: ada\r\n" in head
    assert b"eve" not in head
    assert len(answered) == 1


async def test_a_copy_whose_body_is_too_large_is_left_out():
    copies = []
    async with (
        destination(taking([], OK)) as there,
        destination(taking(copies, OK)) as shadow,
        mirrored(there.address, shadow.address, max_body_size=10) as client,
    ):
        client.send(request("POST", "Content-Length: 11\r\n", b"x" * 11))
        assert (await client.answer()).status == 200
        client.send(request("POST", "Transfer-Encoding: chunked\r\n", b"b\r\n12345678901\r\n0\r\n\r\n"))
        assert (await client.answer()).status == 200
        client.send(request("POST", "Content-Length: 10\r\n", b"x" * 10))
        assert (await client.answer()).status == 200
        await until(lambda: copies)
    assert copies == [b"x" * 10]


async def test_the_original_waits_for_no_copy():
    async def silent(peer):
        await peer.rest()

    async with (
        destination(answering(OK)) as there,
        destination(silent) as shadow,
        mirrored(there.address, shadow.address, max_concurrent=2) as client,
    ):
        for _ in range(5):
            client.send(request())
            assert (await client.answer()).status == 200
        await until(lambda: shadow.connections == 2)


async def test_copies_keep_to_how_many_their_destination_takes_at_once():
    async def silent(peer):
        await peer.rest()

    async with (
        destination(answering(OK)) as there,
        destination(silent) as shadow,
        mirrored(there.address, shadow.address, at_once=ConcurrencyDefinition(1)) as client,
    ):
        for _ in range(3):
            client.send(request())
            assert (await client.answer()).status == 200
        await until(lambda: shadow.connections)
        assert shadow.connections == 1


async def test_a_body_is_kept_until_the_copy_begins_and_no_longer():
    kept = []

    async def look(exchange, onward):
        recording = exchange.stream._recording
        exchange.on_response(lambda _: kept.append(bytes(recording.kept)))
        return await onward(exchange)

    async with (
        destination(taking([], OK)) as there,
        destination(answering(OK)) as shadow,
        mirrored(there.address, shadow.address, behind=[look]) as client,
    ):
        client.send(request("POST", "Content-Length: 4\r\n", b"body"))
        assert (await client.answer()).status == 200
    assert kept == [b""]


async def test_a_copy_is_given_up_after_its_time(caplog):
    caplog.set_level("INFO", "hostler.stages.mirror")

    async def silent(peer):
        await peer.rest()

    async with (
        destination(answering(OK)) as there,
        destination(silent) as shadow,
        mirrored(there.address, shadow.address, timeout=0.05) as client,
    ):
        client.send(request())
        assert (await client.answer()).status == 200
        await until(lambda: "took longer than 0.05 s" in caplog.text)


async def test_an_endless_answer_to_a_copy_is_thrown_away_piece_by_piece():
    async def endless(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(100):
            peer.send(b"x" * 65536)
            await peer.drain()

    async with (
        destination(answering(OK)) as there,
        destination(endless) as shadow,
        mirrored(there.address, shadow.address) as client,
    ):
        client.send(request())
        assert (await client.answer()).status == 200
        await until(lambda: shadow.connections)


async def test_a_copy_that_fails_is_nobodys_failure(caplog):
    async def script(peer):
        await peer.head()
        peer.reset()

    async with (
        destination(answering(OK)) as there,
        destination(script) as shadow,
        mirrored(there.address, shadow.address) as client,
    ):
        for _ in range(3):
            client.send(request())
            assert (await client.answer()).status == 200
        await until(lambda: shadow.connections == 3)
    assert "hostler.stages.mirror" not in {
        record.name for record in caplog.records if record.levelname == "ERROR"
    }


async def test_only_a_share_is_copied():
    class Numbers:
        def __init__(self):
            self.given = iter([0.1, 0.25, 0.9, 0.24])

        def random(self):
            return next(self.given)

    copies = []
    async with (
        destination(answering(OK)) as there,
        destination(taking(copies, OK)) as shadow,
        mirrored(there.address, shadow.address, percent=25, randomness=Numbers()) as client,
    ):
        for _ in range(4):
            client.send(request())
            assert (await client.answer()).status == 200
        await until(lambda: len(copies) == 2)
    assert len(copies) == 2


async def test_an_upgrade_is_not_copied():
    async def script(peer):
        await peer.head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n\r\n")
        await peer.rest()

    async with destination(script) as there, destination(answering(OK)) as shadow:
        async with mirrored(there.address, shadow.address) as client:
            client.send(request(headers="Connection: Upgrade\r\nUpgrade: echo/1\r\n"))
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert shadow.connections == 0


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ([Cluster("shop", ["http://127.0.0.1:1"])], 'unknown cluster "shadow"'),
        (
            [Cluster("shop", ["http://127.0.0.1:1"]), Cluster("shadow", [queue("q", "http://*:80/")])],
            "a copy cannot be delegated",
        ),
    ],
)
def test_where_copies_cannot_go_is_an_error(clusters, message):
    with pytest.raises(ConfigError, match=message):
        Proxy([Route("/{**rest}", "shop", mirror=Mirror("shadow"))], clusters)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"percent": 101}, "Mirror.Percent: 101 is out of range"),
        ({"percent": -1}, "Mirror.Percent: -1 is out of range"),
        ({"max_concurrent": 0}, "Mirror.MaxConcurrent"),
        ({"max_body_size": -1}, "Mirror.MaxBodySize"),
        ({"timeout": 0}, "Mirror.Timeout"),
    ],
)
def test_settings_out_of_range_are_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        Proxy(
            [Route("/{**rest}", "shop", mirror=Mirror("shop", **settings))],
            [Cluster("shop", ["http://127.0.0.1:1"])],
        )

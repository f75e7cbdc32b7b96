"""What of a route's transforms holds for what is delegated in user mode: all of a request's but Host, what is added to answers."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from hostler import Cluster, Proxy, Route, queue, request_transform, response_transform, serving
from hostler.testing import exchange as made
from hostler.transforms.reading import make_transforms
from tests.client.peers import connected

pytestmark = pytest.mark.usefixtures("runtime")


async def tell(exchange):
    """Answer with what a worker sees."""
    facts = {
        "method": exchange.method,
        "base": exchange.path_base,
        "target": exchange.raw_target.decode("ascii"),
        "headers": [[name, value] for name, value in exchange.request.headers],
        "body": (await exchange.read()).decode(),
    }
    return await exchange.respond(200, json.dumps(facts), headers=[("X-A", "1"), ("Server", "w")])


@asynccontextmanager
async def delegating(transforms, path="/{**rest}", prefix="http://127.0.0.1:1/"):
    cluster = Cluster("c", [queue("q", prefix)])
    proxy = Proxy([Route(path, "c", id="r", transforms=transforms)], [cluster])
    async with (
        serving(tell, [], queue="q"),
        serving(proxy, ["http://127.0.0.1:0/"]) as front,
        connected(front.url) as client,
    ):
        yield client


async def ask(client, method="GET", target="/", *lines, body=b""):
    head = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", "Host: named", *lines, ""))
    client.send(head.encode("latin-1") + body)
    answer = await client.answer()
    return answer, json.loads(answer.body) if answer.status == 200 else None


async def test_a_delegated_request_goes_as_its_transforms_make_it():
    transforms = [
        {"PathPattern": "/v2/{**rest}"},
        {"QueryValueParameter": "q", "Set": "1"},
        {"RequestHeader": "X-B", "Set": "2"},
        {"RequestHeaderRemove": "Cookie"},
        {"X-Forwarded": "Append", "Prefix": "Off"},
        {"HttpMethodChange": "PUT", "Set": "POST"},
        request_transform(lambda context: context.headers.set("X-Code", context.path)),
    ]
    lines = ["X-B: 1", "Cookie: a", "X-Forwarded-For: 10.0.0.1", "Content-Length: 2"]
    async with delegating(transforms, "/a/{**rest}") as client:
        for _ in range(2):
            _, facts = await ask(client, "PUT", "/a/b%20c?x", *lines, body=b"hi")
            assert (facts["method"], facts["target"], facts["body"]) == ("POST", "/v2/b%20c?x&q=1", "hi")
            headers = dict(facts["headers"])
            assert headers["Host"] == "named"
            assert (headers["X-B"], headers["X-Code"]) == ("2", "/v2/b%20c")
            assert headers["X-Forwarded-For"] == "10.0.0.1, 127.0.0.1"
            assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("came", "goes"),
    [("X-User", None), ("keep-alive, x-user , X-Gone", "keep-alive"), ("keep-alive", "keep-alive")],
)
async def test_no_client_has_a_header_dropped_that_a_transform_sets(came, goes):
    async with delegating([{"RequestHeader": "X-User", "Set": "ada"}]) as client:
        _, facts = await ask(client, "GET", "/", f"Connection: {came}", "X-User: eve", "X-Gone: 1")
    headers = {name.lower(): value for name, value in facts["headers"]}
    assert (headers["x-user"], headers.get("connection")) == ("ada", goes)


async def test_host_stays_and_the_defaults_hold():
    async with delegating(
        [{"RequestHeader": "Host", "Set": "other"}, {"RequestHeadersCopy": "false"}]
    ) as client:
        _, facts = await ask(
            client, "POST", "/", "X-B: 1", "X-Forwarded-For: evil", "Content-Length: 2", body=b"hi"
        )
    assert facts["body"] == "hi"
    assert facts["headers"] == [
        ["Host", "named"], ["X-Forwarded-For", "127.0.0.1"], ["X-Forwarded-Host", "named"],
        ["X-Forwarded-Proto", "http"], ["Content-Length", "2"],
    ]  # fmt: skip


async def test_a_header_that_is_added_to_every_answer_travels_along():
    transforms = [
        {"ResponseHeader": "X-A", "Append": "2", "When": "Always"},
        {"ResponseHeader": "X-B", "Set": "2", "When": "Always"},
        response_transform(lambda context: context.headers.set("X-C", "2")),
    ]
    async with delegating(transforms) as client:
        answer, _ = await ask(client)
    assert [pair for pair in answer.headers if pair[0].startswith(b"X-")] == [(b"X-A", b"1"), (b"X-A", b"2")]


async def test_a_transform_that_answers_ends_the_exchange():
    async def refuse(context):
        return await context.exchange.respond(403)

    async with delegating([request_transform(refuse)]) as client:
        answer, _ = await ask(client)
    assert answer.status == 403


async def test_what_cannot_be_sent_is_answered_with_502():
    async with delegating([request_transform(lambda context: setattr(context, "path", "/../x"))]) as client:
        assert (await ask(client))[0].status == 502


async def test_the_path_base_stays_in_front_of_the_path():
    exchange = made(path="/App/x")
    exchange.path_base, exchange.path = "/App", "/x"
    transforms = make_transforms(({"PathPrefix": "/v1"},))
    assert await transforms.apply_to_delegated(exchange, "http://here/") is None
    assert exchange.transformed.target == b"/App/v1/x"
    assert "X-Forwarded-Prefix" not in exchange.transformed.headers

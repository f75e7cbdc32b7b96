"""A queue and its prefixes held by one process and served by others, as `hostler serve` with workers does it."""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from hostler import NoSuchQueueError, Proxy, QueueExistsError, QueueMode, ServerOptions, serving
from hostler.cli import main
from hostler.config.yarp import load
from hostler.demo import program
from hostler.loaders import HandlerLoader
from hostler.processes.serving import serving_here
from hostler.server.base import ServerKind
from hostler.server.choose import controlling, make_server
from hostler.server.prefix import UrlPrefix
from hostler.service import Service, options_for
from tests.server.httpsys.model.machine import Machine

HTTPSYS = ServerKind.HTTPSYS
SHOP = UrlPrefix.parse("http://localhost:8080/shop/")


@pytest.fixture
def machine(request):
    machine = Machine(version=getattr(request, "param", "new"))
    yield machine
    machine.close()
    assert machine.defects == []
    assert machine.alive() == {}


@pytest.fixture
def be(machine, monkeypatch):
    """Be a process of the machine, as far as HTTP.sys is concerned."""

    def be(name):
        process = machine.process(name)
        for module in ("server", "controller"):
            monkeypatch.setattr(f"hostler.server.httpsys.{module}.load", lambda: process)
        return process

    return be


async def where(exchange):
    return await exchange.respond(200, f"{exchange.path_base}|{exchange.path}")


@asynccontextmanager
async def worker(controlled, handler=where):
    """Serve as `hostler.processes.worker` does."""
    service = Service(
        loader=HandlerLoader(handler),
        prefixes=controlled.prefixes,
        queue=controlled.queue,
        mode=QueueMode.ATTACH,
        server=HTTPSYS,
    )
    async with serving_here(service, controlled.sockets) as served:
        yield served


async def test_workers_serve_what_is_controlled(machine, be):
    be("controller")
    with controlling(None, QueueMode.CREATE, [SHOP], kind=HTTPSYS) as controlled:
        assert controlled.queue.startswith(f"hostler-{os.getpid()}-")
        assert controlled.prefixes == (SHOP,)
        assert controlled.sockets == []
        be("worker")
        async with worker(controlled) as served:
            assert served.prefixes == (SHOP,)
            response = await machine.client().request("GET", "http://localhost:8080/shop/tea").response()
            assert (response.status, response.body) == (200, b"/shop|/tea")


async def test_requests_wait_while_no_worker_is_there(machine, be):
    be("controller")
    with controlling("shop", QueueMode.CREATE, [SHOP], kind=HTTPSYS) as controlled:
        call = machine.client().request("GET", "http://localhost:8080/shop/tea")
        be("worker")
        async with worker(controlled):
            assert (await call.response()).status == 200


async def test_a_worker_that_follows_another_loses_no_request(machine, be):
    be("controller")
    with controlling("shop", QueueMode.CREATE, [SHOP], kind=HTTPSYS) as controlled:
        be("first")
        async with worker(controlled):
            be("second")
            async with worker(controlled):
                pass
            response = await machine.client().request("GET", "http://localhost:8080/shop/tea").response()
            assert response.status == 200


def test_a_queue_that_must_be_new_has_one_controller(machine, be):
    be("first")
    with controlling("shop", QueueMode.CREATE, [SHOP], kind=HTTPSYS):
        be("second")
        with pytest.raises(QueueExistsError), controlling("shop", QueueMode.CREATE, [], kind=HTTPSYS):
            pass


def test_to_attach_without_prefixes_opens_nothing(machine, be):
    be("first")
    with controlling("shop", QueueMode.ATTACH, [], kind=HTTPSYS) as controlled:
        assert controlled.queue == "shop"
        assert machine.alive() == {}
    with pytest.raises(NoSuchQueueError), controlling("shop", QueueMode.ATTACH, [SHOP], kind=HTTPSYS):
        pass


async def test_a_queue_is_joined_before_prefixes_are_registered(machine, be):
    be("only")
    async with serving(where, [str(SHOP)], queue="shop", mode=QueueMode.CREATE, server="httpsys"):
        response = await machine.client().request("GET", "http://localhost:8080/shop/tea").response()
        assert response.body == b"/shop|/tea"


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ({"target": "/shop/a%2F..%2Fb"}, ["GET", "/shop/a%2F..%2Fb", 400]),
        ({"headers": [("Content-Length", "1234567890123456789")]}, ["-", "-", 400]),
    ],
    ids=["climbing", "malformed"],
)
async def test_what_the_server_itself_rejects_has_an_access_line(machine, be, sent, known):
    be("only")
    lines = []
    async with serving(where, [str(SHOP)], write_line=lines.append, log_format="json", server="httpsys"):
        response = await machine.client().request("GET", "http://localhost:8080/shop/tea", **sent).response()
    entry = json.loads("".join(lines))
    assert [entry[name] for name in ("method", "target", "status")] == known
    assert (entry["outcome"], entry["bytes_sent"]) == ("rejected", len(response.body))
    assert response.status == entry["status"]


async def test_options_reach_the_server(machine, be):
    be("only")
    options = ServerOptions(request_queue_limit=7)
    server = make_server(where, options, "httpsys")
    assert server.options is options
    await server.stop(0)


async def test_options_of_a_document_reach_the_queue(machine, be):
    section = {"RequestQueueLimit": 33, "Http503Verbosity": "Full", "MaxConnections": 7}
    loader = HandlerLoader(Proxy.from_config(load({"HttpSys": section, "ReverseProxy": {}})))
    options = options_for(loader, None, HTTPSYS)
    be("controller")
    with controlling("shop", QueueMode.CREATE, [SHOP], options, HTTPSYS):
        queue = machine.queue("shop")
        assert (queue.limit, queue.verbosity) == (33, 2)
        (session,) = machine.sessions.values()
        assert session.groups[0].most_connections == 7


# -- the demo ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def demo_workers(machine, be, monkeypatch):
    """Serve the workers' queue from this process."""

    @asynccontextmanager
    async def supervising(service, workers):
        be("controller")
        with controlling(service.queue, service.mode, service.prefixes, kind=service.server) as controlled:
            be("worker")
            async with worker(controlled, service.loader.load()):
                yield SimpleNamespace(prefixes=controlled.prefixes, pids=(os.getpid(),))

    machine.listen()
    be("proxy")
    monkeypatch.setattr(program, "supervising", supervising)


@pytest.mark.usefixtures("demo_workers")
@pytest.mark.parametrize("machine", ["new", "2022"], indirect=True)
def test_the_demo(capsys):
    assert main(["demo", "--once", "--server", "httpsys"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "WRONG" not in out
    assert out.count(" -> 200 ") == 8
    assert " delegated to hostler-demo-" in out


@pytest.mark.usefixtures("demo_workers")
@pytest.mark.parametrize("machine", ["2016"], indirect=True)
def test_the_demo_where_windows_cannot_delegate(capsys):
    assert main(["demo", "--once", "--server", "httpsys"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hostler: requests cannot be delegated to queue 'hostler-demo-")

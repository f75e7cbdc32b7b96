"""Who waits for HTTP.sys: asked for, found out, and said in the log."""

import asyncio
import logging

import pytest

from hostler.errors import UnsupportedError
from hostler.server.httpsys.completions import may_use_proactor
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import Completion, HttpSysOptions
from hostler.server.prefix import UrlPrefix
from hostler.windows.port import ThreadPort
from hostler.windows.proactor import ProactorPort
from tests.server.httpsys.served import URL, FakeProactor


@pytest.fixture
async def windows(machine):
    return machine.process()


@pytest.fixture
async def proactor(windows):
    loop = asyncio.get_running_loop()
    loop._proactor = FakeProactor(windows, loop)
    yield
    await loop._proactor.close()
    loop._proactor = None


async def chosen(windows, completion):
    return await may_use_proactor(windows, asyncio.get_running_loop(), Completion(completion))


@pytest.mark.usefixtures("proactor")
@pytest.mark.parametrize(
    ("completion", "wanted", "said"),
    [
        ("auto", True, "by the event loop's own port"),
        ("proactor", True, "by the event loop's own port"),
        ("thread", False, "by a thread, as the option completion says"),
    ],
)
async def test_on_a_proactor_loop(windows, completion, wanted, said, caplog):
    caplog.set_level(logging.INFO, "hostler.server.httpsys")
    assert await chosen(windows, completion) is wanted
    assert caplog.messages == [f"completions of HTTP.sys: {said}"]


async def test_on_another_loop_auto_takes_the_thread_and_says_why(windows, caplog):
    caplog.set_level(logging.INFO, "hostler.server.httpsys")
    assert await chosen(windows, "auto") is False
    loop = type(asyncio.get_running_loop()).__qualname__
    assert caplog.messages == [
        f"completions of HTTP.sys: by a thread, because the event loop, a {loop}, has no Proactor"
    ]


async def test_on_another_loop_proactor_is_refused_with_what_to_do(windows):
    with pytest.raises(
        UnsupportedError, match=r"'proactor', and the event loop.* has no Proactor; use .*'auto'"
    ):
        await chosen(windows, "proactor")


async def test_what_is_refused_leaves_no_queue(machine, windows):
    own = HttpSysOptions(completion="proactor")
    server = HttpSysServer(print, ServerOptions(httpsys=own), windows=windows)
    with pytest.raises(UnsupportedError):
        await server.listen([UrlPrefix.parse(URL)])
    assert machine.count("HttpCreateRequestQueue") == 0
    await server.stop(1)


@pytest.mark.usefixtures("proactor")
@pytest.mark.parametrize(("completion", "kind"), [("auto", ProactorPort), ("thread", ThreadPort)])
async def test_prefixes_that_are_listened_on_at_once_share_one_queue_and_port(
    machine, windows, completion, kind
):
    own = HttpSysOptions(completion=completion, receives=1)
    server = HttpSysServer(print, ServerOptions(httpsys=own), windows=windows)
    both = (UrlPrefix.parse(URL), UrlPrefix.parse("http://localhost:8081/"))
    await asyncio.gather(*(server.listen([prefix]) for prefix in both))
    assert machine.count("HttpCreateRequestQueue") == 1
    assert type(server._port) is kind
    await server.stop(1)


def test_auto_is_the_default():
    assert HttpSysOptions().completion is Completion.AUTO

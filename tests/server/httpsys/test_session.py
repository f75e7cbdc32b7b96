"""Sessions and URL groups: which prefixes a server has, who has the others, and what they are set to."""

import socket

import pytest

from hostler.errors import ListenError, PrefixError
from hostler.server.base import QueueMode
from hostler.server.httpsys.queue import create_queue, open_queue
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.httpsys.session import ServerSession
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from tests.server.httpsys.served import URL, served


@pytest.fixture
def windows(machine):
    return machine.process("one")


@pytest.fixture
def other(machine):
    return machine.process("other")


async def placed(exchange):
    return await exchange.respond(200, f"{exchange.path_base}|{exchange.path}")


def parsed(*urls):
    return [UrlPrefix.parse(url) for url in urls]


def registered(machine):
    """List what the machine has registered."""
    return sorted(str(prefix) for prefix in machine.registry.registrations)


async def get(machine, url):
    answer = await machine.client().request("GET", url).response()
    return answer.status, answer.body.decode()


# -- prefixes come and go ---------------------------------------------------------------------------------------------


async def test_prefixes_are_added_and_removed_while_it_runs(machine, windows):
    one, two, three = parsed("http://localhost:80/one/", "http://localhost:80/two/", "http://*:81/")
    async with served(windows, placed, urls=[]) as server:
        assert await server.listen([one, two]) == (one, two)
        assert await get(machine, "http://localhost/one/x") == (200, "/one|/x")
        assert await get(machine, "http://localhost/TWO/x") == (200, "/TWO|/x")
        assert await server.listen([three]) == (three,)
        assert await get(machine, "http://any:81/one/x") == (200, "|/one/x")
        await server.unlisten([one, three])
        assert registered(machine) == ["http://localhost:80/two/"]
        assert (await machine.client().request("GET", "http://localhost/one/x").response()).status == 404
        assert await get(machine, "http://localhost/two/x") == (200, "/two|/x")
        await server.listen([one])
        assert await get(machine, "http://localhost/one/x") == (200, "/one|/x")
        assert machine.alive()["url group"] == 1
    assert registered(machine) == []


async def test_to_listen_on_nothing_opens_nothing(machine, windows):
    async with served(windows, placed, urls=[]) as server:
        assert await server.listen([]) == ()
        assert machine.alive() == {"HttpInitialize": 1}


@pytest.mark.parametrize("again", [True, False])
async def test_what_is_not_listened_on_cannot_be_given_up(windows, again):
    async with served(windows, placed) as server:
        gone = parsed(URL if again else "http://localhost:1/")
        if again:
            await server.unlisten(gone)
        with pytest.raises(PrefixError, match="is not registered; give it as it was added"):
            await server.unlisten(gone)


async def test_to_give_up_what_never_was_listened_on_changes_nothing(machine, windows):
    async with served(windows, placed, urls=[]) as server:
        with pytest.raises(PrefixError, match="is not registered"):
            await server.unlisten(parsed(URL))
        assert machine.alive() == {"HttpInitialize": 1}
        await server.listen(parsed(URL))
        assert await get(machine, URL) == (200, "|/")


async def test_a_prefix_that_windows_has_forgotten_is_given_up(machine, windows):
    async with served(windows, placed) as server:
        windows.fail("HttpRemoveUrlFromUrlGroup", ErrorCode.ERROR_FILE_NOT_FOUND)
        await server.unlisten(parsed(URL))
        with pytest.raises(PrefixError):
            await server.unlisten(parsed(URL))


async def test_a_prefix_that_windows_keeps_is_still_ours(machine, windows):
    async with served(windows, placed) as server:
        windows.fail("HttpRemoveUrlFromUrlGroup", ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
        with pytest.raises(Win32Error, match="HttpRemoveUrlFromUrlGroup http://localhost:8080/"):
            await server.unlisten(parsed(URL))
        assert await get(machine, URL) == (200, "|/")
        await server.unlisten(parsed(URL))


async def test_a_prefix_that_cannot_be_removed_keeps_nobody_from_stopping(machine, windows, caplog):
    server = HttpSysServer(placed, windows=windows)
    await server.listen(parsed(URL, "http://localhost:81/"))
    windows.fail("HttpSetUrlGroupProperty", ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
    windows.fail("HttpRemoveUrlFromUrlGroup", ErrorCode.ERROR_NO_SYSTEM_RESOURCES, times=9)
    await server.stop(5)
    assert machine.alive() == {}
    warnings = [item.getMessage() for item in caplog.records if item.levelname == "WARNING"]
    assert len(warnings) == 3
    assert warnings[0].startswith("HttpSetUrlGroupProperty")
    assert warnings[1].startswith("HttpRemoveUrlFromUrlGroup http://localhost:8")


# -- all or none ------------------------------------------------------------------------------------------------------


async def test_none_is_registered_when_one_cannot_be(machine, windows):
    async with served(windows, placed) as server:
        windows.fail("HttpAddUrlToUrlGroup", ErrorCode.ERROR_ACCESS_DENIED, after=2)
        with pytest.raises(ListenError, match="http://localhost:83/"):
            await server.listen(parsed(*(f"http://localhost:{port}/" for port in (81, 82, 83, 84))))
        assert registered(machine) == [URL]
        await server.listen(parsed("http://localhost:81/"))


async def test_what_was_registered_before_stays_when_others_cannot_be(machine, windows, other):
    theirs = create_queue(other, "q")
    async with served(windows, placed, urls=[], queue=("q", QueueMode.CREATE_OR_ATTACH)) as server:
        await server.listen(parsed(URL))
        windows.fail("HttpAddUrlToUrlGroup", ErrorCode.ERROR_ACCESS_DENIED, after=2)
        with pytest.raises(ListenError):
            await server.listen(parsed("http://localhost:81/", URL, "http://localhost:82/"))
        assert registered(machine) == [URL]
    theirs.close()


async def test_a_prefix_given_twice_is_none(machine, windows):
    async with served(windows, placed, urls=[]) as server:
        with pytest.raises(ListenError, match=r"registered with HTTP\.sys already"):
            await server.listen(parsed(URL, URL))
        assert registered(machine) == []


async def test_a_prefix_that_stays_though_it_should_go_is_logged(machine, windows, caplog):
    async with served(windows, placed, urls=[]) as server:
        windows.fail("HttpRemoveUrlFromUrlGroup", ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
        windows.fail("HttpAddUrlToUrlGroup", ErrorCode.ERROR_ACCESS_DENIED, after=1)
        with pytest.raises(ListenError, match="http://localhost:81/"):
            await server.listen(parsed(URL, "http://localhost:81/"))
        assert "ERROR_NO_SYSTEM_RESOURCES" in caplog.text
        await server.unlisten(parsed(URL))


# -- prefixes that cannot be had: what to do --------------------------------------------------------------------------


async def test_a_prefix_that_is_reserved_for_others_says_what_to_run(machine, windows, monkeypatch):
    monkeypatch.setenv("USERNAME", "user")
    monkeypatch.setenv("USERDOMAIN", "HOME")
    machine.reserve({"http://+:80/": {"bob"}})
    async with served(windows, placed, urls=[]) as server:
        with pytest.raises(ListenError) as caught:
            await server.listen(parsed("http://+:80/app/"))
        line = r'hostler url reserve http://+:80/app/ --user "HOME\user"'
        assert f"run this once as an administrator: {line}, which is: netsh http add urlacl " in str(
            caught.value
        )
        machine.reserve({"http://+:80/app/": {"user"}})
        await server.listen(parsed("http://+:80/app/"))


async def test_a_prefix_that_another_process_has(machine, windows, other):
    async with served(other, placed), served(windows, placed, urls=[]) as server:
        with pytest.raises(ListenError, match="netsh http show servicestate view=requestq"):
            await server.listen(parsed(URL))


async def test_a_port_that_a_program_without_httpsys_has(machine, windows):
    machine.listen()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with served(windows, placed, urls=[]) as server:
            with pytest.raises(ListenError, match=rf"netstat -ano \| findstr :{port}"):
                await server.listen(parsed(f"http://localhost:{port}/"))


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(87, "expected scheme://host:port/path/"), (1214, "netsh http show iplisten"), (8, "memory")],
)
async def test_a_prefix_that_windows_refuses(windows, code, remedy):
    windows.fail("HttpAddUrlToUrlGroup", code)
    async with served(windows, placed, urls=[]) as server:
        with pytest.raises(ListenError, match=remedy) as caught:
            await server.listen(parsed(URL))
        assert (caught.value.__cause__.code, caught.value.__cause__.subject) == (code, URL)


# -- port 0 -----------------------------------------------------------------------------------------------------------


async def test_port_0_is_a_port_that_is_free(machine, windows):
    async with served(windows, placed, urls=[]) as server:
        one, two = await server.listen(parsed("http://localhost:0/a/", "http://localhost:0/b/"))
        assert registered(machine) == sorted([str(one), str(two)])
        assert 0 not in {one.port, two.port}
        assert await get(machine, f"{one}x") == (200, "/a|/x")
        await server.unlisten([one, two])


@pytest.mark.parametrize("code", [5, 32, 183])
async def test_port_0_looks_on_when_somebody_else_has_the_port(machine, windows, code):
    windows.fail("HttpAddUrlToUrlGroup", code, times=5)
    async with served(windows, placed, urls=[]) as server:
        (settled,) = await server.listen(parsed("http://localhost:0/"))
        assert registered(machine) == [str(settled)]


async def test_port_0_gives_up_when_it_may_have_none(machine, windows):
    machine.reserve({"http://+:80/": {"bob"}})
    async with served(windows, placed, urls=[]) as server:
        with pytest.raises(ListenError, match="netsh http add urlacl"):
            await server.listen(parsed("http://localhost:0/"))


async def test_port_0_is_not_for_https_whose_certificates_are_bound_to_ports(windows):
    async with served(windows, placed, urls=[]) as server:
        with pytest.raises(ListenError, match="certificates are bound to ports; name one"):
            await server.listen(parsed("https://localhost:0/"))


# -- a queue that was there (CREATE_OR_ATTACH, B2) --------------------------------------------------------------------


@pytest.fixture
async def owner(other):
    """A server that has queue q and its prefix."""
    async with served(other, placed, queue=("q", QueueMode.CREATE)) as owner:
        yield owner


async def test_a_prefix_that_the_queue_has_already_is_fine(machine, windows, owner):
    async with served(windows, placed, urls=[], queue=("q", QueueMode.CREATE_OR_ATTACH)) as server:
        more = parsed(URL, "http://localhost:81/")
        assert list(await server.listen(more)) == more
        await owner._receiver.stop()
        assert await get(machine, URL) == (200, "|/")
        assert await get(machine, "http://localhost:81/") == (200, "|/")
        with pytest.raises(PrefixError):
            await server.unlisten(parsed(URL))
    assert registered(machine) == [URL]


async def test_a_prefix_is_placed_though_another_process_registered_it(machine, windows, other):
    deep = "http://localhost:80/a/b/"
    async with served(other, placed, urls=[deep], queue=("q", QueueMode.CREATE)) as owner:
        for mode in (QueueMode.ATTACH, QueueMode.CREATE_OR_ATTACH):
            async with served(windows, placed, urls=[deep], queue=("q", mode)):
                await owner._receiver.stop()
                assert await get(machine, f"{deep}c") == (200, "/a/b|/c")


async def test_a_prefix_of_another_queue_is_not(machine, windows, other, owner):
    theirs = create_queue(other, "r")
    async with served(windows, placed, urls=[], queue=("r", QueueMode.CREATE_OR_ATTACH)) as server:
        with pytest.raises(ListenError, match=r"registered with HTTP\.sys already"):
            await server.listen(parsed(URL))
    theirs.close()


async def test_a_windows_that_cannot_say_whose_a_prefix_is(machine, owner):
    windows = machine.process("old", missing={"HttpFindUrlGroupId"})
    async with served(windows, placed, urls=[], queue=("q", QueueMode.CREATE_OR_ATTACH)) as server:
        with pytest.raises(ListenError, match=r"registered with HTTP\.sys already"):
            await server.listen(parsed(URL))


async def test_who_attached_registers_nothing(machine, windows, owner):
    async with served(windows, placed, urls=[], queue=("q", QueueMode.ATTACH)) as server:
        given = parsed(URL, "http://localhost:99/")
        assert list(await server.listen(given)) == given
        assert registered(machine) == [URL]
        assert "url group" not in windows.alive()


# -- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["HttpInitialize", "HttpCreateServerSession"])
def test_a_session_that_cannot_be_made(windows, function):
    windows.fail(function, ErrorCode.ERROR_REVISION_MISMATCH)
    with pytest.raises(Win32Error, match=f"{function}: ERROR_REVISION_MISMATCH"):
        ServerSession(windows)
    assert windows.alive() == {}


def test_a_session_is_closed_once(windows):
    session = ServerSession(windows)
    group = session.group()
    group.add_all(parsed(URL), create := create_queue(windows))
    session.close()
    session.close()
    create.close()
    assert windows.alive() == {}


def test_contexts_of_two_processes_do_not_meet(windows, other):
    queue = create_queue(windows, "q")
    theirs = open_queue(other, "q")
    one, two = ServerSession(windows), ServerSession(other)
    groups = one.group(), two.group()
    groups[0].add_all(parsed(URL, "http://localhost:81/"), queue)
    groups[1].add_all(parsed("http://localhost:82/", "http://localhost:83/"), theirs)
    contexts = {*groups[0].prefixes, *groups[1].prefixes}
    assert len(contexts) == 4
    assert all(0 < context < 1 << 64 for context in contexts)
    for closing in (one, two, theirs, queue):
        closing.close()

"""Request queues: how each mode opens one, who may, what it is set to, and what is left when that fails."""

import asyncio
import threading

import pytest

from hostler.errors import (
    HostlerError,
    ListenError,
    NoSuchQueueError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
    UnsupportedError,
)
from hostler.server.base import QueueMode
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import ServerProperty, Verbosity503
from hostler.server.httpsys.marshal.properties import request_queue_properties
from hostler.server.httpsys.queue import (
    QueueState,
    create_queue,
    open_queue,
    open_queue_as,
    open_target,
    query_queue,
)
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import HttpSysOptions, Verbosity
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from tests.server.httpsys.served import URL, served

CREATE, ATTACH, EITHER = QueueMode.CREATE, QueueMode.ATTACH, QueueMode.CREATE_OR_ATTACH


@pytest.fixture
def windows(machine):
    return machine.process("one")


@pytest.fixture
def other(machine):
    return machine.process("other")


@pytest.fixture
def there(windows):
    """A queue "q" that another process has."""
    with_name = create_queue(windows, "q")
    yield with_name
    with_name.close()


def asked(queue, number):
    """Ask the machine for a property of a queue (HttpQueryRequestQueueProperty)."""
    value = ffi.new("uint32_t *")
    query = queue.windows.http.HttpQueryRequestQueueProperty
    assert query(queue.handle, number, value, 4, 0, ffi.NULL, ffi.NULL) == 0
    return value[0]


async def hello(exchange):
    return await exchange.respond(200, f"hello {exchange.path_base}|{exchange.path}")


# -- modes (RequestQueueMode) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [CREATE, EITHER])
def test_a_queue_is_made_where_there_is_none(windows, mode):
    queue = open_queue_as(windows, "q", mode)
    assert (queue.name, queue.created) == ("q", True)
    queue.close()


@pytest.mark.parametrize("mode", [ATTACH, EITHER])
def test_a_queue_is_joined_where_there_is_one(there, other, mode):
    queue = open_queue_as(other, "Q", mode)
    assert not queue.created
    queue.close()


def test_to_create_one_that_exists_is_an_error(there, other):
    with pytest.raises(QueueExistsError, match=r"queue 'q' exists: .*attach to it") as caught:
        open_queue_as(other, "q", CREATE)
    assert caught.value.__cause__.code == ErrorCode.ERROR_ALREADY_EXISTS
    assert other.alive() == {}


def test_to_attach_to_one_that_does_not_exist_is_an_error(windows):
    with pytest.raises(NoSuchQueueError, match=r"queue 'q' does not exist: start the process") as caught:
        open_queue_as(windows, "q", ATTACH)
    assert caught.value.__cause__.code == ErrorCode.ERROR_FILE_NOT_FOUND
    assert windows.alive() == {}


@pytest.mark.parametrize("mode", [ATTACH, EITHER])
def test_a_queue_of_another_user_says_how_to_be_let_in(machine, there, mode):
    bob = machine.process("bob", user="bob")
    with pytest.raises(QueueAccessError, match="security descriptor"):
        open_queue_as(bob, "q", mode)
    assert bob.alive() == {}


@pytest.mark.parametrize("mode", QueueMode)
@pytest.mark.parametrize("name", ["", "a\\b", "x" * 261])
def test_what_is_no_name_is_no_queue(windows, mode, name):
    with pytest.raises(QueueNameError):
        open_queue_as(windows, name, mode)
    assert windows.alive() == {}


@pytest.mark.parametrize("code", [ErrorCode.ERROR_INVALID_NAME, ErrorCode.ERROR_FILENAME_EXCED_RANGE])
def test_a_name_that_only_windows_refuses(windows, code):
    windows.fail("HttpCreateRequestQueue", code)
    with pytest.raises(QueueNameError, match="1 to 130 characters"):
        create_queue(windows, "q")


@pytest.mark.parametrize("often", [1, 2])
def test_a_queue_that_comes_and_goes_meanwhile_is_made(windows, often):
    windows.fail("HttpCreateRequestQueue", ErrorCode.ERROR_ALREADY_EXISTS, times=often, when=_creates)
    queue = open_queue_as(windows, "q", EITHER)
    assert queue.created
    queue.close()


def test_a_queue_that_never_stays_is_given_up(windows):
    windows.fail("HttpCreateRequestQueue", ErrorCode.ERROR_ALREADY_EXISTS, times=99, when=_creates)
    with pytest.raises(QueueExistsError):
        open_queue_as(windows, "q", EITHER)
    assert windows.alive() == {}


def _creates(version, name, security, flags, handle):
    return not flags


def test_a_queue_without_a_name_is_nobody_elses(windows, other):
    queues = create_queue(windows), create_queue(windows), create_queue(other)
    assert [queue.name for queue in queues] == ["", "", ""]
    for queue in queues:
        queue.close()


def test_a_queue_without_a_name_that_cannot_be_made(windows):
    windows.fail("HttpCreateRequestQueue", ErrorCode.ERROR_NOT_ENOUGH_MEMORY)
    with pytest.raises(QueueError, match="no request queue can be made: ERROR_NOT_ENOUGH_MEMORY"):
        create_queue(windows)


@pytest.mark.parametrize("opened", [create_queue, open_queue])
def test_a_windows_with_another_api_says_so(windows, opened):
    windows.fail("HttpInitialize", ErrorCode.ERROR_REVISION_MISMATCH)
    with pytest.raises(QueueError, match=r"does not have version 2\.0") as caught:
        opened(windows, "q")
    assert caught.value.__cause__.function == "HttpInitialize"
    assert windows.alive() == {}


def test_a_queue_is_closed_once(windows):
    queue = create_queue(windows)
    queue.close()
    queue.close()
    assert windows.alive() == {}


# -- to delegate to ---------------------------------------------------------------------------------------------------


def test_a_target_that_is_not_there(windows):
    with pytest.raises(Win32Error, match="ERROR_FILE_NOT_FOUND") as caught:
        open_target(windows, "q")
    assert (caught.value.function, caught.value.subject) == ("HttpCreateRequestQueue", "q")
    assert windows.alive() == {}


@pytest.mark.parametrize("release", [2019, 2025])
def test_a_target_is_opened_for_delegating_where_there_is_such_a_thing(machine, there, other, release):
    machine.release = release
    target = open_target(other, "q")
    assert [call.arguments[3] for call in other.calls if call.function == "HttpCreateRequestQueue"] == (
        [9] if release == 2025 else [9, 1]
    )
    target.close()


# -- who may open one (SDDL) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["bob", "eve"])
def test_a_security_descriptor_says_who_is_let_in(machine, windows, user):
    bob = machine.process("bob", user="bob")
    eve = machine.process("eve", user="eve")
    queue = create_queue(windows, "q", security=f"D:(A;;GA;;;{machine.sid(user)})")
    for process, name in ((bob, "bob"), (eve, "eve")):
        if name == user:
            open_queue(process, "q").close()
        else:
            with pytest.raises(QueueAccessError):
                open_queue(process, "q")
    queue.close()


def test_everybody_can_be_let_in(machine, windows):
    queue = create_queue(windows, "q", security="D:(A;;GA;;;WD)")
    open_queue(machine.process("bob", user="bob"), "q").close()
    queue.close()


def test_what_is_no_security_descriptor(windows):
    with pytest.raises(QueueAccessError, match=r"is no security descriptor; write SDDL, as in D:\(A;;GA"):
        create_queue(windows, "q", security="everybody")
    assert windows.alive() == {}


def test_a_security_descriptor_is_freed_when_the_queue_cannot_be_made(windows, there):
    before = windows.alive()
    with pytest.raises(QueueExistsError):
        create_queue(windows, "q", security="D:(A;;GA;;;WD)")
    assert windows.alive() == before


async def test_a_servers_option_lets_others_serve_its_queue(machine):
    bob = machine.process("bob", user="bob")
    sddl = f"D:(A;;GA;;;{machine.sid('bob')})"
    async with (
        served(machine.process(), hello, queue=("q", CREATE), security_descriptor=sddl),
        served(bob, hello, urls=[], queue=("q", ATTACH)),
    ):
        assert len(machine.queue("q").workers) == 2


# -- properties -------------------------------------------------------------------------------------------------------


def options(**own):
    limit = own.pop("limit", 1000)
    return ServerOptions(request_queue_limit=limit, httpsys=HttpSysOptions(receives=1, **own))


@pytest.mark.parametrize(
    ("verbosity", "number"), [(Verbosity.BASIC, 0), (Verbosity.LIMITED, 1), (Verbosity.FULL, 2)]
)
async def test_a_queue_that_is_made_is_set_as_options_say(machine, windows, there, verbosity, number):
    server = HttpSysServer(hello, options(limit=77, verbosity=verbosity), windows=windows)
    await server.join("own", CREATE)
    assert asked(server._queue, ServerProperty.QUEUE_LENGTH) == 77
    assert asked(server._queue, ServerProperty.VERBOSITY_503) == number
    await server.stop(1)


@pytest.mark.parametrize("mode", [ATTACH, EITHER])
async def test_a_queue_that_is_joined_is_left_as_it_is(other, there, mode):
    server = HttpSysServer(hello, options(limit=77, verbosity=Verbosity.FULL), windows=other)
    await server.join("q", mode)
    await server.stop(1)
    assert asked(there, ServerProperty.QUEUE_LENGTH) == 1000
    assert asked(there, ServerProperty.VERBOSITY_503) == 0


@pytest.mark.parametrize("name", ["QUEUE_LENGTH", "VERBOSITY_503"])
async def test_a_property_that_cannot_be_set_leaves_no_queue(windows, name):
    windows.fail(
        "HttpSetRequestQueueProperty", 87, when=lambda handle, number, *_: number == ServerProperty[name]
    )
    server = HttpSysServer(hello, options(limit=77, verbosity=Verbosity.FULL), windows=windows)
    with pytest.raises(Win32Error, match=f"HttpSetRequestQueueProperty {name}: ERROR_INVALID_PARAMETER"):
        await server.join("q", CREATE)
    assert windows.alive() == {"HttpInitialize": 1}
    await server.stop(1)
    assert windows.alive() == {}


# -- a server and its one queue ---------------------------------------------------------------------------------------


async def test_a_queue_serves_what_is_listened_on_afterwards(machine, windows):
    async with served(windows, hello, queue=("q", CREATE)):
        assert (await machine.client().request("GET", f"{URL}x").response()).body == b"hello |/x"
        assert machine.queue("q").handles


async def test_a_second_queue_is_refused(windows):
    async with served(windows, hello, queue=("q", CREATE)) as server:
        with pytest.raises(QueueError, match=r"queue 'r' cannot be joined: .* this one has q; join before"):
            await server.join("r", CREATE)
    async with served(windows, hello) as server:
        with pytest.raises(QueueError, match="this one has its own"):
            await server.join("r", CREATE)


async def test_closing_the_queue_stops_the_server(machine, windows):
    server = HttpSysServer(hello, options(), windows=windows)
    joined = await server.join("q", CREATE)
    assert joined.name == "q"
    await server.listen([UrlPrefix.parse(URL)])
    await joined.close()
    assert windows.alive() == {}


async def test_every_worker_of_a_queue_gets_its_share(machine, windows):
    answers = set()
    async with served(windows, hello, queue=("q", CREATE), receives=1) as first:
        for number in range(3):
            async with served(machine.process(), _named(number), urls=[URL], queue=("q", ATTACH)):
                await first._receiver.stop()
                answers.add((await machine.client().request("GET", f"{URL}x").response()).body)
    assert answers == {b"0 |/x", b"1 |/x", b"2 |/x"}


def _named(number):
    async def handler(exchange):
        return await exchange.respond(200, f"{number} {exchange.path_base}|{exchange.path}")

    return handler


# -- every step of starting fails once --------------------------------------------------------------------------------

WAYS = {
    "listen": (None, [URL, "http://*:81/"]),
    "listen on any port": (None, ["http://localhost:0/"]),
    "join and listen": (("q", CREATE), [URL]),
    "join what is there": (("q", EITHER), [URL]),
    "attach": (("q", ATTACH), [URL]),
}


@pytest.mark.parametrize("code", [5, 8])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.logs_errors("HttpReceiveHttpRequest: .*trying again", sometimes=True)
async def test_every_step_of_starting_may_fail(machine, windows, other, way, code):
    queue, urls = WAYS[way]
    there = create_queue(other, "q") if queue is not None and queue[1] is not CREATE else None
    before, threads = machine.alive(), threading.active_count()
    own = HttpSysOptions(
        receives=1, verbosity=Verbosity.FULL, max_connections=5, security_descriptor="D:(A;;GA;;;WD)"
    )
    for step in range(40):
        fault = windows.fail("*", code, after=step)
        refused = await _start_and_stop(windows, ServerOptions(httpsys=own), queue, urls)
        assert machine.alive() == before, f"step {step}"
        assert threading.active_count() == threads
        if fault.times:
            assert refused is None
            break
        assert refused is None or isinstance(refused, HostlerError)
    else:
        pytest.fail("starting has more steps than this")
    if there is not None:
        there.close()


async def _start_and_stop(windows, options, queue, urls):
    """Start a server and stop it; returns what was raised meanwhile."""
    try:
        server = HttpSysServer(hello, options, windows=windows)
    except UnsupportedError as error:
        windows.of.faults.clear()
        return error
    try:
        if queue is not None:
            await server.join(*queue)
        await server.listen([UrlPrefix.parse(url) for url in urls])
        await asyncio.sleep(0)
    except (QueueError, ListenError, Win32Error) as error:
        return error
    finally:
        windows.of.faults.clear()  # what fails in stopping is no matter of this
        await server.stop(1)
    return None


# -- what is set for a queue ------------------------------------------------------------------------------------------


def test_what_is_set_for_a_queue_of_another_process(there, other):
    assert query_queue(other, "q") == QueueState(limit=1000, active=True, verbosity=Verbosity503.BASIC)
    for item in request_queue_properties(
        ServerOptions(request_queue_limit=7, httpsys=HttpSysOptions(verbosity=Verbosity.FULL))
    ):
        there.set(item)
    assert query_queue(other, "q") == QueueState(limit=7, active=True, verbosity=Verbosity503.FULL)


def test_a_queue_that_nobody_has_cannot_be_asked(windows):
    with pytest.raises(NoSuchQueueError):
        query_queue(windows, "nobody's")


def test_what_a_queue_does_not_say_is_an_error(there, other):
    other.fail("HttpQueryRequestQueueProperty", 234)
    with pytest.raises(Win32Error, match="HttpQueryRequestQueueProperty QUEUE_LENGTH"):
        query_queue(other, "q")
    assert other.alive() == {}


def test_a_library_that_cannot_be_asked(machine):
    with pytest.raises(UnsupportedError):
        query_queue(machine.process(missing=["HttpQueryRequestQueueProperty"]), "q")

"""A controller and its workers: who owns the queue, who serves it, and what becomes of requests when workers die."""

import asyncio
import threading

import pytest

from hostler.errors import HostlerError, ListenError, NoSuchQueueError, QueueExistsError
from hostler.server.base import QueueMode
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.controller import Controller
from hostler.server.httpsys.queue import create_queue
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import HttpSysOptions, Verbosity
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from tests.server.httpsys.model.program import Program
from tests.server.httpsys.served import URL, served

PREFIXES = (UrlPrefix.parse(URL),)
ATTACH = ("q", QueueMode.ATTACH)


async def hello(exchange):
    return await exchange.respond(200, f"hello {exchange.path_base}|{exchange.path}")


@pytest.fixture
def windows(machine):
    return machine.process("controller")


@pytest.fixture
def controller(windows):
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    yield controller
    controller.release()


@pytest.fixture
def worker(machine):
    """Serve the queue in another process."""

    def worker(handler=hello, windows=None, **options):
        return served(windows or machine.process("worker"), handler, urls=[URL], queue=ATTACH, **options)

    return worker


def waiting(machine):
    """Count the requests that nobody has received."""
    return len(machine.queue("q").waiting)


# -- opening and releasing --------------------------------------------------------------------------------------------


async def test_it_holds_the_queue_and_its_prefixes(machine, windows):
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    assert (controller.queue, controller.prefixes) == ("q", PREFIXES)
    assert windows.alive() == {"queue handle": 1, "session": 1, "url group": 1, "url": 1, "HttpInitialize": 2}
    assert machine.queue("q").controlled
    controller.release()
    controller.release()
    assert (machine.alive(), machine.queue("q")) == ({}, None)


async def test_port_0_is_a_port_that_is_free(windows):
    controller = Controller.open("q", QueueMode.CREATE, [UrlPrefix.parse("http://*:0/")], windows=windows)
    assert controller.prefixes[0].port > 0
    controller.release()


async def test_without_a_name_the_queue_gets_one(machine, windows):
    controllers = [Controller.open(None, QueueMode.CREATE, windows=windows) for _ in range(2)]
    names = [controller.queue for controller in controllers]
    assert names[0] != names[1]
    for controller in controllers:
        async with served(machine.process(), hello, urls=[], queue=(controller.queue, QueueMode.ATTACH)):
            assert machine.queue(controller.queue).workers
        controller.release()


async def test_modes_are_as_for_any_queue(machine, windows, controller):
    with pytest.raises(QueueExistsError):
        Controller.open("q", QueueMode.CREATE, windows=machine.process())
    with pytest.raises(NoSuchQueueError):
        Controller.open("nobody", QueueMode.ATTACH, windows=machine.process())


async def test_options_are_the_queues_and_the_groups(windows):
    own = HttpSysOptions(verbosity=Verbosity.FULL, max_connections=7)
    options = ServerOptions(request_queue_limit=33, httpsys=own)
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, options=options, windows=windows)
    queue = next(iter(windows.of.machine.queues))
    assert (queue.limit, queue.verbosity) == (33, 2)
    assert windows.of.machine.sessions[controller._session._id].groups[0].most_connections == 7
    controller.release()


@pytest.mark.parametrize("user", ["bob", "eve"])
async def test_a_security_descriptor_lets_workers_in(machine, windows, user):
    bob = machine.process("bob", user="bob")
    machine.process("eve", user="eve")
    options = ServerOptions(httpsys=HttpSysOptions(security_descriptor=f"D:(A;;GA;;;{machine.sid(user)})"))
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, options=options, windows=windows)
    if user == "bob":
        async with served(bob, hello, urls=[], queue=ATTACH):
            assert (await machine.client().request("GET", URL).response()).status == 200
    else:
        with pytest.raises(HostlerError, match="security descriptor"):
            async with served(bob, hello, urls=[], queue=ATTACH):
                pass
    controller.release()


async def test_a_prefix_that_cannot_be_had_leaves_nothing(machine, windows):
    async with served(machine.process(), hello):
        before = machine.alive()
        with pytest.raises(ListenError):
            Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
        assert machine.alive() == before


@pytest.mark.parametrize("code", [5, 8])
async def test_every_step_of_opening_may_fail(windows, code):
    own = HttpSysOptions(verbosity=Verbosity.FULL, bandwidth=1024, security_descriptor="D:(A;;GA;;;WD)")
    prefixes = [*PREFIXES, UrlPrefix.parse("http://*:0/")]
    for step in range(30):
        fault = windows.fail("*", code, after=step)
        try:
            Controller.open(
                "q", QueueMode.CREATE, prefixes, options=ServerOptions(httpsys=own), windows=windows
            ).release()
        except HostlerError:
            assert not fault.times
        assert windows.alive() == {}, f"step {step}"
        if fault.times:
            break
    else:
        pytest.fail("opening has more steps than this")
    assert step > 8


# -- it does no I/O itself --------------------------------------------------------------------------------------------


async def test_its_handle_neither_receives_nor_answers(windows, controller):
    handle, buffer = controller._handle.handle, ffi.new("char[]", 4096)
    receive = windows.http.HttpReceiveHttpRequest
    request = ffi.cast("HTTP_REQUEST *", buffer)
    code = receive(handle, 0, 0, request, 4096, ffi.NULL, ffi.new("OVERLAPPED *"))
    assert code == ErrorCode.ERROR_INVALID_PARAMETER


async def test_requests_wait_for_workers(machine, controller, worker):
    calls = [machine.client().request("GET", f"{URL}{number}") for number in range(5)]
    assert waiting(machine) == 5
    async with worker():
        for number, call in enumerate(calls):
            assert (await call.response()).body == b"hello |/%d" % number


async def test_workers_share_the_queue_and_can_be_replaced(machine, controller, worker):
    async with worker() as old:
        assert (await machine.client().request("GET", URL).response()).status == 200
        async with worker():
            await old.stop(5)
            for _ in range(3):
                assert (await machine.client().request("GET", URL).response()).status == 200
    assert machine.queue("q") is not None


async def test_a_worker_that_stops_finishes_and_leaves_the_rest_to_the_next(machine, controller, worker):
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold(exchange):
        held.set()
        await go_on.wait()
        return await exchange.respond(200, "old")

    async with worker(hold) as old:
        first = machine.client().request("GET", URL)
        await held.wait()
        stopping = asyncio.create_task(old.stop(5))
        await machine.until(lambda: not machine.queue("q").receives)
        second = machine.client().request("GET", URL)
        go_on.set()
        assert (await first.response()).body == b"old"
        await stopping
    assert waiting(machine) == 1
    async with worker():
        assert (await second.response()).body == b"hello |/"


async def test_a_worker_that_dies_takes_along_only_what_it_had(machine, controller, worker):
    windows = machine.process("dies")
    program = Program(machine, queue="q", flags=1, urls=(), windows=windows)
    taken = machine.client().request("GET", URL)
    left = machine.client().request("GET", f"{URL}left")
    program.take()
    machine.kill(windows)
    with pytest.raises(ConnectionResetError):
        await taken.response()
    assert machine.httperr == [(0, "Connection_Abandoned_By_AppPool")]
    async with worker():
        assert (await left.response()).body == b"hello |/left"


async def test_a_controller_that_releases_takes_the_prefixes_along(machine, windows, worker):
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    async with worker():
        controller.release()
        assert machine.queue("q") is not None
        answer = await machine.client().request("GET", URL).response()
        assert (answer.status, machine.alive().get("url")) == (400, None)
    assert machine.queue("q") is None


async def test_a_controller_that_withdraws_gets_no_more_and_what_waits_is_served(machine, controller, worker):
    call = machine.client().request("GET", URL)
    controller.withdraw()
    controller.withdraw()
    assert (await machine.client().request("GET", URL).response()).status == 503
    async with worker():
        assert (await call.response()).body == b"hello |/"
    assert machine.queue("q").controlled


# -- demand start (HttpWaitForDemandStart) ----------------------------------------------------------------------------


async def test_a_request_that_nobody_is_there_for_is_a_demand(machine, controller, worker):
    demand = asyncio.create_task(controller.demanded())
    await machine.until(lambda: machine.queue("q").demand)
    assert not demand.done()
    call = machine.client().request("GET", URL)
    await demand
    async with worker():
        assert (await call.response()).status == 200


async def test_a_request_that_waits_already_is_a_demand(machine, controller, worker):
    call = machine.client().request("GET", URL)
    for _ in range(3):
        await controller.demanded()
    async with worker():
        assert (await call.response()).status == 200


async def test_one_demand_after_another(machine, controller, worker):
    for number in range(3):
        demand = asyncio.create_task(controller.demanded())
        await machine.until(lambda: machine.queue("q").demand)
        call = machine.client().request("GET", f"{URL}{number}")
        await demand
        async with worker():
            assert (await call.response()).body == b"hello |/%d" % number


async def test_a_request_that_a_worker_takes_is_none(machine, controller, worker):
    async with worker():
        demand = asyncio.create_task(controller.demanded())
        await machine.until(lambda: machine.queue("q").demand)
        assert (await machine.client().request("GET", URL).response()).status == 200
        assert not demand.done()
    call = machine.client().request("GET", URL)
    await demand
    async with worker():
        await call.response()


async def test_only_one_waits_at_a_time(machine, controller):
    demand = asyncio.create_task(controller.demanded())
    await machine.until(lambda: machine.queue("q").demand)
    with pytest.raises(Win32Error, match="ERROR_ALREADY_EXISTS"):
        await controller.demanded()
    demand.cancel()
    await asyncio.wait([demand])


async def test_a_process_that_did_not_make_the_queue_is_told_nothing(machine, controller):
    process = machine.process()
    opener = Controller.open("q", QueueMode.CREATE_OR_ATTACH, windows=process)
    with pytest.raises(Win32Error, match="only the queue's controller") as caught:
        await opener.demanded()
    assert caught.value.code == ErrorCode.ERROR_INVALID_ID_AUTHORITY
    opener.release()
    assert process.alive() == {}


async def test_waiting_can_be_given_up_and_begun_again(machine, controller):
    for _ in range(3):
        demand = asyncio.create_task(controller.demanded())
        await machine.until(lambda: machine.queue("q").demand)
        demand.cancel()
        with pytest.raises(asyncio.CancelledError):
            await demand
        assert "operation" not in machine.alive()
        assert machine.queue("q").demand is None


async def _waits(machine, controller):
    demand = asyncio.create_task(controller.demanded())
    await machine.until(lambda: machine.queue("q").demand)
    return demand


async def test_released_while_somebody_waits(machine, windows):
    threads = threading.active_count()
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    demand = await _waits(machine, controller)
    controller.release()
    with pytest.raises(Win32Error) as caught:
        await demand
    assert caught.value.code == ErrorCode.ERROR_OPERATION_ABORTED
    assert (machine.alive(), threading.active_count()) == ({}, threads)


@pytest.mark.parametrize("first", ["released", "given up"])
async def test_released_and_given_up_at_once(machine, windows, first):
    threads = threading.active_count()
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    demand = await _waits(machine, controller)
    if first == "released":
        controller.release()
        demand.cancel()
    else:
        demand.cancel()
        controller.release()
    await asyncio.wait([demand])
    assert demand.cancelled() or demand.exception() is not None
    assert (machine.alive(), threading.active_count()) == ({}, threads)


async def test_released_after_somebody_waited(machine, windows):
    threads = threading.active_count()
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    call = machine.client().request("GET", URL)
    await controller.demanded()
    controller.release()
    assert (machine.alive(), threading.active_count()) == ({}, threads)
    await call.over()
    assert machine.httperr[-1] == (503, "AppOffline")


@pytest.mark.parametrize("waited", [False, True])
async def test_what_is_released_is_not_waited_for(machine, windows, waited):
    controller = Controller.open("q", QueueMode.CREATE, PREFIXES, windows=windows)
    if waited:
        machine.client().request("GET", URL)
        await controller.demanded()
    controller.release()
    with pytest.raises(Win32Error, match="HttpWaitForDemandStart q: ERROR_INVALID_HANDLE"):
        await controller.demanded()
    assert machine.alive() == {}


@pytest.mark.parametrize("function", ["CreateIoCompletionPort", "HttpWaitForDemandStart"])
@pytest.mark.parametrize("after", [0, 1])
async def test_a_wait_that_cannot_begin_leaves_nothing(machine, windows, controller, function, after):
    threads = threading.active_count()
    if function == "HttpWaitForDemandStart" and after:
        await (await _given_up(machine, controller))
        after = 0
    windows.fail(function, ErrorCode.ERROR_NO_SYSTEM_RESOURCES, after=after)
    with pytest.raises(Win32Error, match=f"{function}.*ERROR_NO_SYSTEM_RESOURCES"):
        await controller.demanded()
    if function == "CreateIoCompletionPort":
        assert ("port" in machine.alive(), threading.active_count()) == (False, threads)
    demand = await _waits(machine, controller)
    demand.cancel()
    await asyncio.wait([demand])


async def _given_up(machine, controller):
    demand = await _waits(machine, controller)
    demand.cancel()
    return asyncio.wait([demand])


async def test_a_wait_that_fails_later_says_so(windows, controller):
    windows.fail("HttpWaitForDemandStart", ErrorCode.ERROR_NO_SYSTEM_RESOURCES, later=True)
    with pytest.raises(Win32Error, match="HttpWaitForDemandStart q: ERROR_NO_SYSTEM_RESOURCES"):
        await controller.demanded()


async def test_a_controller_that_attached_leaves_the_queue_as_it_is(machine, windows):
    there = create_queue(machine.process(), "q")
    options = ServerOptions(request_queue_limit=33)
    opener = Controller.open("q", QueueMode.CREATE_OR_ATTACH, PREFIXES, options=options, windows=windows)
    assert machine.queue("q").limit == 1000
    assert machine.alive()["url"] == 1
    opener.release()
    there.close()

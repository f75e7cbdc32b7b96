"""The fake fails as it is told to, takes only what the real signatures take, and says what is left."""

import pytest

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.api import HttpApi, Windows
from hostler.windows.libraries import Advapi32, IpHlpApi, Kernel32, NtDll, exports
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.dll import SIGNATURES
from tests.server.httpsys.model.program import INVALID_HANDLE_VALUE, NULL, URL, VERSION, Program

# -- faults


def test_a_function_fails_as_often_as_it_is_told(program):
    program.windows.fail("HttpAddUrlToUrlGroup", c.ACCESS_DENIED, times=2)
    codes = [program.add(f"http://+:80/{at}/") for at in range(3)]
    assert codes == [c.ACCESS_DENIED, c.ACCESS_DENIED, c.OK]


def test_a_function_fails_later_or_for_some_arguments_only(program):
    program.windows.fail("HttpAddUrlToUrlGroup", c.ACCESS_DENIED, after=1)
    program.windows.fail(
        "HttpAddUrlToUrlGroup", c.INVALID_NAME, when=lambda group, url, context, reserved: context == 9
    )
    codes = [program.add(f"http://+:80/{context}/", context) for context in (1, 9, 3)]
    assert codes == [c.OK, c.ACCESS_DENIED, c.OK]
    assert program.add("http://+:80/x/", 9) == c.INVALID_NAME


def test_functions_that_return_no_code_set_the_last_error(program):
    windows = program.windows
    windows.fail("CreateIoCompletionPort", 8)
    assert windows.kernel.CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0) == NULL
    assert windows.kernel.GetLastError() == 8
    windows.fail("SetFileCompletionNotificationModes", 50)
    assert windows.kernel.SetFileCompletionNotificationModes(program.queue, 3) == 0
    assert windows.kernel.GetLastError() == 50
    windows.fail("CreateFileW", 2)
    assert windows.kernel.CreateFileW("x", 0, 0, NULL, 3, 0, NULL) == INVALID_HANDLE_VALUE
    windows.fail("HttpIsFeatureSupported", 1)
    assert windows.http.HttpIsFeatureSupported(3) == 0


def test_a_call_may_fail_by_its_packet(program):
    program.windows.fail("HttpReceiveHttpRequest", 64, later=True)
    io = program.receive()
    assert io.code == c.IO_PENDING
    assert program.result(io) == (64, 0)
    assert program.cancel(io) == c.NOT_FOUND


def test_any_call_can_be_broken_in_turn(machine):
    def attempt(after):
        windows = machine.process()
        fault = windows.fail("*", 1450, after=after)
        out = ffi.new("HTTP_SERVER_SESSION_ID *")
        codes = [
            windows.http.HttpInitialize(VERSION[0], 3, NULL),
            windows.http.HttpCreateServerSession(VERSION[0], out, 0),
            windows.http.HttpTerminate(3, NULL) if not windows.calls[0].result else 0,
        ]
        machine.kill(windows)
        return codes, fault.times

    assert attempt(0) == ([1450, c.DLL_INIT_FAILED, 0], 0)
    assert attempt(1) == ([0, 1450, 0], 0)
    assert attempt(2) == ([0, 0, 0], 1)


def test_processes_fail_on_their_own(machine, program):
    program.windows.fail("HttpAddUrlToUrlGroup", c.ACCESS_DENIED)
    assert Program(machine, "other", urls=()).add("http://+:80/") == c.OK


# -- signatures


def test_what_c_does_not_take_is_not_taken(program):
    with pytest.raises(TypeError):
        program.http.HttpCloseRequestQueue(5)
    with pytest.raises(TypeError):
        program.http.HttpCloseRequestQueue(program.queue, 1)
    with pytest.raises(TypeError):
        program.http.HttpCreateRequestQueue(VERSION, NULL, NULL, 0, ffi.new("HANDLE *"))
    with pytest.raises(OverflowError):
        program.http.HttpCloseUrlGroup(-1)
    with pytest.raises(TypeError):
        program.http.HttpAddUrlToUrlGroup(program.group, b"http://+:80/", 0, 0)
    with pytest.raises(TypeError):
        program.kernel.CancelIoEx(program.queue, ffi.new("uint32_t *"))


@pytest.mark.parametrize("protocol", [HttpApi, Kernel32, NtDll, Advapi32])
def test_every_function_that_the_product_may_call_has_a_signature(protocol):
    names = {name for name in vars(protocol) if not name.startswith("_")}
    assert names <= set(SIGNATURES)


NOT_IN_THE_FAKE = {
    "HttpAddFragmentToCache", "HttpReadFragmentFromCache", "HttpDeclarePush", "HttpPrepareUrl",
    "SetConsoleCtrlHandler", "GenerateConsoleCtrlEvent",
}  # fmt: skip


def test_what_the_fake_has_not_it_does_not_export(program):
    windows = program.windows
    assert isinstance(windows, Windows)
    dlls = [
        (windows.http, HttpApi),
        (windows.kernel, Kernel32),
        (windows.nt, NtDll),
        (windows.security, Advapi32),
        (windows.network, IpHlpApi),
    ]
    missing = {
        name
        for dll, protocol in dlls
        for name in vars(protocol)
        if not name.startswith("_") and not exports(dll, name)
    }
    assert missing == NOT_IN_THE_FAKE


def test_exports_can_be_missing(machine):
    windows = machine.process(missing={"HttpFindUrlGroupId"})
    assert not exports(windows.http, "HttpFindUrlGroupId")
    assert exports(windows.http, "HttpDelegateRequestEx")
    assert not exports(windows.http, "HttpNoSuchThing")
    assert not exports(windows.http, "CloseHandle")


# -- what it tells


def test_calls_are_written_down(machine, program):
    program.add("http://+:80/", 3)
    call = program.windows.calls[-1]
    assert (call.function, call.result, call.arguments[0], call.arguments[2]) == (
        "HttpAddUrlToUrlGroup",
        0,
        program.group,
        3,
    )
    assert machine.count("HttpAddUrlToUrlGroup") == 2


def test_what_is_alive_is_counted_for_each_process_and_for_all(machine, program):
    other = Program(machine, "other", urls=())
    program.receive()
    assert program.windows.alive()["operation"] == 1
    assert "operation" not in other.windows.alive()
    assert machine.alive()["queue handle"] == 2
    machine.client().request("GET", URL)
    assert program.windows.alive()["packet"] == 1
    assert program.windows.alive()["request"] == 1
    machine.kill(program.windows)
    assert machine.alive() == other.windows.alive()


def test_terminating_too_often_and_freeing_what_is_not_allocated_is_noticed(machine, program):
    program.close()
    assert program.http.HttpTerminate(3, NULL) == c.INVALID_PARAMETER
    assert program.http.HttpInitialize(VERSION[0], 3, NULL) == c.OK
    assert program.http.HttpTerminate(1, NULL) == c.INVALID_PARAMETER
    assert machine.alive() == {"HttpInitialize": 1}
    assert program.http.HttpTerminate(3, NULL) == c.OK
    program.kernel.LocalFree(ffi.cast("void *", 16))
    assert program.kernel.LocalFree(NULL) == NULL
    assert machine.defects == [
        "program calls HttpTerminate(3) without HttpInitialize(3)",
        "program calls HttpTerminate(1) without HttpInitialize(1)",
        "LocalFree of what is not allocated",
    ]
    machine.defects.clear()


def test_statuses_are_translated_as_windows_does(program):
    translate = program.windows.nt.RtlNtStatusToDosError
    statuses = [0, 0x103, 0x80000005, 0xC0000011, 0xC0000120, 0xC000023A, 0xC00000C9, 0xC0070032]
    assert [translate(status) for status in statuses] == [0, 997, 234, 38, 995, 1229, 64, 50]


def test_a_process_that_is_dead_can_do_nothing_more(machine, program):
    machine.kill(program.windows)
    assert program.http.HttpInitialize(VERSION[0], 3, NULL) == c.INVALID_HANDLE
    assert program.receive().code == c.INVALID_HANDLE
    assert program.open("q")[0] == c.INVALID_HANDLE
    assert machine.alive() == {}

"""The fake's Windows authentication and its log."""

import base64

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.program import NULL, URL

AUTHENTICATION, LOGGING = 0, 1
BASIC, NEGOTIATE = 1, 8
LOGON_DENIED = 0x8009030C


@pytest.fixture
def machine(machine):
    machine.passwords = {"bob": "secret"}
    return machine


# -- authentication


def ask_for(program, schemes):
    info = ffi.new("HTTP_SERVER_AUTHENTICATION_INFO *", {"Flags": 1, "AuthSchemes": schemes})
    size = ffi.sizeof(info[0])
    assert program.http.HttpSetServerSessionProperty(program.session, AUTHENTICATION, info, size) == c.OK


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def authentication(program):
    request = program.take().request
    assert request.RequestInfoCount == 1
    assert request.pRequestInfo[0].InfoType == 0
    return ffi.cast("HTTP_REQUEST_AUTH_INFO *", request.pRequestInfo[0].pInfo)


def test_nothing_is_said_where_nothing_is_asked_for(machine, program):
    machine.client().request("GET", URL, [("Authorization", basic("bob", "secret"))])
    assert program.take().request.RequestInfoCount == 0


@pytest.mark.parametrize(
    ("schemes", "header", "status", "kind", "code"),
    [
        (BASIC, None, 1, 0, 0),
        (BASIC, basic("bob", "secret"), 0, 1, 0),
        (BASIC, basic("bob", "wrong"), 2, 1, LOGON_DENIED),
        (BASIC, basic("eve", "secret"), 2, 1, LOGON_DENIED),
        (BASIC, "Basic !", 2, 1, LOGON_DENIED),
        (BASIC, "Negotiate bob", 1, 0, 0),
        (NEGOTIATE, "Negotiate bob", 0, 4, 0),
        (NEGOTIATE, "Negotiate eve", 2, 4, LOGON_DENIED),
    ],
)
def test_credentials_are_checked(machine, program, schemes, header, status, kind, code):
    ask_for(program, schemes)
    machine.client().request("GET", URL, [("Authorization", header)] if header else [])
    info = authentication(program)
    assert (info.AuthStatus, info.AuthType, info.SecStatus & 0xFFFFFFFF) == (status, kind, code)
    assert (info.AccessToken != NULL) == (status == 0)


def test_a_token_belongs_to_who_received_it_and_is_closed(machine, program):
    ask_for(program, NEGOTIATE)
    machine.client().request("GET", URL, [("Authorization", "Negotiate bob")])
    info = authentication(program)
    assert ffi.unpack(info.pPackageName, info.PackageNameLength // 2) == "Negotiate"
    assert machine.alive()["token"] == 1
    assert program.kernel.CloseHandle(info.AccessToken)
    assert "token" not in machine.alive()


# -- the log


def keep_a_log(program, flags=0):
    directory = ffi.new("char16_t[]", "C:\\logs")
    info = ffi.new(
        "HTTP_LOGGING_INFO *",
        {
            "Flags": 1,
            "LoggingFlags": flags,
            "DirectoryName": directory,
            "DirectoryNameLength": 14,
            "RolloverSize": 1 << 20,
        },
    )
    size = ffi.sizeof(info[0])
    assert program.http.HttpSetUrlGroupProperty(program.group, LOGGING, info, size) == c.OK


def line(status=200):
    data = ffi.new("HTTP_LOG_FIELDS_DATA *", {"ProtocolStatus": status, "ServerPort": 8080})
    method, stem = ffi.new("char[]", b"GET"), ffi.new("char16_t[]", "/a")
    data.Method, data.MethodLength, data.UriStem, data.UriStemLength = method, 3, stem, 4
    return ffi.cast("HTTP_LOG_DATA *", data), (data, method, stem)


def answer(program, machine, log, flags=0):
    machine.client().request("GET", URL)
    response = ffi.new("HTTP_RESPONSE *", {"StatusCode": 200})
    flags |= c.BUFFER_DATA
    arguments = (program.queue, program.take().request.RequestId, flags, response, NULL, NULL, NULL, 0)
    overlapped = ffi.new("OVERLAPPED *")
    assert program.http.HttpSendHttpResponse(*arguments, overlapped, log) == c.OK


def test_an_answer_is_logged_with_what_the_last_send_says(machine, program):
    keep_a_log(program)
    data, keep = line()
    answer(program, machine, data)
    answer(program, machine, NULL)
    answer(program, machine, data, c.MORE)
    assert machine.log == [
        {"UriStem": "/a", "Method": "GET", "ServerPort": 8080, "ProtocolStatus": 200, "Win32Status": 0, "MethodNum": 0,
         "SubStatus": 0}
    ]  # fmt: skip
    assert keep


def test_without_the_property_nothing_is_logged(machine, program):
    data, keep = line()
    answer(program, machine, data)
    assert machine.log == []
    assert keep


@pytest.mark.parametrize(("flags", "statuses"), [(4, [404]), (8, [200])])
def test_a_log_may_have_errors_or_successes_only(machine, program, flags, statuses):
    keep_a_log(program, flags)
    for status in (200, 404):
        data, keep = line(status)
        answer(program, machine, data)
        assert keep
    assert [entry["ProtocolStatus"] for entry in machine.log] == statuses

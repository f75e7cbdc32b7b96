"""The fake's properties of sessions and URL groups: who has which, what is refused, what is given back."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.program import NULL, Program

INFINITE = 0xFFFFFFFF
AUTHENTICATION, LOGGING, QOS, TIMEOUTS, QUEUE_LENGTH, STATE, VERBOSITY, BINDING = range(8)
EXTENDED, LISTEN_ENDPOINT, CHANNEL_BIND, PROTECTION_LEVEL = range(8, 12)


def set_group(program, number, info, size=None):
    size = ffi.sizeof(info[0]) if size is None else size
    return program.http.HttpSetUrlGroupProperty(program.group, number, info, size)


def set_session(program, number, info):
    return program.http.HttpSetServerSessionProperty(program.session, number, info, ffi.sizeof(info[0]))


def test_what_was_set_is_given_back(program):
    timeouts = ffi.new("HTTP_TIMEOUT_LIMIT_INFO *", (1, 10, 20, 30, 40, 50, 150))
    assert set_group(program, TIMEOUTS, timeouts) == c.OK
    out, length = ffi.new("HTTP_TIMEOUT_LIMIT_INFO *"), ffi.new("uint32_t *")
    query = program.http.HttpQueryUrlGroupProperty
    assert query(program.group, TIMEOUTS, out, 20, length) == c.OK
    assert bytes(ffi.buffer(out)) == bytes(ffi.buffer(timeouts))
    assert length[0] == 20
    length[0] = 0
    assert query(program.group, TIMEOUTS, out, 19, length) == c.MORE_DATA
    assert length[0] == 20
    assert query(program.group, TIMEOUTS, NULL, 20, length) == c.INVALID_PARAMETER
    assert query(program.group, TIMEOUTS, out, 0, length) == c.INVALID_PARAMETER
    assert query(program.group, LOGGING, ffi.new("HTTP_LOGGING_INFO *"), 96, length) == c.INVALID_PARAMETER
    query = program.http.HttpQueryServerSessionProperty
    assert query(program.session, TIMEOUTS, out, 20, length) == c.OK
    assert out.Flags == 0


@pytest.mark.parametrize("number", [QUEUE_LENGTH, VERBOSITY, 12, 99])
def test_a_property_of_something_else_is_refused(program, number):
    assert set_group(program, number, ffi.new("uint32_t *", 1), 4) == c.INVALID_PARAMETER


def test_nothing_and_too_little_are_refused(program):
    timeouts = ffi.new("HTTP_TIMEOUT_LIMIT_INFO *", (1,))
    assert set_group(program, TIMEOUTS, timeouts, 19) == c.INVALID_PARAMETER
    assert set_group(program, TIMEOUTS, NULL, 20) == c.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("kind", "struct", "value", "session", "group"),
    [
        (0, "HTTP_BANDWIDTH_LIMIT_INFO", (1, 1024), c.OK, c.OK),
        (0, "HTTP_BANDWIDTH_LIMIT_INFO", (1, 1023), c.INVALID_PARAMETER, c.INVALID_PARAMETER),
        (0, "HTTP_BANDWIDTH_LIMIT_INFO", (1, INFINITE), c.OK, c.OK),
        (1, "HTTP_CONNECTION_LIMIT_INFO", (1, 5), c.INVALID_PARAMETER, c.OK),
        (2, "HTTP_FLOWRATE_INFO", (1, 1024, 2048, 10), c.INVALID_PARAMETER, c.INVALID_PARAMETER),
    ],
)
def test_limits_belong_where_microsoft_says(program, kind, struct, value, session, group):
    setting = ffi.new(f"{struct} *", value)
    info = ffi.new("HTTP_QOS_SETTING_INFO *", (kind, setting))
    assert set_session(program, QOS, info) == session
    assert set_group(program, QOS, info) == group


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, c.OK),
        ({"Format": 3}, c.INVALID_PARAMETER),
        ({"RolloverSize": 1000}, c.INVALID_PARAMETER),
        ({"RolloverType": 1}, c.INVALID_PARAMETER),
        ({"RolloverType": 1, "RolloverSize": 0}, c.OK),
        ({"LoggingFlags": 0xC}, c.INVALID_PARAMETER),
        ({"DirectoryNameLength": 426}, c.INVALID_PARAMETER),
        ({"DirectoryNameLength": 0}, c.INVALID_PARAMETER),
    ],
)
def test_logging(program, change, code):
    directory = ffi.new("char16_t[]", "C:\\logs")
    fields = {"Flags": 1, "DirectoryName": directory, "DirectoryNameLength": 14, "RolloverSize": 1 << 20}
    info = ffi.new("HTTP_LOGGING_INFO *", {**fields, **change})
    assert set_group(program, LOGGING, info) == code


def test_the_session_logs_raw_and_not_as_iis(program):
    directory = ffi.new("char16_t[]", "C:\\logs")
    fields = {"Flags": 1, "DirectoryName": directory, "DirectoryNameLength": 14, "RolloverSize": 1 << 20}
    assert set_session(program, LOGGING, ffi.new("HTTP_LOGGING_INFO *", {**fields, "Format": 3})) == c.OK
    iis = ffi.new("HTTP_LOGGING_INFO *", {**fields, "Format": 1})
    assert set_session(program, LOGGING, iis) == c.INVALID_PARAMETER


def test_authentication_channel_binding_protection(program):
    schemes = ffi.new("HTTP_SERVER_AUTHENTICATION_INFO *", {"Flags": 1, "AuthSchemes": 8 | 4})
    assert set_session(program, AUTHENTICATION, schemes) == c.OK
    schemes.AuthSchemes = 0x20
    assert set_group(program, EXTENDED, schemes) == c.INVALID_PARAMETER
    hardening = ffi.new("HTTP_CHANNEL_BIND_INFO *", {"Hardening": 1})
    assert set_group(program, CHANNEL_BIND, hardening) == c.OK
    hardening.Hardening = 3
    assert set_group(program, CHANNEL_BIND, hardening) == c.INVALID_PARAMETER
    level = ffi.new("HTTP_PROTECTION_LEVEL_INFO *", (1, 2))
    assert set_group(program, PROTECTION_LEVEL, level) == c.OK
    assert set_session(program, PROTECTION_LEVEL, level) == c.INVALID_PARAMETER


def test_a_group_cannot_be_bound_to_a_queue_that_was_opened_to_delegate(program):
    owner = Program(program.machine, "owner", queue="q", urls=())
    _, target = program.open("q", c.OPEN_EXISTING | c.DELEGATION)
    assert program.bind(target) == c.INVALID_PARAMETER
    assert owner.bind(owner.queue) == c.OK

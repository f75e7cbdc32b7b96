"""Which processes listen on a TCP port."""

import pytest

from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from hostler.windows.tcp import SYSTEM_PROCESS, TcpListener, listeners_on
from tests.server.httpsys.model.program import Program


@pytest.fixture
def windows(machine):
    return machine.process()


def test_listeners_are_found_by_their_port(machine, windows):
    machine.sockets = [
        ("127.0.0.1", 8080, 7, "C:\\nginx.exe"),
        ("127.0.0.1", 8081, 8, "C:\\other.exe"),
        ("::1", 8080, 9, "C:\\node.exe"),
    ]
    assert listeners_on(windows, 8080) == (
        TcpListener("127.0.0.1", 7, "C:\\nginx.exe"),
        TcpListener("::1", 9, "C:\\node.exe"),
    )
    assert listeners_on(windows, 80) == ()
    assert windows.alive() == {}


def test_what_http_sys_listens_on_is_the_systems(machine, windows):
    program = Program(machine, urls=("http://+:80/",))
    assert listeners_on(windows, 80) == (
        TcpListener("0.0.0.0", SYSTEM_PROCESS, ""),
        TcpListener("::", SYSTEM_PROCESS, ""),
    )
    machine.kill(program.windows)


def test_a_program_that_may_not_be_seen_has_no_name(machine, windows):
    machine.sockets = [("0.0.0.0", 80, 7, "C:\\nginx.exe")]
    windows.fail("QueryFullProcessImageNameW", ErrorCode.ERROR_ACCESS_DENIED)
    assert listeners_on(windows, 80) == (TcpListener("0.0.0.0", 7, ""),)
    windows.fail("OpenProcess", ErrorCode.ERROR_ACCESS_DENIED)
    assert listeners_on(windows, 80) == (TcpListener("0.0.0.0", 7, ""),)
    assert windows.alive() == {}


def test_a_table_that_cannot_be_had_is_an_error(windows):
    windows.fail("GetExtendedTcpTable", ErrorCode.ERROR_NOT_SUPPORTED)
    with pytest.raises(Win32Error, match="GetExtendedTcpTable"):
        listeners_on(windows, 80)

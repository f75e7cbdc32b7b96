"""Sockets that a process was started with: taken as sd_listen_fds(3) says, in a process of their own."""

import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest

from hostler.errors import ListenError
from hostler.processes.inherited import take_inherited

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is not on Windows")


def environment(count=1, pid=None, **more):
    return {"LISTEN_FDS": str(count), "LISTEN_PID": str(pid or os.getpid()), "HOME": "/", **more}


def passed(sock):
    """Return a descriptor of a socket that somebody else would own."""
    descriptor = os.dup(sock.fileno())
    os.set_inheritable(descriptor, True)
    return descriptor


def test_listening_sockets_are_taken_and_the_variables_removed():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        descriptor = passed(sock)
        environ = environment(LISTEN_FDNAMES="web")
        (taken,) = take_inherited(environ, first=descriptor)
        with taken:
            assert taken.getsockname() == sock.getsockname()
            assert taken.fileno() == descriptor
            assert not os.get_inheritable(descriptor)
    assert environ == {"HOME": "/"}


def test_those_of_another_process_are_left(caplog):
    environ = environment(pid=1)
    assert take_inherited(environ) == ()
    assert "LISTEN_FDS is for process 1" in caplog.text
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    "environ",
    [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "x", "LISTEN_PID": "1"}]
    + [environment(count) for count in ("²", "-1", "9" * 5000)],
)
def test_without_the_variables_there_are_none(environ):
    assert take_inherited(environ) == ()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), r"\(web\) is no stream socket"),
        (socket.socket, "does not listen"),
        (Path("/dev/null").open, "is no socket"),
    ],
)
def test_what_is_no_listening_stream_socket_is_refused(make, why):
    with make() as other:
        descriptor = passed(other)
        try:
            with pytest.raises(ListenError, match=why):
                take_inherited(environment(LISTEN_FDNAMES="web"), first=descriptor)
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)

"""Users, groups and who listens: Windows' own answers, as Wine gives them."""

from __future__ import annotations

import os
import socket
from pathlib import PureWindowsPath

import pytest

from hostler.server.httpsys import api
from hostler.windows.accounts import name_of, sid_of
from hostler.windows.errors import Win32Error
from hostler.windows.tcp import listeners_on


@pytest.fixture(scope="module")
def windows():
    return api.load()


@pytest.mark.parametrize(
    ("account", "sid"), [("Everyone", "S-1-1-0"), ("SYSTEM", "S-1-5-18"), ("NETWORK SERVICE", "S-1-5-20")]
)
def test_a_well_known_name_has_the_identifier_that_microsoft_documents(windows, account, sid):
    assert sid_of(windows, account) == sid
    assert name_of(windows, sid).lower().endswith(account.lower())


def test_a_short_form_of_sddl_has_a_name(windows):
    assert name_of(windows, "WD") == name_of(windows, "S-1-1-0")


def test_nobody_has_no_identifier(windows):
    with pytest.raises(Win32Error, match="ERROR_NONE_MAPPED"):
        sid_of(windows, "nobody-of-that-name")


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_listening_socket_is_found_with_its_process(windows, family, address):
    with socket.create_server((address, 0), family=family) as sock:
        (found,) = listeners_on(windows, sock.getsockname()[1])
    assert (found.address, found.process) == (address, os.getpid())
    assert PureWindowsPath(found.program).name.startswith("python")

"""Users and groups, by name and by security identifier."""

import pytest

from hostler.windows.accounts import name_of, sid_of
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error


@pytest.fixture
def windows(machine):
    return machine.process(user="ann")


@pytest.mark.parametrize(
    ("account", "sid"),
    [("Everyone", "S-1-1-0"), ("NT AUTHORITY\\NETWORK SERVICE", "S-1-5-20"), ("network service", "S-1-5-20")],
)
def test_a_name_has_an_identifier(windows, account, sid):
    assert sid_of(windows, account) == sid


def test_an_identifier_has_a_name(machine, windows):
    assert name_of(windows, sid_of(windows, "ann")) == "MACHINE\\ann"
    assert name_of(windows, "S-1-1-0") == "Everyone"
    assert name_of(windows, "NS") == "NT AUTHORITY\\NETWORK SERVICE"
    assert windows.alive() == {}


@pytest.mark.parametrize("sid", ["S-1-5-21-9-9-9-1001", "no identifier"])
def test_an_identifier_of_nobody_stays_what_it_is(windows, sid):
    assert name_of(windows, sid) == sid
    assert windows.alive() == {}


def test_a_name_of_nobody_is_an_error(windows):
    with pytest.raises(
        Win32Error, match=r"LookupAccountName nobody: ERROR_NONE_MAPPED \(1332\), there is no user"
    ):
        sid_of(windows, "nobody")


def test_an_identifier_that_windows_cannot_write_is_an_error(windows):
    windows.fail("ConvertSidToStringSidW", ErrorCode.ERROR_NOT_ENOUGH_MEMORY)
    with pytest.raises(Win32Error, match="ConvertSidToStringSid Everyone"):
        sid_of(windows, "Everyone")

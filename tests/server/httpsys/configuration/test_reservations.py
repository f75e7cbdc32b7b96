"""URL reservations, as records of the machine's configuration."""

import pytest

from hostler.server.httpsys.configuration.reservations import (
    Reservation,
    find,
    remove,
    reservations,
    reserve,
    sddl_for,
    trustees,
)
from hostler.server.httpsys.configuration.store import open_store
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error
from tests.server.httpsys.model.program import Program

URL = "http://+:8080/"


def test_who_has_a_reservation_may_register(machine, windows, store):
    bob = Program(machine, urls=(), windows=machine.process(user="bob"))
    assert bob.add(URL) == ErrorCode.ERROR_ACCESS_DENIED
    reserve(store, Reservation(URL, sddl_for(windows, "bob")))
    assert bob.add(URL) == 0
    bob.http.HttpRemoveUrlFromUrlGroup(bob.group, URL, 0)
    remove(store, URL)
    assert bob.add(URL) == ErrorCode.ERROR_ACCESS_DENIED
    machine.kill(bob.windows)


def test_every_reservation_is_listed_as_it_was_made(store):
    made = [Reservation(f"http://+:80/{number}/", f"D:(A;;GX;;;S-1-5-{number})") for number in range(50)]
    for reservation in made:
        reserve(store, reservation)
    assert list(reservations(store)) == made


def test_a_reservation_is_found_by_its_url(store):
    made = Reservation(URL, "D:(A;;GX;;;WD)")
    reserve(store, made)
    assert find(store, URL) == made
    assert find(store, "http://+:8081/") is None


def test_trustees_are_named_with_their_rights(windows):
    sddl = "D:(A;;GX;;;NS)(A;;GA;;;S-1-1-0)(A;;GW;;;S-1-5-21-7)(A;;0x1;;;AU)(D;;GX;;;BU)"
    assert list(trustees(windows, Reservation(URL, sddl))) == [
        ("NT AUTHORITY\\NETWORK SERVICE", "register"),
        ("Everyone", "register and delegate"),
        ("S-1-5-21-7", "delegate"),
        ("NT AUTHORITY\\Authenticated Users", "0x1"),
    ]


@pytest.mark.parametrize(
    ("sddl", "code"),
    [("D:(A;;GX;;;WD)", ErrorCode.ERROR_ALREADY_EXISTS), ("no", ErrorCode.ERROR_ALREADY_EXISTS)],
)
def test_what_is_reserved_cannot_be_reserved_again(store, sddl, code):
    reserve(store, Reservation(URL, "D:(A;;GX;;;WD)"))
    with pytest.raises(Win32Error, match="HttpSetServiceConfiguration") as error:
        reserve(store, Reservation(URL, sddl))
    assert error.value.code == code


def test_what_is_not_reserved_cannot_be_removed(store):
    with pytest.raises(Win32Error, match="HttpDeleteServiceConfiguration") as error:
        remove(store, URL)
    assert error.value.code == ErrorCode.ERROR_FILE_NOT_FOUND


def test_a_store_of_which_nothing_can_be_had_is_an_error(windows, store):
    windows.fail("HttpQueryServiceConfiguration", ErrorCode.ERROR_NOT_SUPPORTED)
    with pytest.raises(Win32Error, match="HttpQueryServiceConfiguration"):
        list(reservations(store))


def test_a_store_is_closed_also_after_an_error(windows):
    windows.fail("HttpQueryServiceConfiguration", ErrorCode.ERROR_NOT_SUPPORTED)
    with pytest.raises(Win32Error), open_store(windows) as store:
        list(reservations(store))
    assert windows.alive() == {}

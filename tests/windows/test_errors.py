"""Win32 codes as exceptions: each names the function and the thing, and says what the code means."""

import copy
import pickle

import pytest

from hostler.errors import HostlerError
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error, check


def test_an_error_says_what_failed_on_what_and_why():
    error = Win32Error(87, "HttpSetUrlGroupProperty", "Timeouts")
    assert str(error) == (
        "HttpSetUrlGroupProperty Timeouts: ERROR_INVALID_PARAMETER (87), "
        "one of the values is not one that this Windows takes"
    )
    assert (error.code, error.function, error.subject) == (87, "HttpSetUrlGroupProperty", "Timeouts")


def test_an_error_without_a_subject_does_without():
    assert str(Win32Error(6, "HttpShutdownRequestQueue")).startswith(
        "HttpShutdownRequestQueue: ERROR_INVALID_HANDLE (6), "
    )


def test_an_unknown_code_sends_to_where_it_is_known():
    error = Win32Error(12345, "HttpCreateUrlGroup")
    assert (
        str(error) == "HttpCreateUrlGroup: error (12345), see what Windows says of it with: net helpmsg 12345"
    )


def test_an_old_windows_is_told_which_windows_has_the_api():
    assert "Windows 7, Windows Server 2008 R2 or later" in str(Win32Error(1306, "HttpInitialize"))


@pytest.mark.parametrize("code", [code for code in ErrorCode if code])
def test_every_code_that_is_named_has_a_meaning(code):
    assert "net helpmsg" not in Win32Error.text(code)
    assert Win32Error.text(code).startswith(f"{code.name} ({code.value}), ")


def test_an_error_is_caught_as_ours_and_as_the_operating_systems():
    error = Win32Error(5, "HttpCreateRequestQueue", "web")
    assert isinstance(error, HostlerError)
    assert isinstance(error, OSError)


def test_an_error_can_be_copied_and_sent_to_another_process():
    error = Win32Error(5, "HttpCreateRequestQueue", "web")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(other), other.code, other.function, other.subject) == (
            str(error),
            5,
            error.function,
            "web",
        )


def test_check_raises_unless_the_code_is_success():
    check(0, "HttpInitialize")
    with pytest.raises(Win32Error, match=r"^HttpInitialize: ERROR_DLL_INIT_FAILED \(1114\)"):
        check(1114, "HttpInitialize")

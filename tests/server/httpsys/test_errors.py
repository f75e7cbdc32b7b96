"""Win32 codes as exceptions: each names the thing, says why, and what to do."""

import copy
import errno
import pickle

import pytest

from hostler.errors import (
    HostlerError,
    ListenError,
    NoSuchQueueError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
    UnsupportedError,
)
from hostler.server.httpsys import errors
from hostler.server.httpsys.constants import ErrorCode
from hostler.server.httpsys.errors import (
    Win32Error,
    check,
    listen_error,
    queue_error,
    unsupported_delegation,
)
from hostler.server.prefix import UrlPrefix

PREFIX = UrlPrefix.parse("http://+:8080/app/")


@pytest.fixture(autouse=True)
def user(monkeypatch):
    monkeypatch.setenv("USERNAME", "Ada")
    monkeypatch.setenv("USERDOMAIN", "LOVELACE")


# -- Win32Error


def test_an_error_says_what_failed_on_what_and_why():
    error = Win32Error(87, "HttpSetUrlGroupProperty", "Timeouts")
    assert str(error) == (
        "HttpSetUrlGroupProperty Timeouts: ERROR_INVALID_PARAMETER (87), "
        "one of the values is not one that this Windows takes"
    )
    assert (error.code, error.code_name) == (87, "ERROR_INVALID_PARAMETER")
    assert (error.function, error.subject) == ("HttpSetUrlGroupProperty", "Timeouts")


def test_an_error_without_a_subject_does_without():
    assert str(Win32Error(6, "HttpShutdownRequestQueue")).startswith(
        "HttpShutdownRequestQueue: ERROR_INVALID_HANDLE (6), "
    )


def test_an_unknown_code_sends_to_where_it_is_known():
    error = Win32Error(12345, "HttpCreateUrlGroup")
    assert error.code_name == "error"
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


# -- prefixes


def refused(code, prefix=PREFIX):
    error = listen_error(prefix, code, "HttpAddUrlToUrlGroup")
    assert type(error) is ListenError
    assert isinstance(error.__cause__, Win32Error)
    assert error.__cause__.code == code
    assert str(error).startswith(f"cannot listen on {prefix}: ")
    return error


def test_a_prefix_without_permission_comes_with_the_command_that_gives_it():
    error = refused(ErrorCode.ERROR_ACCESS_DENIED)
    assert 'netsh http add urlacl url=http://+:8080/app/ user="LOVELACE\\Ada"' in str(error)
    assert error.errno == errno.EACCES


def test_a_user_without_a_domain_is_named_alone(monkeypatch):
    monkeypatch.delenv("USERDOMAIN")
    assert 'user="Ada"' in str(refused(ErrorCode.ERROR_ACCESS_DENIED))


def test_a_user_whom_nothing_names_is_left_to_the_reader(monkeypatch):
    def nobody():
        raise OSError("No username set in the environment")

    monkeypatch.delenv("USERNAME")
    monkeypatch.setattr(errors.getpass, "getuser", nobody)
    assert 'user="DOMAIN\\user"' in str(refused(ErrorCode.ERROR_ACCESS_DENIED))


def test_the_user_is_looked_up_only_when_the_message_needs_one(monkeypatch):
    monkeypatch.setattr(errors, "_user", None)
    refused(ErrorCode.ERROR_ALREADY_EXISTS)


def test_a_prefix_that_is_registered_already_comes_with_how_to_find_by_whom():
    error = refused(ErrorCode.ERROR_ALREADY_EXISTS)
    assert "netsh http show servicestate view=requestq" in str(error)
    assert error.errno == errno.EADDRINUSE


@pytest.mark.parametrize("prefix", [PREFIX, "http://+:8080/app/"])
def test_a_port_that_another_program_has_comes_with_how_to_find_it(prefix):
    error = refused(ErrorCode.ERROR_SHARING_VIOLATION, prefix)
    assert "netstat -ano | findstr :8080" in str(error)
    assert error.errno == errno.EADDRINUSE


def test_a_host_that_is_not_ours_comes_with_where_to_look():
    error = refused(ErrorCode.ERROR_INVALID_NETNAME)
    assert "netsh http show iplisten" in str(error)
    assert error.errno == errno.EADDRNOTAVAIL


def test_a_prefix_that_http_sys_does_not_take_comes_with_what_it_expects():
    assert "expected scheme://host:port/path/" in str(refused(ErrorCode.ERROR_INVALID_PARAMETER))


def test_any_other_code_is_named():
    assert "ERROR_NO_SYSTEM_RESOURCES (1450)" in str(refused(1450))


def test_an_error_that_is_raised_keeps_its_cause():
    with pytest.raises(ListenError) as caught:
        raise listen_error(PREFIX, 5, "HttpAddUrlToUrlGroup")
    assert isinstance(caught.value.__cause__, Win32Error)


# -- queues


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        (ErrorCode.ERROR_FILE_NOT_FOUND, NoSuchQueueError, "start the process that creates it first"),
        (ErrorCode.ERROR_ALREADY_EXISTS, QueueExistsError, "attach to it, or choose another name"),
        (ErrorCode.ERROR_ACCESS_DENIED, QueueAccessError, r"not open to LOVELACE\Ada"),
        (ErrorCode.ERROR_INVALID_NAME, QueueNameError, "use a legal file name of 1 to 260 characters"),
        (
            ErrorCode.ERROR_FILENAME_EXCED_RANGE,
            QueueNameError,
            "use a legal file name of 1 to 260 characters",
        ),
        (ErrorCode.ERROR_INVALID_PARAMETER, QueueError, "ERROR_INVALID_PARAMETER (87)"),
        (ErrorCode.ERROR_NOT_ENOUGH_MEMORY, QueueError, "ERROR_NOT_ENOUGH_MEMORY (8)"),
    ],
)
def test_a_queue_that_cannot_be_had_says_why_and_what_to_do(code, kind, remedy):
    error = queue_error("web", code, "HttpCreateRequestQueue")
    assert type(error) is kind
    assert str(error).startswith("queue 'web' ")
    assert remedy in str(error)
    assert isinstance(error.__cause__, Win32Error)
    assert (error.__cause__.code, error.__cause__.subject) == (code, "web")


def test_a_name_that_is_too_long_is_told_from_other_bad_values():
    assert type(queue_error("q" * 261, 87, "HttpCreateRequestQueue")) is QueueNameError
    assert type(queue_error("q" * 260, 87, "HttpCreateRequestQueue")) is QueueError


def test_a_queue_without_a_name_has_no_name_in_its_error():
    error = queue_error("", ErrorCode.ERROR_NOT_ENOUGH_MEMORY, "HttpCreateRequestQueue")
    assert str(error).startswith("no request queue can be made: ERROR_NOT_ENOUGH_MEMORY (8)")


# -- what a Windows does not have


def test_a_windows_that_cannot_delegate_is_told_which_can():
    error = unsupported_delegation("web")
    assert type(error) is UnsupportedError
    assert "'web'" in str(error)
    assert "Windows 10 1809, Windows Server 2019" in str(error)

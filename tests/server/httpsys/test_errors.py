"""What HTTP.sys refuses, as exceptions: each names the thing, says why, and what to do."""

import errno

import pytest

from hostler.errors import (
    ListenError,
    NoSuchQueueError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
    UnsupportedError,
)
from hostler.server.httpsys import errors
from hostler.server.httpsys.errors import listen_error, queue_error, unsupported_delegation
from hostler.server.prefix import UrlPrefix
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

PREFIX = UrlPrefix.parse("http://+:8080/app/")


@pytest.fixture(autouse=True)
def user(monkeypatch):
    monkeypatch.setenv("USERNAME", "Ada")
    monkeypatch.setenv("USERDOMAIN", "LOVELACE")


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
    monkeypatch.setattr(errors, "user_name", None)
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
        (ErrorCode.ERROR_INVALID_NAME, QueueNameError, "use a legal file name of 1 to 130 characters"),
        (
            ErrorCode.ERROR_FILENAME_EXCED_RANGE,
            QueueNameError,
            "use a legal file name of 1 to 130 characters",
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
    assert type(queue_error("q" * 131, 87, "HttpCreateRequestQueue")) is QueueNameError
    assert type(queue_error("q" * 130, 87, "HttpCreateRequestQueue")) is QueueError


def test_a_queue_without_a_name_has_no_name_in_its_error():
    error = queue_error("", ErrorCode.ERROR_NOT_ENOUGH_MEMORY, "HttpCreateRequestQueue")
    assert str(error).startswith("no request queue can be made: ERROR_NOT_ENOUGH_MEMORY (8)")


# -- what a Windows does not have


def test_a_windows_that_cannot_delegate_is_told_which_can():
    error = unsupported_delegation("web")
    assert type(error) is UnsupportedError
    assert "'web'" in str(error)
    assert "Windows 11, Windows Server 2022" in str(error)

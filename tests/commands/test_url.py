"""`hostler url`."""

import sys

import pytest

from hostler.windows.constants import ErrorCode

URL = "http://+:8080/"
RESERVE = 'netsh http add urlacl url=http://+:8080/ user="MACHINE\\ann"'


def test_a_url_is_reserved_listed_and_removed(hostler, on_windows):
    on_windows()
    assert hostler("url", "list") == (0, "", "")
    assert hostler("url", "reserve", "http://+:8080") == (
        0,
        f"reserved http://+:8080/ for MACHINE\\ann\nwith netsh: {RESERVE}\n",
        "",
    )
    hostler("url", "reserve", "https://localhost:8443/", "--user", "network service")
    hostler("url", "reserve", "http://[::1]:80/x/", "--sddl", "D:(A;;GA;;;WD)(A;;GX;;;AU)")
    assert hostler("url", "list") == (
        0,
        (
            "http://+:8080/  MACHINE\\ann (register)\n"
            "https://localhost:8443/  NT AUTHORITY\\NETWORK SERVICE (register)\n"
            "http://[::1]:80/x/  Everyone (register and delegate), NT AUTHORITY\\Authenticated Users (register)\n"
        ),
        "",
    )
    assert hostler("url", "remove", URL) == (
        0,
        "removed the reservation of http://+:8080/\nwith netsh: netsh http delete urlacl url=http://+:8080/\n",
        "",
    )
    assert "8080" not in hostler("url", "list")[1]


def test_what_is_reserved_already_is_no_error_when_it_says_the_same(hostler, on_windows):
    on_windows()
    hostler("url", "reserve", URL)
    status, out, _ = hostler("url", "reserve", URL)
    assert (status, out.splitlines()[0]) == (0, "http://+:8080/ is reserved for MACHINE\\ann already")
    assert hostler("url", "reserve", URL, "--user", "Everyone") == (
        1,
        "",
        (
            "hostler: http://+:8080/ cannot be reserved: it is reserved already, for MACHINE\\ann (register); remove that "
            "first, with: hostler url remove http://+:8080/\n"
        ),
    )


@pytest.mark.parametrize(("action", "verb"), [("reserve", "add"), ("remove", "delete")])
def test_who_is_no_administrator_is_told_how_to_become_one(hostler, on_windows, action, verb):
    on_windows(administrator=False)
    status, out, err = hostler("url", action, URL)
    assert (status, out) == (1, "")
    assert (
        "MACHINE\\ann may not change what holds for the whole machine; run this in a terminal that was "
        in err
    )
    assert '"Run as administrator"' in err
    assert f"netsh http {verb} urlacl url={URL}" in err


def test_what_is_not_reserved_cannot_be_removed(hostler, on_windows):
    on_windows()
    assert hostler("url", "remove", URL) == (
        1,
        "",
        (
            "hostler: the reservation of http://+:8080/ cannot be removed: no reservation has exactly this URL; see: "
            "hostler url list\n"
        ),
    )


def test_what_windows_cannot_make_sense_of(hostler, on_windows):
    on_windows()
    assert hostler("url", "reserve", URL, "--sddl", "everybody")[2] == (
        "hostler: http://+:8080/ cannot be reserved: HTTP.sys takes it for no URL prefix, or everybody for no security "
        "descriptor\n"
    )
    assert "'nobody' is no user and no group here" in hostler("url", "reserve", URL, "--user", "nobody")[2]


def test_any_other_code_is_said_as_it_is(hostler, on_windows):
    on_windows().fail("HttpSetServiceConfiguration", 4711)
    assert (
        "error (4711), see what Windows says of it with: net helpmsg 4711"
        in hostler("url", "reserve", URL)[2]
    )


def test_a_windows_whose_api_does_not_begin_is_said_so(hostler, on_windows):
    on_windows().fail("HttpInitialize", ErrorCode.ERROR_REVISION_MISMATCH)
    assert "HttpInitialize: ERROR_REVISION_MISMATCH (1306)" in hostler("url", "list")[2]


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["reserve", URL, "--user", "Everyone"], 'netsh http add urlacl url=http://+:8080/ user="Everyone"'),
        (
            ["reserve", URL, "--sddl", "D:(A;;GX;;;WD)"],
            'netsh http add urlacl url=http://+:8080/ sddl="D:(A;;GX;;;WD)"',
        ),
        (["remove", URL], "netsh http delete urlacl url=http://+:8080/"),
        (["remove", f"{URL}a&b;c/"], 'netsh http delete urlacl "url=http://+:8080/a&b;c/"'),
    ],
)
def test_a_dry_run_prints_the_line_for_netsh_anywhere(hostler, args, line):
    assert hostler("url", *args, "--dry-run") == (0, f"{line}\n", "")


@pytest.mark.skipif("sys.platform == 'win32'")
@pytest.mark.parametrize("args", [["reserve", URL], ["list"], ["remove", URL]])
def test_elsewhere_it_says_that_it_is_for_windows(hostler, args):
    status, out, err = hostler("url", *args)
    assert (status, out) == (1, "")
    assert err.startswith(
        f"hostler: URL reservations are HTTP.sys', which is part of Windows, and this is {sys.platform}; run it on "
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "the following arguments are required: ACTION"),
        (["reserve", "localhost"], "'localhost' is not a URL prefix: it has no ://"),
        (["reserve", "http://+:0/"], "'http://+:0/' has port 0; use a number from 1 to 65535"),
        (["reserve", URL, "--user", "a", "--sddl", "b"], "not allowed with argument --user"),
    ],
)
def test_the_command_line(hostler, args, message):
    status, _, err = hostler("url", *args)
    assert status == 2
    assert message in err

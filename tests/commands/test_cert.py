"""`hostler cert`."""

import sys
from datetime import UTC, datetime
from uuid import UUID

import pytest

from hostler.commands.cert import APP_ID

ONE, OTHER = bytes(range(20)), bytes(range(20, 40))
ID = UUID("12345678-9abc-def0-1122-334455667788")


@pytest.fixture(autouse=True)
def stored(machine, monkeypatch):
    machine.certificates = {"MY": {ONE, OTHER}, "WEBHOSTING": {ONE}}
    ends = {"MY": {ONE: datetime(2031, 2, 3, tzinfo=UTC)}, "WebHosting": {}}
    monkeypatch.setattr("hostler.commands.cert.ends_of", ends.__getitem__)


def test_certificates_are_bound_listed_replaced_and_removed(hostler, on_windows):
    on_windows()
    assert hostler("cert", "bind", "0.0.0.0:443", ONE.hex()) == (
        0,
        (
            f"bound {ONE.hex()} to 0.0.0.0:443\n"
            f'with netsh: netsh http add sslcert ipport=0.0.0.0:443 certhash={ONE.hex()} "appid={{{APP_ID}}}" '
            "certstorename=MY\n"
        ),
        "",
    )
    hostler("cert", "bind", "[::]:443", OTHER.hex(), "--client-certificates")
    hostler("cert", "bind", "example.com:443", ONE.hex(), "--store", "WebHosting", "--app-id", str(ID))
    assert hostler("cert", "list") == (
        0,
        (
            f"0.0.0.0:443  {ONE.hex()}  MY, until 2031-02-03, of hostler\n"
            f"[::]:443  {OTHER.hex()}  MY, end unknown, of hostler, asks clients for certificates\n"
            f"example.com:443  {ONE.hex()}  WebHosting, end unknown, of {{{ID}}}\n"
        ),
        "",
    )
    status, out, _ = hostler("cert", "bind", "0.0.0.0:443", OTHER.hex(), "--replace")
    assert (status, out.splitlines()[0]) == (0, f"bound {OTHER.hex()} to 0.0.0.0:443")
    assert "netsh http update sslcert ipport=0.0.0.0:443" in out
    for endpoint, key in (
        ("0.0.0.0:443", "ipport"),
        ("[::]:443", "ipport"),
        ("example.com:443", "hostnameport"),
    ):
        assert hostler("cert", "remove", endpoint) == (
            0,
            f"removed what was bound to {endpoint}\nwith netsh: netsh http delete sslcert {key}={endpoint}\n",
            "",
        )
    assert hostler("cert", "list") == (0, "", "")


def test_what_is_bound_already_is_no_error_when_it_is_the_same(hostler, on_windows):
    on_windows()
    hostler("cert", "bind", "0.0.0.0:443", ONE.hex(), "--app-id", str(ID))
    status, out, _ = hostler("cert", "bind", "0.0.0.0:443", ONE.hex(), "--app-id", str(ID))
    assert (status, out.splitlines()[0]) == (0, f"{ONE.hex()} is bound to 0.0.0.0:443 already")
    assert hostler("cert", "bind", "0.0.0.0:443", OTHER.hex()) == (
        1,
        "",
        (
            f"hostler: {OTHER.hex()} cannot be bound to 0.0.0.0:443: {ONE.hex()} is bound there, by application {{{ID}}}; "
            "replace it with --replace, or choose another endpoint\n"
        ),
    )


def test_a_certificate_that_is_not_there_comes_with_how_to_look(hostler, on_windows):
    on_windows()
    status, _, err = hostler("cert", "bind", "0.0.0.0:443", bytes(20).hex(), "--store", "WebHosting")
    assert status == 1
    assert (
        "in store WebHosting of the local machine; it must be there with its private key: look with " in err
    )
    assert (
        "Get-ChildItem Cert:\\LocalMachine\\WebHosting | Format-List Thumbprint, Subject, HasPrivateKey"
        in err
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["bind", "0.0.0.0:443", ONE.hex(), "--replace"], "nothing is bound there that could be replaced"),
        (["remove", "0.0.0.0:443"], "nothing is bound to exactly this endpoint; see: hostler cert list"),
    ],
)
def test_what_is_not_bound(hostler, on_windows, args, message):
    on_windows()
    status, _, err = hostler("cert", *args)
    assert status == 1
    assert message in err


@pytest.mark.parametrize("args", [["bind", "0.0.0.0:443", ONE.hex()], ["remove", "0.0.0.0:443"]])
def test_who_is_no_administrator_is_told_how_to_become_one(hostler, on_windows, args):
    on_windows(administrator=False)
    status, _, err = hostler("cert", *args)
    assert status == 1
    assert '"Run as administrator", or have an administrator run there: netsh http ' in err


@pytest.mark.parametrize(
    "text", ["\u200e" + ONE.hex(), ONE.hex().upper(), ONE.hex(" "), f" {ONE.hex()} ", ONE.hex(":")], ids=ascii
)
def test_a_thumbprint_is_taken_as_windows_shows_it(hostler, text):
    assert f"certhash={ONE.hex()} " in hostler("cert", "bind", "0.0.0.0:443", text, "--dry-run")[1]


def test_a_dry_run_prints_the_line_for_netsh_anywhere(hostler):
    args = ["cert", "bind", "example.com:443", ONE.hex(), "--client-certificates", "--replace", "--dry-run"]
    assert hostler(*args) == (
        0,
        (
            f'netsh http update sslcert hostnameport=example.com:443 certhash={ONE.hex()} "appid={{{APP_ID}}}" '
            "certstorename=MY clientcertnegotiation=enable\n"
        ),
        "",
    )
    assert hostler("cert", "remove", "[::1]:443", "--dry-run") == (
        0,
        "netsh http delete sslcert ipport=[::1]:443\n",
        "",
    )


@pytest.mark.skipif("sys.platform == 'win32'")
@pytest.mark.parametrize("args", [["bind", "0.0.0.0:443", ONE.hex()], ["list"], ["remove", "0.0.0.0:443"]])
def test_elsewhere_it_says_that_it_is_for_windows(hostler, args):
    status, out, err = hostler("cert", *args)
    assert (status, out) == (1, "")
    assert f"part of Windows, and this is {sys.platform}; " in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "the following arguments are required: ACTION"),
        (["bind", "*:443", ONE.hex()], "every address is 0.0.0.0 and [::]"),
        (["bind", "0.0.0.0", ONE.hex()], "'0.0.0.0' has no port"),
        (["bind", "0.0.0.0:443", "abc"], "'abc' is no thumbprint; expected 40 hexadecimal digits"),
        (["bind", "0.0.0.0:443", ONE.hex(), "--app-id", "x"], "'x' is no GUID"),
    ],
)
def test_the_command_line(hostler, args, message):
    status, _, err = hostler("cert", *args)
    assert status == 2
    assert message in err

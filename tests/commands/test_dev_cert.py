"""`hostler dev-cert`."""

import shlex
import sys

import pytest

from hostler import cli


@pytest.fixture
def hostler(capsys):
    def run(*args):
        try:
            status = cli.main(args)
        except SystemExit as error:
            status = error.code
        return status, *capsys.readouterr()

    return run


def test_it_says_where_they_are_and_how_to_use_them(hostler, tmp_path):
    folder = tmp_path / "my certificates"
    status, out, err = hostler("dev-cert", "app.test", "--directory", str(folder))
    assert (status, err) == (0, "")
    assert f"authority:   {folder / 'ca.pem'}, until " in out
    assert "(new: have it trusted, as below)" in out
    assert "  vouches for localhost, 127.0.0.0/8, ::1/128, app.test, with what is below" in out
    assert "  for localhost, app.test, 127.0.0.1, ::1\n" in out
    (line,) = (line for line in out.splitlines() if "hostler run" in line)
    words = shlex.split(line)
    assert words[-3:] == [str(folder / "localhost.pem"), "--key", str(folder / "localhost.key")]
    for program in ("curl", "Python", "Debian", "Fedora", "macOS", "Windows", "Chromium", "Firefox"):
        assert program in out


def test_again_it_keeps_the_authority(hostler, tmp_path):
    hostler("dev-cert", "--directory", str(tmp_path / "a"))
    _, out, _ = hostler("dev-cert", "--directory", str(tmp_path / "a"))
    assert "(kept: who trusts it goes on to)" in out


def test_what_is_wrong_is_a_line(hostler, tmp_path):
    status, out, err = hostler("dev-cert", "a b", "--directory", str(tmp_path / "a"))
    assert (status, out) == (1, "")
    assert err.startswith("hostler: 'a b' is no host name; expected one such as app.test")
    assert not (tmp_path / "a").exists()


def test_without_the_extra_it_says_how_to_get_it(hostler, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "hostler.dev_cert.store", raising=False)
    monkeypatch.delitem(sys.modules, "hostler.dev_cert.authority", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    status, _, err = hostler("dev-cert", "--directory", str(tmp_path / "a"))
    assert status == 1
    assert err == 'hostler: hostler dev-cert needs an extra: pip install "hostler[certificates]"\n'

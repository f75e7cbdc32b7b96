"""Installing the peers that Debian has."""

import pytest

from benchmarks import install


@pytest.mark.parametrize("root", [True, False])
def test_without_apt_or_root_the_missing_packages_are_named(monkeypatch, root):
    monkeypatch.setattr(
        "benchmarks.processes.find", lambda name: None if root or name != "apt-get" else "apt-get"
    )
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    assert install.install() == (
        "--install takes apt-get and root; missing are nginx, haproxy, caddy, varnish, nghttp2-client"
    )


def test_what_is_missing_is_installed_and_nothing_else(monkeypatch):
    commands = []
    monkeypatch.setattr("benchmarks.processes.find", lambda name: None if name == "caddy" else name)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(
        "benchmarks.processes.run", lambda command, *rest: commands.append(command) or (0, "", "")
    )
    assert install.install() == ""
    assert [command[1] for command in commands] == ["update", "install"]
    assert commands[1][-1] == "caddy"
    assert "nginx" not in commands[1]


def test_nothing_is_done_where_nothing_is_missing(monkeypatch):
    monkeypatch.setattr("benchmarks.processes.find", lambda name: name)
    assert install.install() == ""


def test_what_apt_says_when_it_fails_is_passed_on(monkeypatch):
    monkeypatch.setattr("benchmarks.processes.find", lambda name: None if name == "caddy" else name)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("benchmarks.processes.run", lambda *arguments: (100, "", "E: no network"))
    assert install.install() == "apt-get update ended with 100: E: no network"

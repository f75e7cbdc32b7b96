"""URLs of servers on Unix sockets."""

from __future__ import annotations

import pytest

from hostler.http import unix_socket
from hostler.http.unix_socket import split_unix_url


@pytest.mark.parametrize(
    ("url", "path", "rest"),
    [
        ("http+unix://%2Frun%2Fapp.sock", "/run/app.sock", ""),
        ("http+unix://%2Frun%2Fapp.sock/", "/run/app.sock", "/"),
        ("http+unix://%2frun%2fApp.sock/base/v1", "/run/App.sock", "/base/v1"),
        ("http+unix://%2Ftmp%2Fa%20b%C3%BC", "/tmp/a bü", ""),
    ],
)
def test_the_host_is_the_escaped_path_of_the_socket(url, path, rest):
    assert split_unix_url(url) == (path, rest)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http+unix://", "does not name a socket by its absolute path"),
        ("http+unix:///run/app.sock", "does not name a socket by its absolute path"),
        ("http+unix://app.sock/", "does not name a socket by its absolute path"),
        ("http+unix://%00app/", "does not name a socket by its absolute path"),
        ("http+unix://%2Fa%00b/", "contains NUL"),
        ("http+unix://%2F" + "x" * 107, "has 108 bytes"),
    ],
)
def test_what_names_no_socket_is_refused(url, why):
    with pytest.raises(ValueError, match=why):
        split_unix_url(url)


def test_where_asyncio_has_no_unix_sockets_they_are_refused(monkeypatch):
    monkeypatch.setattr(unix_socket, "_MAX_PATH", 0)
    with pytest.raises(ValueError, match="Windows"):
        split_unix_url("http+unix://%2Frun%2Fapp.sock")

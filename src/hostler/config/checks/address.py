"""Rules for hosts and addresses."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from hostler.errors import redact
from hostler.http.unix_socket import UNIX_SCHEME, split_unix_url

__all__ = ["HOST", "find_fault_in_destination", "find_fault_in_url", "find_fault_in_web_proxy"]

HOST: Final = re.compile(r"(\*|(\*\.)?[^\s/\\*?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}|\*))?")
"""A host with or without a port, wildcards included."""

_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f]")


def find_fault_in_url(text: str, *, wildcard: bool = False, listened_on: bool = False) -> str | None:
    """Say what is wrong with an address.

    As a URL prefix (`wildcard`) it may have `+` or `*` for its host; one to listen on, port 0 for any free port too.
    """
    wildcard = wildcard or listened_on
    if listened_on and text.startswith((UNIX_SCHEME, "https+unix://")):
        return _find_fault_in_unix_url(text)
    expected = 'write "http://host:port/" or "https://host:port/"'
    if not text:
        return f"the address is empty; {expected}"
    if _UNSAFE.search(text):
        return f"{text!a} contains whitespace or control characters; {expected}"
    if not wildcard and not text.isascii():
        return f'"{text}" is not ASCII; write its host in punycode and its path percent-encoded'
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        if "@" in text:  # the error may quote a password
            return f'"{redact(text)}" has a user, which an address cannot have; {expected}'
        return f'"{text}" is not an address ({error}); {expected}'
    if "@" in text and "//" not in text:
        return f'an address with an "@" has a user, which is not shown and which it cannot have; {expected}'
    if parts.scheme not in {"http", "https"} or not host or (port == 0 and not listened_on):
        return f'"{text}" is not an absolute http or https address; {expected}'
    if "@" in parts.netloc or "?" in text or "#" in text:
        return f'"{text}" has a user, a query or a fragment, which an address cannot have; remove it'
    if host in {"+", "*"} and not wildcard:
        return f'"{text}" has a wildcard for its host, which only a request queue\'s address may have; {expected}'
    return None


def find_fault_in_destination(text: str) -> str | None:
    """Say what is wrong with an address to forward to: a URL, or a Unix socket's."""
    if not text.lower().startswith(UNIX_SCHEME):
        if text.lower().startswith("http://unix:/"):
            return f'"{text}" is nginx\' form; write "{UNIX_SCHEME}%2Frun%2Fapp.sock/path"'
        return find_fault_in_url(text)
    return _find_fault_in_unix_url(text)


def _find_fault_in_unix_url(text: str) -> str | None:
    try:
        _, path = split_unix_url(text)
    except ValueError as error:
        return str(error)
    return find_fault_in_url("http://localhost" + path)


def find_fault_in_web_proxy(text: str) -> str | None:
    """Say what is wrong with the address of a web proxy, in which a user and a password may be."""
    expected = 'write "http://host:port" or "http://user:password@host:port"'
    try:
        parts = urlsplit(text)
        user, at, _ = parts.netloc.rpartition("@")
        without = text.replace(f"{user}@", "", 1) if at else text
    except ValueError:
        return f'"{redact(text)}" is not an address; {expected}'
    if parts.scheme.lower() in {"https", "socks4", "socks4a", "socks5"}:
        return f'"{redact(text)}": a web proxy is spoken to in plain HTTP; {expected}'
    if at and (":" not in user or "@" in user or _UNSAFE.search(user) or not user.isascii()):
        return f"the user and password of a web proxy are not as they should be; {expected}, percent-encoded"
    if fault := find_fault_in_url(without):
        return fault
    if parts.path not in {"", "/"}:
        return f'"{redact(text)}" has a path, which a web proxy\'s address cannot have; {expected}'
    return None

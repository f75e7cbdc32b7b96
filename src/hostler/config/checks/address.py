"""Rules for hosts and addresses."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from hostler.errors import redact

__all__ = ["HOST", "find_fault_in_url"]

HOST: Final = re.compile(r"(\*|(\*\.)?[^\s/\\*?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}|\*))?")
"""A host with or without a port, wildcards included."""

_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f]")


def find_fault_in_url(text: str, *, wildcard: bool = False, listened_on: bool = False) -> str | None:
    """Say what is wrong with an address.

    As a URL prefix (`wildcard`) it may have `+` or `*` for its host; one to listen on, port 0 for any free port too.
    """
    wildcard = wildcard or listened_on
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

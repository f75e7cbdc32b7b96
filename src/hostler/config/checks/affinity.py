"""Rules for session affinity: the key's name, and the cookie that carries it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hostler.config.checks.values import TOKEN, check_positive
from hostler.errors import Problem
from hostler.http.fields import NOT_TRAILERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.model import SessionAffinity

__all__ = ["check_affinity"]

_COOKIE_PATH: Final = re.compile(r"[ -:<-~]*")
_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def check_affinity(path: str, affinity: SessionAffinity) -> Iterator[Problem]:
    """Find what is wrong with affinity that is on, but for the names of its policies."""
    if not affinity.key_name:
        message = "is missing; name the cookie or the header that holds the key, or set Enabled to false"
        yield Problem(f"{path}.AffinityKeyName", message)
    elif not TOKEN.fullmatch(affinity.key_name):
        message = f"{affinity.key_name!a} is not a cookie's name; use letters, digits and !#$%&'*+-.^_`|~"
        yield Problem(f"{path}.AffinityKeyName", message)
    elif affinity.policy.lower() == "customheader" and _is_taken(affinity.key_name):
        message = f"{affinity.key_name} has a meaning of its own in HTTP; name a header that nobody else uses"
        yield Problem(f"{path}.AffinityKeyName", message)
    if affinity.sealing_key_file is not None:
        yield from _sealing(f"{path}.SealingKeyFile", affinity)
    cookie = affinity.cookie
    if not _COOKIE_PATH.fullmatch(cookie.path):
        message = f'{cookie.path!a} is not a cookie\'s path; write ASCII without ";", such as "/"'
        yield Problem(f"{path}.Cookie.Path", message)
    if cookie.domain is not None and not _DOMAIN.fullmatch(cookie.domain):
        yield Problem(f"{path}.Cookie.Domain", f'"{cookie.domain}" is not a domain; write "example.com"')
    for key, seconds in (("Expiration", cookie.expiration), ("MaxAge", cookie.max_age)):
        if seconds is not None:
            yield from check_positive(f"{path}.Cookie.{key}", seconds)


def _is_taken(name: str) -> bool:
    return name.lower().encode("ascii") in NOT_TRAILERS


def _sealing(path: str, affinity: SessionAffinity) -> Iterator[Problem]:
    if not affinity.sealing_key_file:
        yield Problem(path, "is empty; name the file of keys, or remove it")
    elif affinity.policy.lower() in {"", "hashcookie", "arrcookie"}:
        message = (
            f"is for Cookie and CustomHeader, and {affinity.policy or 'HashCookie'} seals nothing; remove it"
        )
        yield Problem(path, message)

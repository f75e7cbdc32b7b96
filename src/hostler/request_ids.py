"""What requests are called in logs, here and elsewhere (`X-Request-ID`)."""

from __future__ import annotations

import itertools
import os
import re
from typing import Final

__all__ = ["request_id"]

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
_PROCESS_ID: Final = os.urandom(8).hex()
"""What the ids of this process's requests begin with."""

_numbers: Final = itertools.count(1)


def request_id(given: bytes | None) -> str:
    """Return the id that a client gave, where that is one to repeat in a log, else another one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{_PROCESS_ID}{next(_numbers):08x}"

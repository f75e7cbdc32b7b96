"""The C declarations of the HTTP Server API, and how `_bindings.py` is made of them.

They use the types that `hostler.windows.definitions` declares, and follow its rules. `python -m
hostler.server.httpsys.definitions` writes `_bindings.py` anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hostler.server.httpsys.definitions import (
    configuration,
    functions,
    properties,
    request,
    response,
    tcp,
)
from hostler.windows import definitions as windows
from hostler.windows.definitions import Bindings

__all__ = ["BINDINGS"]

_PARTS: Final = (
    request.TYPES,
    tcp.TYPES,
    response.TYPES,
    properties.TYPES,
    configuration.TYPES,
    functions.HTTPAPI,
)

BINDINGS: Final = Bindings(
    "hostler.server.httpsys._bindings",
    Path(__file__).parents[1] / "_bindings.py",
    "python -m hostler.server.httpsys.definitions",
    "\n".join(_PARTS),
    windows.BINDINGS,
)

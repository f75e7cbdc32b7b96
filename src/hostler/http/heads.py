"""Plain heads, read and written by the compiled functions where there are any, and else by those in Python.

`hostler.http.plain` says what the four functions do. The compiled ones are missing where hostler was installed without
a C compiler, on free-threaded Pythons, and in subinterpreters with a lock of their own; `HOSTLER_PURE=1` in the
environment leaves them aside.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["COMPILED", "read_request", "read_response", "split_lines", "write_lines"]

try:
    if os.environ.get("HOSTLER_PURE", "0") not in {"", "0"}:
        raise ImportError("HOSTLER_PURE is set")  # noqa: TRY301 - one way to do without
    from hostler.http._heads import read_request, read_response, split_lines, write_lines
except ImportError:
    from hostler.http.plain import read_request, read_response, split_lines, write_lines

COMPILED: Final = read_request.__module__ != "hostler.http.plain"
"""Whether the functions are the compiled ones."""

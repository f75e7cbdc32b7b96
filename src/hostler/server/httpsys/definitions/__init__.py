"""The C declarations of what is called in Windows, and how `_bindings.py` is made of them.

`python -m hostler.server.httpsys.definitions` writes `_bindings.py` anew, for cffi's out-of-line ABI mode: no compiler
is needed, neither here nor where hostler is installed. Every type has a fixed width (`uint32_t` for ULONG and DWORD,
`char16_t` for WCHAR, `int32_t` for enumerations), so that the layouts are those of 64-bit Windows on any 64-bit
platform; tests compare them with other people's headers.

Names are Microsoft's. Where its documentation has several spellings of a parameter, the shortest that says enough is
taken; names of parameters mean nothing to the compiler.
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
    system,
    tcp,
)

__all__ = ["BINDINGS", "CDEF", "MODULE", "write"]

_PARTS: Final = (
    system.TYPES,
    request.TYPES,
    tcp.TYPES,
    response.TYPES,
    properties.TYPES,
    configuration.TYPES,
    functions.HTTPAPI,
    system.KERNEL32,
    system.NTDLL,
    system.ADVAPI32,
)

CDEF: Final = "\n".join(_PARTS)
"""All of it, in an order that C accepts."""

_HEADING: Final = """\
# Written by python -m hostler.server.httpsys.definitions; change the declarations there, and not this.
# ruff: noqa: Q000
# fmt: off
"""

MODULE: Final = "hostler.server.httpsys._bindings"
BINDINGS: Final = Path(__file__).parents[1] / "_bindings.py"


def write(path: Path = BINDINGS) -> None:
    """Generate the module that holds the declarations in cffi's compact form."""
    import cffi  # noqa: PLC0415 - the bindings themselves need only its run-time half

    ffi = cffi.FFI()
    ffi.cdef(CDEF)
    ffi.set_source(MODULE, None)
    ffi.emit_python_code(str(path))
    path.write_text(_HEADING + path.read_text(encoding="ascii"), encoding="ascii", newline="\n")

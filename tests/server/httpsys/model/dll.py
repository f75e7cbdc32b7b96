"""A DLL of the fake: its exports are called through real C signatures, logged, and made to fail when a test says so.

Each function is wrapped in a cffi callback of the type that the product's own declarations give it, so that a wrong
number or type of arguments, an integer out of range or a structure in place of a pointer fails here as on Windows.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from hostler.server.httpsys import definitions
from hostler.server.httpsys._bindings import ffi
from hostler.windows import definitions as windows
from tests.server.httpsys.model.codes import Win32

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.httpsys.model.process import Process

_DECLARATION = re.compile(r"^([A-Za-z_][\w\s]*?[\s\*]+)(\w+)\s*(\([^;{}]*\))\s*;", re.MULTILINE)
SIGNATURES = {
    name: f"{result.strip()}(*){' '.join(parameters.split())}"
    for result, name, parameters in _DECLARATION.findall(
        re.sub(r"//.*", "", windows.BINDINGS.cdef + definitions.BINDINGS.cdef)
    )
}
"""The C type of every function that is declared, as a pointer to it."""

_NOT_BY_CHANCE = {
    "GetLastError", "RtlNtStatusToDosError", "GetQueuedCompletionStatusEx", "PostQueuedCompletionStatus", "CancelIoEx",
    "CloseHandle", "LocalFree", "HttpTerminate", "HttpCloseServerSession", "HttpCloseUrlGroup", "HttpCloseRequestQueue",
}  # fmt: skip
"""What `fail("*")` leaves alone: these cannot fail, or nobody could do anything about it."""


@frozen
class Call:
    """A call that was made."""

    function: str
    result: int
    arguments: tuple[Any, ...]
    """Numbers; pointers and handles are their addresses."""


@define(eq=False)
class Fault:
    """A call that is to fail."""

    function: str
    code: int
    times: int
    after: int
    when: Callable[..., bool]
    later: bool

    def strikes(self, function: str, arguments: tuple[Any, ...]) -> bool:
        """Whether this call is one of those."""
        matches = self.function == function or (self.function == "*" and function not in _NOT_BY_CHANCE)
        if not matches or not self.times or not self.when(*arguments):
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Dll:
    """The exports of one implementation, for one process."""

    def __init__(self, process: Process, implementation: Any) -> None:
        self._process = process
        self._implementation = implementation
        self._exports: dict[str, Callable[..., Any]] = {}
        self._given = threading.local()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in SIGNATURES or not self._process.has_export(name):
            raise AttributeError(f"function {name!r} not found in the library")
        function = getattr(self._implementation, name, None)
        if function is None:
            raise AttributeError(f"the fake has no {name}")
        if name not in self._exports:
            self._exports[name] = self._export(name, function)
        return self._exports[name]

    def _export(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function that can be called as the DLL's."""
        signature = ffi.typeof(SIGNATURES[name])
        given = self._given

        def inside(*arguments: Any) -> Any:
            try:
                given.result = self._process.run(name, function, arguments, given.arguments)
            except BaseException as error:  # noqa: BLE001 - it cannot go through C
                given.error = error
                return ffi.cast(signature.result, 0)
            return given.result

        entry = ffi.callback(signature, inside)

        def export(*arguments: Any) -> Any:
            given.arguments, given.error = arguments, None
            result = entry(*arguments)
            given.arguments = ()
            if given.error is not None:
                raise given.error
            return result

        export.__name__ = name
        return export


def failure(name: str, code: int, process: Process) -> Any:
    """Give what a function returns when it fails with a code."""
    kind = ffi.typeof(SIGNATURES[name]).result
    if name.startswith("Http") and name != "HttpIsFeatureSupported":
        return code
    process.set_last_error(code)
    if name == "GetExtendedTcpTable":
        return code
    if name == "CreateFileW":
        return ffi.cast("void *", -1)
    return ffi.NULL if kind.kind == "pointer" else 0


def outcome(name: str, function: Callable[..., Any], arguments: tuple[Any, ...], process: Process) -> Any:
    """Call an implementation; what it raises becomes what the function returns."""
    try:
        return function(*arguments)
    except Win32 as error:
        return failure(name, error.code, process)


def plain(value: Any) -> Any:
    """Give an argument as a number, for the log."""
    if isinstance(value, ffi.CData):
        kind = ffi.typeof(value).kind
        return int(ffi.cast("uintptr_t", value)) if kind in {"pointer", "array"} else repr(value)
    return value

"""Our structures and constants beside those of win32more, which is generated from Microsoft's own metadata.

It has what other headers lack: delegation, trailers, and all else that is newer than they are.
"""

import ctypes
import importlib

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.names import folded, numbers, structures

NAMESPACES = ("Networking.HttpServer", "Networking.WinSock", "NetworkManagement.IpHelper", "System.IO", "System.Console",
              "System.LibraryLoader", "System.Threading", "System.WindowsProgramming",
              "Security", "Foundation")  # fmt: skip

ELSEWHERE = {"GUID": "Guid", "HTTP_REQUEST": "HTTP_REQUEST_V2", "HTTP_RESPONSE": "HTTP_RESPONSE_V2"}
"""What win32more calls otherwise."""


@pytest.fixture(scope="module")
def modules():
    names = [f"win32more.Windows.Win32.{name}" for name in NAMESPACES]
    return [importlib.import_module(name) for name in (*names, "win32more")]


@pytest.fixture(scope="module")
def theirs(modules):
    """Give win32more's structure of a name; it makes them when they are asked for."""

    def theirs(name):
        name = ELSEWHERE.get(name, name)
        return next(getattr(module, name) for module in modules if hasattr(module, name))

    return theirs


def place(structure, name):
    """Return the offset and the type of a field, also of one that stands in an anonymous member or in the base."""
    for field, kind, *_ in structure._fields_:
        offset = getattr(structure, field).offset
        if field in {name, f"_{structure.__name__}{name}"}:  # as Python spells __ss_pad1 in a class
            return offset, kind
        if field.startswith("Anonymous") or field == "Base":
            inner = place(kind, name)
            if inner is not None:
                return offset + inner[0], inner[1]
    return None


def counted(ctype):
    """Whether a structure ends in an array of any length; theirs has room for one element, ours for none."""
    last = ctype.fields[-1][1].type
    return last.kind == "array" and last.length is None


def layout(ctype, prefix=""):
    """Yield (path, offset, size) of a structure of ours and of everything in it."""
    if not counted(ctype):
        yield prefix, 0, ffi.sizeof(ctype)
    for name, field in ctype.fields:
        path = f"{prefix}.{name}"
        if field.type.kind in {"struct", "union"}:
            yield from ((inner, field.offset + at, size) for inner, at, size in layout(field.type, path))
        elif field.type.kind == "array" and field.type.length is None:
            yield path, field.offset, None
        else:
            yield path, field.offset, ffi.sizeof(field.type)


def their_layout(structure, paths):
    """Yield (path, offset, size) of theirs, for the paths of ours."""
    for path, _, size in paths:
        at, kind = 0, structure
        for name in path.split(".")[1:]:
            found = place(kind, name)
            if found is None:
                break
            at, kind = at + found[0], found[1]
        else:
            yield path, at, size and ctypes.sizeof(kind)


@pytest.mark.parametrize("name", structures())
def test_a_structure_is_laid_out_as_in_microsofts_metadata(name, theirs):
    ours = list(layout(ffi.typeof(name), name))
    assert list(their_layout(theirs(name), ours)) == ours


def test_delegation_is_compared():
    """What no other header has, and what a mistake in would be seen on real Windows only."""
    assert {"HTTP_DELEGATE_REQUEST_PROPERTY_INFO", "HTTP_BINDING_INFO"} <= set(structures())
    compared = {ours for ours, _, _ in numbers()}
    assert {
        "ServerProperty.DELEGATION", "CreateRequestQueueFlag.DELEGATION", "FeatureId.DELEGATE_EX",
        "DelegateRequestPropertyId.DELEGATE_URL", "ErrorCode.ERROR_OBJECT_NO_LONGER_EXISTS",
    } <= compared  # fmt: skip


def test_every_constant_has_the_value_of_microsofts_metadata(modules):
    every = {folded(name): getattr(module, name) for module in reversed(modules) for name in dir(module)}
    theirs = [(ours, every.get(name)) for ours, name, _ in numbers()]
    assert theirs == [(ours, value) for ours, _, value in numbers()]

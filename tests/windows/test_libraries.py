"""Opening the DLLs of Windows; that their protocols have each function is in server/httpsys/test_api.py."""

import os
import sys
from types import SimpleNamespace

import pytest

from hostler.errors import UnsupportedError
from hostler.windows import libraries
from hostler.windows._bindings import ffi


@pytest.mark.skipif(os.name == "nt", reason="it is Windows")
def test_elsewhere_there_are_none():
    with pytest.raises(UnsupportedError, match=f"^this is {sys.platform}$"):
        libraries.load()


class _NoDll:
    """cffi for a Windows that lacks a DLL, or that is a 32-bit one."""

    error = ffi.error

    def __init__(self, pointer):
        self._pointer = pointer

    def sizeof(self, name):
        return self._pointer

    def dlopen(self, name, flags):
        assert flags == 0x800  # LOAD_LIBRARY_SEARCH_SYSTEM32
        raise OSError(f"cannot load library {name}: error 0x7e")


@pytest.fixture
def on_windows(monkeypatch):
    def pretend(pointer):
        monkeypatch.setattr(libraries, "ffi", _NoDll(pointer))
        monkeypatch.setattr(libraries, "os", SimpleNamespace(name="nt"))

    return pretend


def test_a_32_bit_python_is_told_to_be_a_64_bit_one(on_windows):
    on_windows(pointer=4)
    with pytest.raises(UnsupportedError, match=r"32-bit.*install 64-bit Python"):
        libraries.load()


def test_a_dll_that_cannot_be_opened_is_named(on_windows):
    on_windows(pointer=8)
    with pytest.raises(UnsupportedError, match=r"kernel32\.dll.*0x7e"):
        libraries.load()


def test_exports_tells_a_missing_function_from_one_that_is_there():
    library = ffi.dlopen(None)  # this process: it has neither, and says so as cffi does for a DLL
    assert not libraries.exports(library, "HttpDelegateRequestEx")
    assert not libraries.exports(library, "NoSuchFunction")


def test_exports_takes_stand_ins():
    class Old:
        HttpDelegateRequestEx = None

    class New:
        def HttpDelegateRequestEx(self):  # noqa: N802
            return 0

    assert not libraries.exports(object(), "HttpDelegateRequestEx")
    assert not libraries.exports(Old(), "HttpDelegateRequestEx")
    assert libraries.exports(New(), "HttpDelegateRequestEx")

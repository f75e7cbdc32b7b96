"""The typed protocols: one method for each function that is declared, and what `load` says where there is no HTTP.sys."""

import inspect
import os
import re
from types import SimpleNamespace

import pytest

from hostler.errors import UnsupportedError
from hostler.server.httpsys import api
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.definitions import functions, system

DLLS = {
    api.HttpApi: functions.HTTPAPI,
    api.Kernel32: system.KERNEL32,
    api.NtDll: system.NTDLL,
    api.Advapi32: system.ADVAPI32,
}


def declared(text):
    """Return the functions that C declarations declare, with the number of their parameters."""
    code = re.sub(r"//.*", "", text)
    found = re.findall(r"(\w+)\(([^()]*)\);", code)
    return {
        name: 0 if parameters.strip() == "void" else parameters.count(",") + 1 for name, parameters in found
    }


def methods(protocol):
    members = inspect.getmembers(protocol, inspect.isfunction)
    return {name: method for name, method in members if not name.startswith("_")}


@pytest.mark.parametrize("dll", DLLS, ids=lambda dll: dll.__name__)
def test_each_declared_function_has_a_method_and_each_method_a_function(dll):
    assert set(methods(dll)) == set(declared(DLLS[dll]))


@pytest.mark.parametrize("dll", DLLS, ids=lambda dll: dll.__name__)
def test_a_method_takes_as_many_arguments_as_its_function(dll):
    counts = {name: len(inspect.signature(method).parameters) - 1 for name, method in methods(dll).items()}
    assert counts == declared(DLLS[dll])


@pytest.mark.parametrize("dll", DLLS, ids=lambda dll: dll.__name__)
def test_arguments_have_no_names_to_callers(dll):
    for method in methods(dll).values():
        _, *arguments = inspect.signature(method).parameters.values()
        assert all(argument.kind is argument.POSITIONAL_ONLY for argument in arguments)


@pytest.mark.parametrize("dll", DLLS, ids=lambda dll: dll.__name__)
def test_each_method_says_what_it_does(dll):
    for method in methods(dll).values():
        assert method.__doc__
        assert "\n" not in method.__doc__


@pytest.mark.parametrize("dll", DLLS, ids=lambda dll: dll.__name__)
def test_an_overlapped_function_says_so(dll):
    code = re.sub(r"//.*", "", DLLS[dll])
    overlapped = set(re.findall(r"(\bHttp\w+)\([^()]*OVERLAPPED \*Overlapped[^()]*\);", code))
    overlapped -= {
        name for name in overlapped if name.endswith("ServiceConfiguration")
    }  # documented to take NULL only
    assert {name for name, method in methods(dll).items() if "Overlapped;" in method.__doc__} == overlapped


@pytest.mark.skipif(os.name == "nt", reason="Windows has HTTP.sys")
def test_elsewhere_load_says_what_to_use_instead():
    with pytest.raises(UnsupportedError, match=r"part of Windows.*--server usermode"):
        api.load()


class _NoDll:
    """cffi for a Windows that lacks a DLL, or that is a 32-bit one."""

    error = ffi.error

    def __init__(self, pointer):
        self._pointer = pointer

    def sizeof(self, name):
        return self._pointer

    def dlopen(self, name):
        raise OSError(f"cannot load library {name}: error 0x7e")


@pytest.fixture
def on_windows(monkeypatch):
    def pretend(pointer):
        monkeypatch.setattr(api, "ffi", _NoDll(pointer))
        monkeypatch.setattr(api, "os", SimpleNamespace(name="nt"))

    return pretend


def test_a_32_bit_python_is_told_to_be_a_64_bit_one(on_windows):
    on_windows(pointer=4)
    with pytest.raises(UnsupportedError, match=r"32-bit.*install 64-bit Python"):
        api.load()


def test_a_windows_without_the_dll_is_told_what_to_use_instead(on_windows):
    on_windows(pointer=8)
    with pytest.raises(UnsupportedError, match=r"httpapi\.dll.*0x7e.*--server usermode"):
        api.load()


def test_exports_tells_a_missing_function_from_one_that_is_there():
    library = ffi.dlopen(None)  # this process: it has neither, and says so as cffi does for a DLL
    assert not api.exports(library, "HttpDelegateRequestEx")
    assert not api.exports(library, "NoSuchFunction")


def test_exports_takes_stand_ins():
    class Old:
        HttpDelegateRequestEx = None

    class New:
        def HttpDelegateRequestEx(self):  # noqa: N802
            return 0

    assert not api.exports(object(), "HttpDelegateRequestEx")
    assert not api.exports(Old(), "HttpDelegateRequestEx")
    assert api.exports(New(), "HttpDelegateRequestEx")

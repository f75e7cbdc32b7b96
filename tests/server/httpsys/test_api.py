"""The typed protocols: one method for each function that is declared, and what `load` says where there is no HTTP.sys."""

import inspect
import os
import re
import sys

import pytest

from hostler.errors import UnsupportedError
from hostler.server.httpsys import api
from hostler.server.httpsys.definitions import functions
from hostler.windows import definitions, libraries

DLLS = {
    api.HttpApi: functions.HTTPAPI,
    libraries.Kernel32: definitions.KERNEL32,
    libraries.NtDll: definitions.NTDLL,
    libraries.Advapi32: definitions.ADVAPI32,
    libraries.IpHlpApi: definitions.IPHLPAPI,
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
    with pytest.raises(
        UnsupportedError, match=rf"part of Windows, and this is {sys.platform};.*--server usermode"
    ):
        api.load()


def test_a_windows_without_the_dll_is_told_what_to_use_instead(monkeypatch):
    monkeypatch.setattr(libraries, "load", lambda: libraries.Win32(None, None, None, None))
    with pytest.raises(UnsupportedError, match=r"httpapi\.dll.*--server usermode"):
        api.load()

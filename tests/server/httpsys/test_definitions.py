"""The C declarations: what is committed is what they generate, and sizes do not depend on the platform."""

import re
import subprocess
import sys

import pytest

from hostler.server.httpsys import definitions
from hostler.server.httpsys._bindings import ffi
from hostler.windows import definitions as windows
from hostler.windows._bindings import ffi as windows_ffi
from tests.server.httpsys.names import structures

PLATFORM_DEPENDENT = re.compile(r"\b(long|wchar_t|short|unsigned|size_t|DWORD|ULONG|WCHAR)\b")


BINDINGS = pytest.mark.parametrize(
    "bindings", [windows.BINDINGS, definitions.BINDINGS], ids=["windows", "httpsys"]
)


@BINDINGS
def test_the_committed_bindings_are_current(tmp_path, bindings):
    written = tmp_path / "_bindings.py"
    bindings.write(written)
    assert bindings.path.read_text() == written.read_text(), (
        f"the declarations have changed: run {bindings.command}, and commit _bindings.py"
    )


@BINDINGS
def test_the_same_declarations_generate_the_same_bindings(tmp_path, bindings):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    bindings.write(one)
    module = bindings.command.rpartition(" ")[2]
    program = f"from pathlib import Path; from {module} import BINDINGS; BINDINGS.write(Path({str(other)!r}))"
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, check=True)
        assert other.read_bytes() == one.read_bytes()


@BINDINGS
def test_every_type_has_a_fixed_width(bindings):
    code = re.sub(r"//.*", "", bindings.cdef)
    assert PLATFORM_DEPENDENT.findall(code) == []


def test_structures_that_others_include_have_tags():
    assert re.findall(r"\b(?:struct|union)\s*\{", re.sub(r"//.*", "", windows.BINDINGS.cdef)) == []


def test_a_structure_of_windows_is_the_same_in_both():
    assert ffi.typeof("OVERLAPPED *") is windows_ffi.typeof("OVERLAPPED *")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("HTTP_REQUEST_V1", 848),
        ("HTTP_REQUEST", 864),
        ("HTTP_RESPONSE", 568),
        ("HTTP_DATA_CHUNK", 32),
        ("HTTP_BINDING_INFO", 16),
        ("HTTP_TIMEOUT_LIMIT_INFO", 20),
        ("HTTP_SSL_INFO", 48),
        ("HTTP_DELEGATE_REQUEST_PROPERTY_INFO", 16),
        ("OVERLAPPED", 32),
        ("OVERLAPPED_ENTRY", 32),
        ("SOCKADDR_IN", 16),
        ("SOCKADDR_IN6", 28),
        ("SOCKADDR_STORAGE", 128),
    ],
)
def test_sizes_are_those_of_64_bit_windows(name, size):
    assert ffi.sizeof(name) == size


def test_version_two_of_requests_and_responses_begins_with_version_one():
    for name in ("HTTP_REQUEST", "HTTP_RESPONSE"):
        old, new = ffi.typeof(f"{name}_V1"), ffi.typeof(f"{name}_V2")
        for field, _ in old.fields:
            assert ffi.offsetof(new, field) == ffi.offsetof(old, field)


def test_every_structure_has_fields():
    assert len(structures()) > 80
    assert [name for name, ctype in structures().items() if not ctype.fields] == []

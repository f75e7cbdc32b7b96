"""mingw-w64's headers and compiler: somebody else's idea of the structures and constants, checked by compiling."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

COMPILER = "x86_64-w64-mingw32-gcc"
HEADERS = ["winsock2.h", "ws2tcpip.h", "mstcpip.h", "windows.h", "iphlpapi.h", "http.h"]
BEGINNING = "#define _WIN32_WINNT 0x0A00\n#define NTDDI_VERSION 0x0A00000C\n#include <stddef.h>\n" + "".join(
    f"#include <{name}>\n" for name in HEADERS
)


def _run(source, *arguments):
    return subprocess.run(
        [COMPILER, "-x", "c", "-std=gnu11", *arguments, "-"],
        input=BEGINNING + source,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def require():
    """Skip where there is no mingw-w64 with http.h; in CI there must be."""
    if shutil.which(COMPILER) and _run("", "-fsyntax-only").returncode == 0:
        return
    message = f"{COMPILER} with http.h is not installed (Debian: gcc-mingw-w64-x86-64)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def words():
    """Return every identifier that the headers declare: in the code, and as a macro's name."""
    code = _run("", "-E", "-P").stdout
    macros = _run("", "-E", "-dM").stdout
    return set(re.findall(r"\b[A-Za-z_]\w*", code)), set(re.findall(r"#define (\w+) ", macros))


def compile_assertions(assertions):
    """Compile assertions, (condition, what it says); return what the compiler says against them."""
    lines = [f'_Static_assert({condition}, "{text}");' for condition, text in assertions]
    result = _run("\n".join(lines) + "\n", "-fsyntax-only")
    return re.findall(r"error: .*", result.stderr) or ([result.stderr] if result.returncode else [])

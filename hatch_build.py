"""Compiles hostler's C part for a wheel where that can be done, and leaves it out where it cannot.

A wheel with it is tagged cp311-abi3-PLATFORM, one without it py3-none-any. In the environment of a build,
HOSTLER_PURE=1 leaves it out, and HOSTLER_REQUIRE_COMPILED=1 makes it an error that it cannot be compiled.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.bdist_wheel import get_platform

PACKAGE = "hostler/http"
HEADS = Extension(
    "hostler.http._heads",
    [f"src/{PACKAGE}/_heads.c"],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
)


class CompiledHeads(BuildHookInterface[Any]):
    """Adds the compiled module to a wheel; for an editable install puts it beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel is; one that nothing could be compiled for stays as it is."""
        self.scratch = TemporaryDirectory(prefix="hostler-build-")
        source = Path(self.root, "src")
        try:
            if version == "editable":
                remove_compiled(source)
            compiled = compile_heads(source if version == "editable" else Path(self.scratch.name))
        except Exception as error:  # compilers fail in many ways, and hostler runs without
            if is_set("HOSTLER_REQUIRE_COMPILED"):
                raise
            self.app.display_warning(f"hostler is built without its compiled part: {error}")
            return
        build_data["tag"] = f"cp311-abi3-{get_platform(str(compiled.parent))}"
        build_data["pure_python"] = False
        if version != "editable":
            build_data["force_include"][str(compiled)] = f"{PACKAGE}/{compiled.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled, which is in the wheel by now."""
        self.scratch.cleanup()


def compile_heads(directory: Path) -> Path:
    """Compile the module into a package under a directory; raises RuntimeError where this Python cannot have it."""
    if reason := why_not():
        raise RuntimeError(reason)
    command = Distribution({"ext_modules": [HEADS]}).get_command_obj("build_ext")
    with TemporaryDirectory(prefix="hostler-build-") as objects:
        command.build_lib, command.build_temp = str(directory), objects
        command.ensure_finalized()
        command.run()
    return Path(*command.get_outputs())


def why_not() -> str | None:
    """Return why the module is not to be compiled, or None."""
    if is_set("HOSTLER_PURE"):
        return "HOSTLER_PURE is set"
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} has no stable ABI"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "a free-threaded Python loads no modules of the stable ABI"
    return None


def is_set(name: str) -> bool:
    """Whether the environment says so; empty and 0 say no."""
    return os.environ.get(name, "") not in ("", "0")


def remove_compiled(source: Path) -> None:
    """Remove what an earlier build left, lest it outlive its source."""
    for path in (source / PACKAGE).glob("_heads.*"):
        if path.suffix in {".so", ".pyd"}:
            path.unlink()

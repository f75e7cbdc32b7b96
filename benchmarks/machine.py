"""What a run ran on: the machine, and the versions of the programs."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks import processes

__all__ = ["describe"]

_PACKAGES: Final = (
    "uvloop", "httptools", "aiohttp", "starlette", "httpx", "proxy.py", "uvicorn", "hypercorn", "granian",
)  # fmt: skip
_PROGRAMS: Final = (
    ("nginx", "-v"), ("haproxy", "-v"), ("caddy", "version"), ("varnishd", "-V"), ("h2load", "--version"),
)  # fmt: skip


def describe() -> list[str]:
    """Return lines: processor and cores, system, versions."""
    versions = []
    for program, option in _PROGRAMS:
        path = processes.find(program)
        if path is not None:
            versions.append(_version(path, option))
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return [
        f"{_processor()}, {os.cpu_count()} cores",
        f"{platform.system()} {platform.release()}, load average before the run {os.getloadavg()[0]:.2f}",
        ", ".join(versions),
    ]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(path: str, option: str) -> str:
    name = Path(path).name
    try:
        _, output, errors = processes.run([path, option], 5)
    except (OSError, subprocess.TimeoutExpired):
        return name
    line = next(iter((output + errors).strip().splitlines()), "")
    # the number stands alone, after nginx/, or in (varnish-7.1.1 revision ...)
    words = (
        word.strip("()").rpartition("-")[2] if "varnish-" in word else word
        for word in line.replace("/", " ").split()
    )
    number = next((word for word in words if word[:1].isdigit()), "")
    return f"{name} {number}".strip()

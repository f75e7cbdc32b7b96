"""Installing the peers that Debian has, for `--install`."""

from __future__ import annotations

import os
import sys
from typing import Final

from benchmarks import processes

__all__ = ["install"]

_PACKAGES: Final = {
    "nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "varnishd": "varnish", "h2load": "nghttp2-client",
}  # fmt: skip


def install() -> str:
    """Install what is missing, as root, with apt; returns why that failed, empty when it did not."""
    missing = [package for program, package in _PACKAGES.items() if processes.find(program) is None]
    if not missing:
        return ""
    apt = processes.find("apt-get")
    if apt is None or os.geteuid() != 0:
        return f"--install takes apt-get and root; missing are {', '.join(missing)}"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *missing]):
        print("apt-get", *command, file=sys.stderr)
        status, output, errors = processes.run([apt, *command], 600, environment)
        if status:
            return f"apt-get {command[0]} ended with {status}: {(errors or output).strip()[-300:]}"
    return ""

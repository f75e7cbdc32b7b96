"""How to have an authority for development trusted, by each program that has a list of its own."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["how_to_trust", "quote"]

NAME: Final = "hostler development CA"
"""With what its name begins, and what it is called where a list wants a name for it."""


def quote(path: Path) -> str:
    """Return a path as a shell of this platform takes it."""
    return f'"{path}"' if sys.platform == "win32" else shlex.quote(str(path))


def how_to_trust(ca: Path) -> str:
    """Return a text that says for each system and program which command does it, and which one undoes it."""
    path = quote(ca)
    copy = "/usr/local/share/ca-certificates/hostler-dev.crt"
    rows = [
        ("curl", f"curl --cacert {path} https://localhost:8443/"),
        ("Python", f"SSL_CERT_FILE={path} python ...  (requests: REQUESTS_CA_BUNDLE)"),
        ("Node.js", f"NODE_EXTRA_CA_CERTS={path} node ..."),
        ("Debian, Ubuntu", f"sudo cp {path} {copy} && sudo update-ca-certificates"),
        ("  to undo", f"sudo rm {copy} && sudo update-ca-certificates --fresh"),
        ("Fedora", f"sudo trust anchor {path}"),
        ("  to undo", f"sudo trust anchor --remove {path}"),
        (
            "macOS",
            f"security add-trusted-cert -r trustRoot -p ssl -k ~/Library/Keychains/login.keychain-db {path}",
        ),
        ("  to undo", f"security remove-trusted-cert {path}"),
        ("Windows", f"certutil -user -addstore Root {path}"),
        ("  to undo", f'certutil -user -delstore Root "{NAME}"'),
        (
            "Chromium on Linux",
            f'certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n "{NAME}" -i {path}  (of libnss3-tools)',
        ),
        ("  to undo", f'certutil -d sql:$HOME/.pki/nssdb -D -n "{NAME}"'),
        ("Firefox", "Settings, Certificates, View Certificates, Authorities, Import"),
    ]
    return "".join(f"  {name:<18} {command}\n" for name, command in rows)

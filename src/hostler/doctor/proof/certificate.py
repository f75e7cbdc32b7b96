"""A certificate of the proof's own: made by PowerShell, bound to a port, and both removed again.

It takes an administrator: the certificate must be in the store of the local machine, where HTTP.sys looks for it.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID

from hostler.doctor.proof.errors import NotTriedError
from hostler.server.httpsys.configuration import netsh
from hostler.server.httpsys.configuration.certificates import CertificateBinding, bind, remove
from hostler.server.httpsys.configuration.endpoint import TlsEndpoint
from hostler.server.httpsys.configuration.store import open_store
from hostler.windows.errors import Win32Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hostler.server.httpsys.api import Windows

__all__ = ["bound_certificate", "run_powershell"]

_APP: Final = UUID("0f1d5b0e-8f0a-4f5b-9a43-3c1f7f3a2b11")
_SHA1: Final = 40
_MAKE: Final = (
    "$ErrorActionPreference = 'Stop'; "
    "(New-SelfSignedCertificate -DnsName localhost -FriendlyName 'hostler proof' "
    "-CertStoreLocation Cert:\\LocalMachine\\My -NotAfter (Get-Date).AddDays(1)).Thumbprint"
)


def run_powershell(command: str) -> tuple[bool, str]:
    """Run a command in Windows PowerShell; returns whether it succeeded, and what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - the command is ours
            ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", command],  # noqa: S607 - Windows finds it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, (done.stdout if done.returncode == 0 else done.stderr).strip()


@contextmanager
def bound_certificate(
    windows: Windows,
    port: int,
    left: list[str],
    powershell: Callable[[str], tuple[bool, str]] = run_powershell,
) -> Iterator[None]:
    """Have https on a port answered with a new certificate while the context lasts; raises NotTriedError.

    What cannot be removed is added to `left`, each with the command that removes it.
    """
    thumbprint = _make(powershell)
    try:
        endpoint = TlsEndpoint("0.0.0.0", port)  # noqa: S104 - where a certificate is bound, not where it listens
        _bind(windows, CertificateBinding(endpoint, bytes.fromhex(thumbprint), _APP))
        try:
            yield
        finally:
            _unbind(windows, endpoint, left)
    finally:
        delete = f"Remove-Item Cert:\\LocalMachine\\My\\{thumbprint} -DeleteKey"
        removed, said = powershell(delete)
        if not removed:
            left.append(f"a certificate ({_first_line(said)}); remove it with: {delete}")


def _make(powershell: Callable[[str], tuple[bool, str]]) -> str:
    made, said = powershell(_MAKE)
    if not made:
        raise NotTriedError(f"no certificate can be made, which takes an administrator: {_first_line(said)}")
    thumbprint = said.splitlines()[-1].strip() if said else ""
    if len(thumbprint) != _SHA1:
        raise NotTriedError(f"PowerShell made a certificate, and said {said!r} in place of its thumbprint")
    return thumbprint


def _bind(windows: Windows, binding: CertificateBinding) -> None:
    try:
        with open_store(windows) as store:
            bind(store, binding)
    except Win32Error as error:
        raise NotTriedError(
            f"the certificate cannot be bound, which takes an administrator: {error}"
        ) from error


def _unbind(windows: Windows, endpoint: TlsEndpoint, left: list[str]) -> None:
    try:
        with open_store(windows) as store:
            remove(store, endpoint)
    except Win32Error as error:
        left.append(
            f"what is bound to {endpoint} ({error}); remove it with: {netsh.delete_certificate(endpoint)}"
        )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "PowerShell said nothing")

"""Where development certificates are kept: four files in a directory of this user's, which nobody else may look into."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from hostler.dev_cert.authority import Authority
from hostler.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from hostler.dev_cert.authority import Issued
    from hostler.dev_cert.names import Name

__all__ = ["Renewed", "Store", "default_directory"]


def default_directory() -> Path:
    """Return where they are unless somebody says otherwise: with what else this user has configured.

    Raises CertificateError for a user without a home directory.
    """
    try:
        home = Path.home()
    except RuntimeError as error:
        raise CertificateError(
            "this user has no home directory; say with --directory where to keep them"
        ) from error
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        base = given if given.is_absolute() else home / ".config"
    return base / "hostler" / "dev-cert"


@frozen(eq=False)
class Renewed:
    """What there is now."""

    authority: Authority
    is_new: bool
    """Whether the authority was made just now, and has to be trusted first."""

    certificate: Issued
    names: tuple[Name, ...]


@frozen
class Store:
    """The files in one directory."""

    directory: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.directory / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Its key."""
        return self.directory / "ca.key"

    @property
    def certificate(self) -> Path:
        """The certificate to serve with."""
        return self.directory / "localhost.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self.directory / "localhost.key"

    def renew(self, names: Iterable[Name], now: datetime, *, new_ca: bool = False) -> Renewed:
        """Make a certificate, and an authority where there is none, or a `new_ca` is wanted, or the one there has ended.

        Without names it is for those that the certificate is for that is there. Raises CertificateError for names that the
        authority does not vouch for, for files that were not made here, and for what cannot be written.
        """
        try:
            self._prepare()
            there = self._authority()
            before = self._names(there)
            wanted = tuple(names) or before
            is_new = there is None or new_ca or there.until <= now
            authority = Authority.make(wanted, now) if there is None or is_new else there
            issued = authority.issue(wanted, now)
            if is_new:
                self._write(self.ca_key, authority.key_pem)
                self._write(self.ca, authority.pem)
            self._write(self.key, issued.key_pem)
            self._write(self.certificate, issued.pem)
        except OSError as error:
            raise CertificateError(
                f"{error.filename or self.directory}: {error.strerror or error}; choose another place with --directory"
            ) from error
        return Renewed(authority, is_new, issued, authority.names_of(issued.pem) or ())

    def _prepare(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.directory.stat()
        if sys.platform != "win32" and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise CertificateError(
                f"{self.directory}: it holds the key of an authority, and others may look into it, or own it; "
                f"make it yours alone: chmod 700 {self.directory}, or choose another with --directory"
            )

    def _authority(self) -> Authority | None:
        """Return the authority that is there; raises CertificateError where something else is."""
        files = [path for path in (self.ca, self.ca_key) if os.path.lexists(path)]
        if not files:
            return None
        found = Authority.load(self.ca.read_bytes(), self.ca_key.read_bytes()) if len(files) == 2 else None
        if found is None:
            raise _foreign(files)
        return found

    def _names(self, authority: Authority | None) -> tuple[Name, ...]:
        """Return what the certificate there is for; raises CertificateError where it is another's."""
        files = [path for path in (self.certificate, self.key) if os.path.lexists(path)]
        if not files:
            return ()
        names = None
        if authority is not None and self.certificate.exists():
            names = authority.names_of(self.certificate.read_bytes())
        if names is None:
            raise _foreign(files)
        return names

    def _write(self, path: Path, data: bytes) -> None:
        """Have a file, readable by this user alone, hold something else, all at once."""
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            fresh.replace(path)
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()


def _foreign(files: Iterable[Path]) -> CertificateError:
    return CertificateError(
        f"{' and '.join(map(str, files))}: not made by hostler dev-cert, or not complete, and not to be overwritten; "
        "move them away, or choose another place with --directory"
    )

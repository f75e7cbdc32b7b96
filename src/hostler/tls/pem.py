"""Files of certificates and keys, before OpenSSL sees them: whether there is what it will look for."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hostler.errors import CertificateError

if TYPE_CHECKING:
    import os

__all__ = ["blocks_of", "first_certificate", "has_key", "read"]

_MAX_SIZE: Final = 1 << 22
"""Bytes; a file with every authority that browsers trust has a quarter of a MiB."""

_BLOCK: Final = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----\s*$", re.MULTILINE)
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"


def read(path: str) -> bytes:
    """Return what a file holds; raises CertificateError for what cannot be read."""
    file = Path(path)
    try:
        _check(path, file.stat())
        return file.read_bytes()
    except FileNotFoundError as error:
        raise CertificateError(
            f"{path}: there is no such file; correct the path, or put the file there"
        ) from error
    except PermissionError as error:
        raise CertificateError(
            f"{path}: this user may not read it; let the user that hostler runs as read the file, and look into its "
            "directories"
        ) from error
    except CertificateError:
        raise
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"{path}: it cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def _check(path: str, found: os.stat_result) -> None:
    """Raise CertificateError for what reading would not come to an end with."""
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "no file that can be read twice"
        raise CertificateError(f"{path}: it is {what}; name a file")
    if found.st_size > _MAX_SIZE:
        raise CertificateError(
            f"{path}: it has {found.st_size} bytes, which is no certificate; name another file"
        )


def blocks_of(data: bytes) -> list[str]:
    """Return what the blocks of a PEM file are called, such as CERTIFICATE."""
    return [name.decode() for name in _BLOCK.findall(data)]


def has_key(data: bytes) -> bool:
    """Whether a PEM file has a private key."""
    return any(name.endswith("PRIVATE KEY") for name in blocks_of(data))


def first_certificate(data: bytes) -> str:
    """Return the first certificate of a PEM file, which is the server's own; "" where none is whole."""
    begin = data.find(_BEGIN)
    end = data.find(_END, begin) if begin >= 0 else -1
    return data[begin : end + len(_END)].decode("ascii", "replace") if end >= 0 else ""

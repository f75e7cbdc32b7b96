"""Where a certificate is: a value, without its being read."""

from __future__ import annotations

from attrs import field, frozen

__all__ = ["Certificate"]


@frozen(kw_only=True)
class Certificate:
    """Where a certificate is, with its key."""

    path: str
    """PEM, with the certificates that lead to its root behind it, or PKCS #12 (.pfx, .p12)."""

    key_path: str | None = None
    """The key in PEM; None where `path` has it."""

    password: str | None = field(default=None, repr=False)
    """What the key, or the PKCS #12 file, is encrypted with."""

"""The options of `run` and `serve` for https: what a document says in its section `Kestrel`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hostler.errors import HostlerError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from hostler.config.kestrel import Kestrel
    from hostler.server.prefix import UrlPrefix

__all__ = ["add_tls", "check_https", "kestrel_of"]

_MODES: Final = {"none": "NoCertificate", "allow": "AllowCertificate", "require": "RequireCertificate"}


def add_tls(parser: ArgumentParser) -> None:
    """Add the certificate, and what is asked of clients."""
    group = parser.add_argument_group("https, on the user-mode server")
    group.add_argument(
        "--cert", metavar="FILE",
        help="the certificate of endpoints that have none of their own: PEM, with those that lead to its root behind "
        "it, or a .pfx",
    )  # fmt: skip
    group.add_argument("--key", metavar="FILE", help="its key in PEM (default: it is in --cert)")
    group.add_argument(
        "--key-password-file", metavar="FILE", help="a file with the password of the key, or of the .pfx"
    )
    group.add_argument(
        "--client-certificates", choices=list(_MODES),
        help="whether clients are asked for a certificate, and may do without (default none)",
    )  # fmt: skip
    group.add_argument(
        "--client-ca", metavar="FILE",
        help="the certificates, in PEM, that those of clients must lead to (default: the system's)",
    )  # fmt: skip


def kestrel_of(args: Namespace) -> Kestrel | None:
    """Return what the options say as a section, None for nothing; raises HostlerError for what does not go together."""
    for name in ("key", "key_password_file"):
        if getattr(args, name) is not None and args.cert is None:
            raise HostlerError(f"--{name.replace('_', '-')} belongs to a certificate; add --cert FILE")
    if args.client_ca is not None and args.client_certificates in {None, "none"}:
        raise HostlerError(
            "--client-ca has no certificate to examine; add --client-certificates allow or require"
        )
    if args.cert is None and args.client_certificates is None:
        return None
    from hostler.config.kestrel import (  # noqa: PLC0415 - for who serves https
        Kestrel,
        KestrelCertificate,
        KestrelEndpointDefaults,
    )

    certificates = {}
    if args.cert is not None:
        certificates["Default"] = KestrelCertificate(
            path=args.cert, key_path=args.key, password=_read_password(args.key_password_file)
        )
    defaults = KestrelEndpointDefaults(
        client_certificate_mode=_MODES.get(args.client_certificates),
        client_certificate_authority=args.client_ca,
    )
    return Kestrel(certificates=certificates, endpoint_defaults=defaults)


def _read_password(path: str | None) -> str | None:
    """Return the first line of a file."""
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise HostlerError(f"--key-password-file: {path} cannot be read: {reason}") from None


def check_https(args: Namespace, prefixes: Iterable[UrlPrefix]) -> None:
    """Raise HostlerError for options of https where nothing is listened on with it."""
    given = "--cert" if args.cert is not None else "--client-certificates"
    if not any(prefix.scheme == "https" for prefix in prefixes):
        raise HostlerError(f"{given} is for https, and no URL prefix is; add --url https://+:443/")

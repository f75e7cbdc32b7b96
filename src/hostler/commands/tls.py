"""The options of `run` and `serve` for https: what a document says in its section `Kestrel`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from hostler.errors import HostlerError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from hostler.config.kestrel import Kestrel
    from hostler.server.options import ServerOptions
    from hostler.server.prefix import UrlPrefix

__all__ = ["add_https", "add_tls", "check_https", "kestrel_of", "with_https"]

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


def add_https(parser: ArgumentParser) -> None:
    """Add what has clients come over https."""
    group = parser.add_argument_group("from http to https, on every server")
    group.add_argument(
        "--redirect-to-https", action="store_true", help="send clients of http to the same URL in https (307)"
    )
    group.add_argument(
        "--https-port", metavar="PORT", type=int,
        help="where they are sent, such as to the port of a proxy in front (default: that of the https prefix)",
    )  # fmt: skip
    group.add_argument(
        "--hsts", metavar="SECONDS", type=int,
        help="have browsers that came over https use nothing else for so long (Strict-Transport-Security)",
    )  # fmt: skip


def with_https(options: ServerOptions, args: Namespace) -> ServerOptions:
    """Return options with what the command line says over them; raises HostlerError for what is wrong."""
    if args.https_port is not None and not args.redirect_to_https:
        raise HostlerError("--https-port is where clients are sent to; add --redirect-to-https")
    if not args.redirect_to_https and args.hsts is None:
        return options
    from hostler.config.https import Hsts, HttpsRedirection  # noqa: PLC0415 - for who wants it

    redirection, hsts = options.https_redirection, options.hsts
    try:
        if args.redirect_to_https:
            redirection = evolve(redirection or HttpsRedirection(), active=True)
            if args.https_port is not None:
                redirection = evolve(redirection, https_port=args.https_port)
        if args.hsts is not None:
            hsts = evolve(hsts or Hsts(), active=True, max_age=float(args.hsts))
    except ValueError as error:
        key, _, why = str(error).partition(": ")
        raise HostlerError(f"--{'https-port' if key == 'HttpsPort' else 'hsts'}: {why}") from None
    return evolve(options, https_redirection=redirection, hsts=hsts)


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

"""Certificates: whether they can be used, for whom they are, and until when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from hostler.doctor.finding import Finding, Verdict
from hostler.doctor.kernel import examine_bindings
from hostler.errors import CertificateError
from hostler.server.base import ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context
    from hostler.server.options import TlsOptions

__all__ = ["examine_certificates"]

_SOON: Final = 30 * 86400.0
_SHOWN: Final = 5
"""Names that are listed of a certificate."""


def examine_certificates(context: Context, now: float | None = None) -> Iterator[Finding]:
    """Read the certificates that the document names, as the server would; on HTTP.sys look at what is bound."""
    if context.server is ServerKind.HTTPSYS:
        yield from examine_bindings(context)
        return
    https = [prefix for prefix in context.prefixes if prefix.scheme == "https"]
    if not https:
        yield Finding("certificates", Verdict.OK, "none is needed: nothing is to listen on https")
    elif not context.tls:
        yield Finding(
            "certificates", Verdict.BROKEN, f"there is none for {', '.join(map(str, https))}",
            "name one in Kestrel.Certificates.Default, or with hostler run --cert FILE; for development: hostler dev-cert",
        )  # fmt: skip
    seen: set[tuple[str, ...]] = set()
    for options in context.tls:
        for host, each in ("", options), *options.sni.items():
            finding = _examine(host, each, time.time() if now is None else now)
            key = (finding.what, finding.detail)
            if key not in seen:
                seen.add(key)
                yield finding


def _examine(host: str, options: TlsOptions, now: float) -> Finding:
    """Examine what clients get that ask for a host, or for none."""
    from hostler.server.usermode.tls.examination import day  # noqa: PLC0415 - for https alone, as below
    from hostler.server.usermode.tls.loading import load  # noqa: PLC0415

    what = "certificate" if options.certificate is None else options.certificate.path
    try:
        examined = load(options, now).examined
    except CertificateError as error:
        what, _, reason = str(error).partition(": ")
        detail, _, remedy = reason.rpartition("; ")
        return Finding(what, Verdict.BROKEN, detail or reason, remedy if detail else "")
    if examined is None:
        detail = (
            f"{host} has that of all hosts" if host else "clients that name no host of Sni are turned away"
        )
        return Finding(what, Verdict.OK, detail)
    names = ", ".join(examined.names[:_SHOWN]) + (", ..." if len(examined.names) > _SHOWN else "")
    detail = f"for {names or 'no host'}, until {day(examined.not_after)}"
    if not examined.names:
        return Finding(
            what, Verdict.WARNING, detail, "get one with names (subjectAltName): clients want them"
        )
    if host and not examined.covers(host):
        return Finding(
            what,
            Verdict.WARNING,
            f"{detail}, and not for {host}, whose clients get it",
            f"get one for {host}",
        )
    if examined.not_after - now < _SOON:
        return Finding(what, Verdict.WARNING, detail, "renew it: it ends within 30 days")
    return Finding(what, Verdict.OK, detail)

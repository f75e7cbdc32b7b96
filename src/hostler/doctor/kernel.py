"""HTTP.sys: what this Windows' can do, and how it is configured for the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from hostler.doctor.finding import Finding, Verdict
from hostler.server.base import ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hostler.doctor.context import Context
    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.configuration.certificates import CertificateBinding
    from hostler.server.httpsys.configuration.store import ConfigurationStore
    from hostler.server.prefix import UrlPrefix

__all__ = ["examine_bindings", "examine_httpsys"]

_SOON: Final = timedelta(days=14)


def examine_httpsys(context: Context) -> Iterator[Finding]:
    """Find what HTTP.sys can do here, and who may register which URLs."""
    if context.windows is None:
        needed = context.server is ServerKind.HTTPSYS
        yield Finding("HTTP.sys", Verdict.BROKEN if needed else Verdict.MISSING, context.no_windows)
        return
    from hostler.server.httpsys.configuration.store import open_store  # noqa: PLC0415 - it needs cffi

    with open_store(context.windows) as store:
        yield from _features(context.windows, delegates=bool(context.queues))
        yield from _reservations(store, {prefix.port for prefix in context.prefixes})


def _features(windows: Windows, *, delegates: bool) -> Iterator[Finding]:
    from hostler.server.httpsys.features import Features  # noqa: PLC0415 - it needs cffi

    features = Features.of(windows)
    if features.delegation:
        yield Finding("delegation", Verdict.OK, "requests can be delegated to queues")
    else:
        yield Finding(
            "delegation", Verdict.BROKEN if delegates else Verdict.MISSING, "this Windows has no HttpDelegateRequestEx",
            "Windows 11 and Windows Server 2022 have it",
        )  # fmt: skip
    trailers = "are sent" if features.trailers else "are not sent in HTTP/2 and HTTP/3"
    yield Finding(
        "trailers", Verdict.OK if features.trailers else Verdict.MISSING, f"those of responses {trailers}"
    )


def _reservations(store: ConfigurationStore, ports: set[int]) -> Iterator[Finding]:
    """Find the reservations on the ports that are to be listened on; how many there are beside them."""
    from hostler.server.httpsys.configuration.reservations import reservations, trustees  # noqa: PLC0415 - as above

    found = list(reservations(store))
    for reservation in found:
        if any(f":{port}/" in reservation.url for port in ports):
            who = ", ".join(f"{name} ({rights})" for name, rights in trustees(store.windows, reservation))
            yield Finding(f"reservation of {reservation.url}", Verdict.OK, f"for {who or reservation.sddl}")
    yield Finding("URL reservations", Verdict.OK, f"{len(found)} on this machine (hostler url list)")


# -- certificates -----------------------------------------------------------------------------------------------------


def examine_bindings(context: Context, now: datetime | None = None) -> Iterator[Finding]:
    """Find which certificates are bound, when they end, and which prefix has none."""
    if context.windows is None:
        yield Finding("certificates", Verdict.MISSING, "there is no HTTP.sys to bind them to")
        return
    from hostler.server.httpsys.configuration.certificates import bindings  # noqa: PLC0415 - it needs cffi
    from hostler.server.httpsys.configuration.store import open_store  # noqa: PLC0415 - it needs cffi

    with open_store(context.windows) as store:
        bound = list(bindings(store))
    yield from _ends(bound, now or datetime.now(UTC))
    for prefix in context.prefixes:
        if prefix.scheme == "https" and not any(_serves(binding, prefix) for binding in bound):
            yield Finding(
                f"certificate for {prefix}", Verdict.BROKEN, "none is bound to its port: clients get no answer",
                f"as an administrator: hostler cert bind 0.0.0.0:{prefix.port} THUMBPRINT",
            )  # fmt: skip
    yield Finding("certificates", Verdict.OK, f"{len(bound)} bound on this machine (hostler cert list)")


def _serves(binding: CertificateBinding, prefix: UrlPrefix) -> bool:
    """Whether a client of a prefix can come upon a binding: a name's own, or one of an address."""
    named = binding.endpoint.address is None
    return binding.endpoint.port == prefix.port and (
        not named or prefix.host in {"+", "*", binding.endpoint.host}
    )


def _ends(bound: Iterable[CertificateBinding], now: datetime) -> Iterator[Finding]:
    from hostler.server.httpsys.configuration.stored import ends_of  # noqa: PLC0415 - of no use without HTTP.sys

    ends: dict[str, dict[bytes, datetime]] = {}
    for binding in bound:
        if binding.store not in ends:
            ends[binding.store] = ends_of(binding.store)
        end = ends[binding.store].get(binding.thumbprint)
        if end is None or end - now > _SOON:
            continue
        yield Finding(
            f"certificate of {binding.endpoint}", Verdict.WARNING if end > now else Verdict.BROKEN,
            f"{'ends' if end > now else 'ended'} on {end:%Y-%m-%d}",
            f"renew it, and then: hostler cert bind {binding.endpoint} THUMBPRINT --replace",
        )  # fmt: skip

"""The contexts of one endpoint: its certificates, and which of them a client gets.

OpenSSL calls back as soon as it knows which host a client names, and lets the certificate be changed then. What it goes
on by without asking again is whether clients have to show a certificate of theirs, and which versions are spoken. So
where hosts differ in those, the first context has no other purpose than to learn the name; the handshake begins anew
with the context of that name then, and the same bytes (`Session.anew`).
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from hostler.errors import CertificateError, ProtocolError
from hostler.server.options import ClientCertificates
from hostler.server.usermode.tls.live import LiveContext
from hostler.server.usermode.tls.names import HostNames
from hostler.server.usermode.tls.session import Session
from hostler.tls.engine import TlsEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.contract import Address
    from hostler.server.options import TlsOptions
    from hostler.server.placing import Placing

__all__ = ["TlsContexts"]


@frozen
class _ClientRule:
    """What is asked of clients: whether they show a certificate, and whose."""

    mode: ClientCertificates
    ca: str | None


class _Host:
    """What holds for clients that name one host, or none."""

    __slots__ = ("_on_name", "live", "rule", "terms")

    def __init__(
        self, options: TlsOptions, names: tuple[str, ...], on_name: Callable[..., ssl.AlertDescription | None]
    ) -> None:
        """Read its certificate; `on_name` is called with this when a client's host is known (`SSLContext.sni_callback`)."""
        self._on_name = partial(on_name, self)
        mode = options.client_certificates
        self.rule = _ClientRule(mode, None if mode is ClientCertificates.NONE else options.client_ca)
        self.terms = self.rule, frozenset(options.protocols)
        """What cannot be changed once a handshake has begun."""
        self.live = LiveContext(options, self._prepare, names)

    def _prepare(self, context: ssl.SSLContext) -> None:
        context.sslobject_class = Session
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # the messages of HTTP say where they end
        context.sni_callback = self._on_name


class TlsContexts:
    """What the handshakes of one endpoint go by."""

    def __init__(self, options: TlsOptions) -> None:
        """Read the certificates; raises CertificateError."""
        self.options = options
        default = None if options.certificate is None else _Host(options, (), self._on_name)
        named = {name: self._named(name, given) for name, given in options.sni.items()}
        every = [*([] if default is None else [default]), *named.values()]
        if not every:
            raise CertificateError("TlsOptions has no certificate; give one, or one for each host in `sni`")
        self._names = HostNames(named, default)
        self._rules = {host.rule for host in every}
        self.live = tuple(host.live for host in every)
        """Every context that there is, to be followed."""
        self.begins_anew = len({host.terms for host in every}) > 1
        """Whether a handshake may have to begin anew, so that its first bytes are to be kept."""
        self._listening = self._make_listening() if self.begins_anew else None

    def _named(self, name: str, options: TlsOptions) -> _Host:
        certificate = options.certificate or self.options.certificate
        if certificate is None:
            raise CertificateError(
                f"sni: {name}: there is no certificate for it; give it one, or one for all hosts"
            )
        return _Host(evolve(options, certificate=certificate), (name,), self._on_name)

    def _make_listening(self) -> ssl.SSLContext:
        """Make a context that learns which host a client names, and nothing else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_TICKET
        context.sslobject_class = Session
        context.sni_callback = partial(self._on_name, None)
        return context

    def begin(self) -> TlsEngine:
        """Begin a handshake with a client of which no more is known than that it speaks TLS."""
        return TlsEngine(self._listening or self.live[0].context, server_side=True)

    def _on_name(
        self, current: _Host | None, session: Session, name: str | None, _: ssl.SSLContext
    ) -> ssl.AlertDescription | None:
        """Choose by the host that a client names, if it names one; returns the alert that turns it away."""
        session.named = (name or "").lower()
        host = self._names.find(session.named)
        if host is None:
            session.is_unknown = True
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if host is current:
            return None
        if current is not None and host.terms == current.terms:
            session.context = host.live.context
            return None
        session.anew = host.live.context
        return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # which nobody gets

    def placing(self, placing: Placing, name: str) -> Placing:
        """Return where requests are placed of a client that named a host in its handshake."""
        return placing if len(self._rules) == 1 else _GuardedPlacing(self, placing, self.rule_of(name))

    def rule_of(self, name: str) -> _ClientRule | None:
        """Return what is asked of clients that name a host; None where they are turned away."""
        host = self._names.find(name)
        return None if host is None else host.rule


@frozen(eq=False)
class _GuardedPlacing:
    """Places the requests of a connection, but none for a host that asks other certificates of its clients."""

    contexts: TlsContexts
    placing: Placing
    rule: _ClientRule | None

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Place a request; raises ProtocolError for one that is misdirected (RFC 9110 15.5.20), too."""
        if self.contexts.rule_of(host) != self.rule:
            raise ProtocolError(
                "the connection is for another host, which asks other certificates of its clients", 421
            )
        return self.placing.place(scheme, host, server, path)

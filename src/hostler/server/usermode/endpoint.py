"""What holds for the connections that come in on one listening socket."""

from __future__ import annotations

import errno
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from hostler.errors import ListenError
from hostler.server.options import Endpoint
from hostler.server.prefix import UrlPrefix
from hostler.server.usermode.listening import serves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from socket import socket

    from hostler.contract import Address
    from hostler.server.options import ServerOptions, TlsOptions
    from hostler.server.usermode.tls.contexts import TlsContexts
    from hostler.server.usermode.tls.live import LiveContext

__all__ = ["Endpoints", "LiveEndpoint"]


@define(eq=False)
class LiveEndpoint:
    """An endpoint that is listened on."""

    scheme: str
    options: Endpoint
    tls: TlsContexts | None = None
    """None where nothing is encrypted."""

    trusts: Callable[[Address], bool] | None = None
    """Whether a peer is one of those that may connect, with a header of the PROXY protocol; None where there is none."""


@define(eq=False)
class Endpoints:
    """The endpoints of one server."""

    options: ServerOptions
    _contexts: list[TlsContexts] = field(factory=list, init=False)
    """One for each way to encrypt that there is, so that certificates are read once."""

    def __attrs_post_init__(self) -> None:
        """Read every certificate, before anything starts; raises CertificateError."""
        for tls in (self.options.tls, *(endpoint.tls for endpoint in self.options.endpoints.values())):
            if tls is not None:
                self._read(tls)

    def of(self, sock: socket, prefixes: Iterable[UrlPrefix]) -> LiveEndpoint:
        """Return what holds for a socket's connections: what its prefixes ask for.

        Raises ListenError where they do not ask for the same, or for https without a certificate.
        """
        asked: tuple[UrlPrefix, Endpoint] | None = None
        for prefix in prefixes:
            if not serves(sock, prefix):
                continue
            found = self._options_of(prefix)
            if asked is not None and asked[1] != found:
                raise ListenError(
                    errno.EINVAL,
                    f"cannot listen on {prefix}: it shares a socket with {asked[0]}, which has other settings; "
                    "give both the same, or ports of their own",
                )
            asked = prefix, found
        assert asked is not None
        prefix, options = asked
        self._refuse_misnamed(sock, prefix, options)
        trusts = self._trusted_by(prefix) if options.proxy_protocol else None
        tls = None if options.tls is None else self._read(options.tls)
        return LiveEndpoint(prefix.scheme, options, tls, trusts)

    def _refuse_misnamed(self, sock: socket, prefix: UrlPrefix, options: Endpoint) -> None:
        """Raise ListenError where an endpoint's clients would come in without what holds for it."""
        for listed in map(UrlPrefix.parse, self.options.endpoints):
            if serves(sock, listed) and (
                listed.scheme != prefix.scheme or self._options_of(listed) != options
            ):
                raise ListenError(
                    errno.EINVAL,
                    f"cannot listen on {prefix}: it shares a socket with the endpoint {listed}, which has other settings; "
                    "write the endpoint as the prefix is written, or give it a port of its own",
                )

    def _trusted_by(self, prefix: UrlPrefix) -> Callable[[Address], bool]:
        trusted = self.options.trusted_proxies
        if trusted is None:
            raise ListenError(
                errno.EINVAL,
                f"cannot listen on {prefix} with the PROXY protocol: whoever can connect could name any client; say "
                "which proxies may, with ServerOptions(trusted_proxies=...) or --trusted-proxy NETWORK",
            )
        return lru_cache(maxsize=1024)(trusted.trusts)

    def contexts(self) -> Iterable[LiveContext]:
        """Yield every context that there is."""
        for contexts in self._contexts:
            yield from contexts.live

    def _options_of(self, prefix: UrlPrefix) -> Endpoint:
        listed = {UrlPrefix.parse(url): endpoint for url, endpoint in self.options.endpoints.items()}
        whole = evolve(prefix, path="/")
        found = listed.get(whole) or listed.get(evolve(whole, port=0)) or Endpoint()
        if prefix.scheme != "https":
            return evolve(found, tls=None)
        if found.tls is None and self.options.tls is None:
            raise ListenError(
                errno.EINVAL,
                f"cannot listen on {prefix}: it has no certificate; give one with --cert FILE, as "
                "Kestrel.Certificates.Default, or with ServerOptions(tls=...) (hostler dev-cert makes one for development)",
            )
        return evolve(found, tls=found.tls or self.options.tls)

    def _read(self, options: TlsOptions) -> TlsContexts:
        for contexts in self._contexts:
            if contexts.options == options:
                return contexts
        from hostler.server.usermode.tls.contexts import TlsContexts  # noqa: PLC0415 - for https alone

        contexts = TlsContexts(options)
        self._contexts.append(contexts)
        return contexts

"""What a document or the command line says of the user-mode server's endpoints: the `Kestrel` section -> options.

Its keys mean what they mean to Kestrel (ConfigurationReader, KestrelConfigurationLoader and SniOptionsSelector of ASP.NET
Core), but that a Url is a URL prefix as in `Urls`.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from hostler.config.checks.values import check_ids
from hostler.config.kestrel import KestrelSni
from hostler.config.yarp.scalars import shown
from hostler.errors import ConfigError, PrefixError, Problem, Severity
from hostler.server.kestrel_values import (
    CLIENT_CERTIFICATE_MODES,
    PROTOCOLS,
    SSL_PROTOCOLS,
    look_up,
    parse_server_name,
    parse_url,
)
from hostler.server.options import Certificate, ClientCertificates, Endpoint, TlsOptions
from hostler.server.prefix import Category, UrlPrefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hostler.config.kestrel import Kestrel, KestrelCertificate, KestrelEndpoint, KestrelEndpointDefaults

__all__ = ["SECTION", "ConfiguredEndpoints", "check_kestrel", "configured_endpoints", "find_kestrel_warnings"]

SECTION: Final = "Kestrel"
_MAX_MODE: Final = 0o777


@frozen
class ConfiguredEndpoints:
    """Where to listen, and what holds there."""

    urls: tuple[str, ...]
    """Of the endpoints; empty where the section has none."""

    endpoints: Mapping[str, Endpoint]
    """`ServerOptions.endpoints`."""

    tls: TlsOptions | None
    """`ServerOptions.tls`; None without a default certificate."""


def configured_endpoints(section: Kestrel) -> ConfiguredEndpoints:
    """Return what a section says; raises ConfigError with every problem."""
    reading = _Reading(section)
    made = reading.read()
    errors = [problem for problem in reading.problems if problem.severity is Severity.ERROR]
    if errors:
        raise ConfigError(errors)
    return made


def check_kestrel(section: Kestrel) -> list[Problem]:
    """List everything in a section that cannot be obeyed."""
    return _find(section, Severity.ERROR)


def find_kestrel_warnings(section: Kestrel) -> list[Problem]:
    """List what a section says and what is not as it says, or does nothing."""
    return _find(section, Severity.WARNING)


def _find(section: Kestrel, severity: Severity) -> list[Problem]:
    reading = _Reading(section)
    reading.read()
    return [problem for problem in reading.problems if problem.severity is severity]


@frozen
class _Reading:
    """Makes options of a section, and keeps what is wrong; what is wrong is left out of the options."""

    section: Kestrel
    problems: list[Problem] = field(factory=list)

    def _refuse(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def _warn(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, Severity.WARNING))

    def read(self) -> ConfiguredEndpoints:
        """Return what the section says."""
        section = self.section
        defaults = TlsOptions(certificate=self._default_certificate())
        if section.endpoint_defaults is not None:
            path = f"{SECTION}.EndpointDefaults"
            self._read_protocols(section.endpoint_defaults, path)
            defaults = evolve(defaults, **self._tls_values(section.endpoint_defaults, path))
        self.problems.extend(check_ids(f"{SECTION}.Endpoints", section.endpoints))
        found: dict[str, tuple[UrlPrefix, Endpoint]] = {}
        for name, said in section.endpoints.items():
            path = f"{SECTION}.Endpoints.{name}"
            prefix = self._read_url(said.url, f"{path}.Url")
            scheme = said.url.partition("://")[0].lower() if prefix is None else prefix.scheme
            endpoint = self._read_endpoint(said, path, scheme, defaults)
            if prefix is not None:
                found[name] = prefix, endpoint
        self._check_ports({name: prefix for name, (prefix, _) in found.items() if not prefix.picks_port})
        return ConfiguredEndpoints(
            tuple(str(prefix) for prefix, _ in found.values()),
            {str(prefix): endpoint for prefix, endpoint in found.values()},
            None if defaults.certificate is None else defaults,
        )

    def _default_certificate(self) -> Certificate | None:
        found = None
        for name, said in self.section.certificates.items():
            path = f"{SECTION}.Certificates.{name}"
            if name.lower() == "default":
                found = self._read_certificate(said, path)
            elif name.lower() == "development":
                self._warn(
                    path,
                    "is for the certificate of dotnet dev-certs, and not read; make one with hostler dev-cert, and name "
                    f"it in {SECTION}.Certificates.Default",
                )
            else:
                self._warn(
                    path, f"is not read: no endpoint can name it; move it to {SECTION}.Certificates.Default"
                )
        return found

    # -- where to listen ----------------------------------------------------------------------------------------------

    def _read_url(self, url: str, path: str) -> UrlPrefix | None:
        try:
            prefix = parse_url(url)
        except PrefixError as error:
            self._refuse(path, str(error))
            return None
        if prefix.path != "/":
            self._refuse(
                path,
                f"{shown(url)} has a path, which Kestrel refuses too; end it with the port, or write it in Urls",
            )
            return None
        if prefix.category is Category.HOST and prefix.host != "localhost":
            self._warn(
                path,
                f"takes requests for the host {prefix.host} alone, where Kestrel takes those for any; "
                f"write {prefix.scheme}://*:{prefix.port} for any",
            )
        if prefix.picks_port:
            self._warn(path, f"{url} listens on a free port, another one at each start; write its number")
        return prefix

    def _check_ports(self, found: Mapping[str, UrlPrefix]) -> None:
        """Refuse endpoints that cannot both listen."""
        for (first, one), (second, other) in combinations(found.items(), 2):
            ours, theirs = set(one.addresses()), set(other.addresses())
            everywhere = (ours | theirs) & {"0.0.0.0", "::"}  # noqa: S104 - compared
            if one.port != other.port or not (ours & theirs or everywhere):
                continue
            what = f"port {other.port}" if other.socket_path is None else other.socket_path
            self._refuse(
                f"{SECTION}.Endpoints.{second}.Url",
                f"{what} is that of the endpoint {first} ({one}) already; give it another, or make one endpoint of both",
            )

    # -- what holds there -----------------------------------------------------------------------------------------

    def _read_endpoint(self, said: KestrelEndpoint, path: str, scheme: str, defaults: TlsOptions) -> Endpoint:
        self._read_protocols(said, path)
        tls = None
        if scheme == "https":
            whole = evolve(defaults, **self._tls_values(said, path))
            tls = self._read_sni(said.sni, f"{path}.Sni", whole) if said.sni else whole
            if tls.certificate is None and not tls.sni:
                tls = None  # the server says so of the URLs that it is to listen on
        else:
            self._refuse_https_keys(said, path)
        mode = self._read_socket_mode(said, path)
        return Endpoint(tls=tls, proxy_protocol=bool(said.proxy_protocol), socket_mode=mode)

    def _read_socket_mode(self, said: KestrelEndpoint, path: str) -> int | None:
        if not said.socket_mode:
            return None
        try:
            mode = int(said.socket_mode, 8)
        except ValueError:
            mode = -1
        if not 0 <= mode <= _MAX_MODE:
            self._refuse(
                f"{path}.SocketMode", f'{shown(said.socket_mode)} is not a file mode; write it as in "660"'
            )
            return None
        if "://unix:" not in said.url:
            self._warn(f"{path}.SocketMode", "is for a Unix socket, and the Url is none; remove it")
        return mode

    def _refuse_https_keys(self, said: KestrelEndpoint, path: str) -> None:
        given = {
            "Certificate": said.certificate,
            "SslProtocols": said.ssl_protocols,
            "ClientCertificateMode": said.client_certificate_mode,
            "ClientCertificateAuthority": said.client_certificate_authority,
            "Sni": said.sni,
        }
        for key, value in given.items():
            if value:
                self._refuse(
                    f"{path}.{key}", "is for https, and the Url is http; remove it, or write https://"
                )

    def _read_protocols(self, said: KestrelEndpointDefaults, path: str) -> None:
        """Check which versions of HTTP are wanted; the one that is spoken is 1.1 (with 1.0)."""
        if not said.protocols:
            return
        path = f"{path}.Protocols"
        versions: set[int] = set()
        for name in said.protocols.split(","):
            try:
                versions |= look_up(name, PROTOCOLS)
            except ValueError as error:
                self._refuse(path, str(error))
                return
        if not versions:
            self._refuse(path, "None leaves nothing to speak; write Http1, or Http1AndHttp2")
        elif 1 not in versions:
            self._refuse(path, f"not supported yet: {said.protocols} alone; write Http1, or Http1AndHttp2")
        elif len(versions) > 1:
            self._warn(
                path, f"{said.protocols} runs as HTTP/1.1, which every client speaks; write Http1 to say so"
            )

    def _read_sni(self, given: Mapping[str, KestrelSni], path: str, whole: TlsOptions) -> TlsOptions:
        """Return what holds for clients by the host that they name; those of `*` are the rest.

        Without `*` the rest are turned away, also where the endpoint has a certificate, as by Kestrel.
        """
        hosts: dict[str, TlsOptions] = {}
        for name, said in given.items():
            within = f"{path}.{name}"
            self._read_protocols(said, within)
            options = evolve(whole, **self._tls_values(said, within))
            if options.certificate is None:
                self._refuse(
                    within,
                    f"has no certificate; add one here, to the endpoint, or as {SECTION}.Certificates.Default",
                )
            try:
                host = parse_server_name(name)
            except ValueError as error:
                self._refuse(within, str(error))
                continue
            if host in hosts:
                self._refuse(within, "appears more than once (host names are case-insensitive); keep one")
            hosts[host] = options
        rest = hosts.pop("*", None)
        return evolve(rest or evolve(whole, certificate=None), sni=hosts)

    def _tls_values(self, said: KestrelEndpointDefaults, path: str) -> dict[str, Any]:
        """Return what is said of encryption, as attributes of TlsOptions."""
        made: dict[str, Any] = {}
        if isinstance(said, KestrelSni) and said.certificate is not None:
            certificate = self._read_certificate(said.certificate, f"{path}.Certificate")
            if certificate is not None:
                made["certificate"] = certificate
        if said.ssl_protocols:
            spoken = self._read_ssl_protocols(said.ssl_protocols, f"{path}.SslProtocols")
            if spoken:
                made["protocols"] = spoken
        if said.client_certificate_mode:
            mode = self._read_mode(said.client_certificate_mode, f"{path}.ClientCertificateMode")
            if mode is not None:
                made["client_certificates"] = mode
        if said.client_certificate_authority:
            made["client_ca"] = said.client_certificate_authority
        return made

    def _read_ssl_protocols(self, names: tuple[str, ...], path: str) -> tuple[str, ...]:
        spoken: set[str] = set()
        for index, name in enumerate(names):
            try:
                versions = look_up(name, SSL_PROTOCOLS)
            except ValueError as error:
                self._refuse(f"{path}[{index}]", str(error))
                return ()
            spoken.update(versions)
            if not versions:
                self._warn(
                    f"{path}[{index}]", f"{name} is obsolete (RFC 8996), and not spoken; use Tls12 or Tls13"
                )
        if not spoken:
            self._refuse(path, f"{', '.join(names)} leaves nothing to speak; write Tls12, Tls13 or both")
        return tuple(sorted(spoken))

    def _read_mode(self, name: str, path: str) -> ClientCertificates | None:
        try:
            mode = look_up(name, CLIENT_CERTIFICATE_MODES)
        except ValueError as error:
            self._refuse(path, str(error))
            return None
        if mode is None:
            message = (
                "not supported: DelayCertificate, which asks a client in the middle of a connection; write "
            )
            self._refuse(path, f"{message}AllowCertificate or RequireCertificate")
        return mode

    def _read_certificate(self, said: KestrelCertificate, path: str) -> Certificate | None:
        if said.subject:
            self._refuse(
                f"{path}.Subject",
                "is of a certificate in a Windows store, which this server does not read; export it with its key to a "
                ".pfx, and write its Path and Password, or serve with HTTP.sys, and bind it by hostler cert",
            )
            return None
        if not said.path:
            self._refuse(f"{path}.Path", "is missing and required; name a file in PEM, or a .pfx")
            return None
        given = {"Store": said.store, "Location": said.location, "AllowInvalid": said.allow_invalid}
        for key, value in given.items():
            if value is not None:
                self._warn(
                    f"{path}.{key}",
                    "is for certificates in a Windows store, and this one is a file; remove it",
                )
        return Certificate(path=said.path, key_path=said.key_path or None, password=said.password)

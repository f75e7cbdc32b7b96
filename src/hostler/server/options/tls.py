"""How clients' connections are encrypted, and what else an endpoint has: values, without any certificate being read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen, validators

from hostler.server.options.check import Choice, whole, yes_or_no

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hostler.tls.certificate import Certificate

__all__ = ["ClientCertificates", "Endpoint", "TlsOptions"]


class ClientCertificates(Choice):
    """Whether clients are asked for certificates (Kestrel's ClientCertificateMode)."""

    NONE = "NoCertificate"
    ALLOW = "AllowCertificate"
    """A client may do without; the certificate that it shows must be valid."""

    REQUIRE = "RequireCertificate"


_VERSIONS: Final = ("Tls12", "Tls13")


def _versions(instance: object, attribute: Any, value: tuple[str, ...]) -> None:
    """Check that there is one at least, and none that RFC 8996 and its like have abolished."""
    if not value or not set(value) <= set(_VERSIONS):
        other = ", ".join(repr(version) for version in value if version not in _VERSIONS) or "none"
        raise ValueError(
            f"{attribute.name}: {other}: expected {' or '.join(_VERSIONS)} or both; what is older is not safe "
            "(RFC 8996), and is not spoken"
        )


@frozen(kw_only=True)
class TlsOptions:
    """How the connections of one endpoint are encrypted, or those of one host name there."""

    certificate: Certificate | None = None
    """None where every host name in `sni` has its own, and clients that name no such host are turned away."""

    protocols: tuple[str, ...] = field(default=("Tls12", "Tls13"), converter=tuple, validator=_versions)
    """The versions that are spoken (Kestrel's SslProtocols): Tls12, Tls13, or both."""

    client_certificates: ClientCertificates = field(
        default=ClientCertificates.NONE, converter=ClientCertificates
    )
    client_ca: str | None = None
    """A file with the certificates, in PEM, that clients' certificates must lead to; None for the system's."""

    sni: Mapping[str, TlsOptions] = field(factory=dict)
    """What differs for clients that name a host: `name`, `*.name` for one label more at least, `*` for any other.

    Names are lower-cased. The longest match prevails (Kestrel's Sni).
    """

    handshake_timeout: float = field(default=10.0, validator=validators.gt(0))
    """Seconds from a connection's first moment to the end of its handshake (Kestrel's HandshakeTimeout)."""


@frozen(kw_only=True)
class Endpoint:
    """What holds for the connections that come in for one scheme, host and port."""

    tls: TlsOptions | None = None
    """Needed where the scheme is https."""

    proxy_protocol: bool = field(default=False, validator=yes_or_no)
    """Whether connections begin with a header of the PROXY protocol (haproxy, doc/proxy-protocol.txt), all of them."""

    socket_mode: int | None = field(default=None, validator=whole(0, 0o777, "a file mode"))
    """The mode of a Unix socket's file, such as 0o660; None for what the umask leaves of 0o777.

    On Linux whoever may write to it can connect.
    """


def endpoints(instance: object, attribute: Any, value: Mapping[str, Endpoint]) -> None:
    """Check that every key is an URL prefix without a path, and every value an endpoint."""
    from hostler.server.prefix import UrlPrefix  # noqa: PLC0415 - which few have to parse here

    for url, endpoint in value.items():
        if not isinstance(endpoint, Endpoint):
            raise ValueError(f"{attribute.name}: {endpoint!r} is not an Endpoint")  # noqa: TRY004 - one error for options
        if UrlPrefix.parse(url).path != "/":
            raise ValueError(f"{attribute.name}: {url!r} has a path; write scheme://host:port")

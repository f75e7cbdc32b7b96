"""The configuration model: everything that YARP's `ReverseProxy` section can say, as frozen values.

Each class names the YARP key that a field comes from where the words differ. Times are seconds (float), sizes are
bytes. What a field means, and its default, is YARP's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import Factory, field, frozen

from hostler.config.definitions import Definitions
from hostler.config.fields import strings
from hostler.config.model.client import TLS_VERSIONS, HttpClient, HttpRequest, VersionPolicy, WebProxy
from hostler.config.model.cluster import (
    AddressFamily,
    AffinityCookie,
    Cluster,
    HashBy,
    LoadBalancing,
    Resolver,
    SameSite,
    SecurePolicy,
    SessionAffinity,
)
from hostler.config.model.destination import QUEUE_METADATA, Destination, check_queue_name, queue
from hostler.config.model.health import (
    FAILURE_RATE_METADATA,
    THRESHOLD_METADATA,
    ActiveHealthCheck,
    HealthCheck,
    PassiveHealthCheck,
)
from hostler.config.model.route import (
    MAX_REQUEST_BODY_SIZE,
    HeaderMatch,
    HeaderMatchMode,
    Mirror,
    QueryMatch,
    QueryMatchMode,
    Route,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hostler.config.https import Hsts, HttpsRedirection
    from hostler.config.httpsys import HttpSys
    from hostler.config.kestrel import Kestrel
    from hostler.config.trusted import TrustedSection

__all__ = [
    "FAILURE_RATE_METADATA",
    "MAX_REQUEST_BODY_SIZE",
    "METADATA_KEYS",
    "QUEUE_METADATA",
    "SERVER_SECTIONS",
    "THRESHOLD_METADATA",
    "TLS_VERSIONS",
    "ActiveHealthCheck",
    "AddressFamily",
    "AffinityCookie",
    "Cluster",
    "Config",
    "Destination",
    "HashBy",
    "HeaderMatch",
    "HeaderMatchMode",
    "HealthCheck",
    "HttpClient",
    "HttpRequest",
    "LoadBalancing",
    "Mirror",
    "PassiveHealthCheck",
    "QueryMatch",
    "QueryMatchMode",
    "Resolver",
    "Route",
    "SameSite",
    "SecurePolicy",
    "SessionAffinity",
    "VersionPolicy",
    "WebProxy",
    "check_queue_name",
    "queue",
]

METADATA_KEYS = (QUEUE_METADATA, FAILURE_RATE_METADATA, THRESHOLD_METADATA)
"""The metadata keys that mean something to hostler; any other is the user's."""


def _routes(values: Iterable[Route]) -> tuple[Route, ...]:
    return tuple(values)


def _clusters(values: Iterable[Cluster]) -> tuple[Cluster, ...]:
    return tuple(values)


@frozen
class Config:
    """One whole configuration: what a YARP document says, and nothing that is not in it."""

    routes: tuple[Route, ...] = field(default=(), converter=_routes)
    clusters: tuple[Cluster, ...] = field(default=(), converter=_clusters)
    urls: tuple[str, ...] = field(default=Factory(tuple), converter=strings)
    """Where to listen (ASP.NET's `Urls`); empty means that the document does not say."""

    definitions: Definitions = Factory(Definitions)
    """The policies that the document defines for its routes to name (its `Policies` section)."""

    httpsys: HttpSys | None = None
    """Options of HTTP.sys (the `HttpSys` section); None means that the document says none."""

    kestrel: Kestrel | None = None
    """Endpoints and certificates of the user-mode server (the `Kestrel` section); None as with `httpsys`."""

    trusted_proxies: TrustedSection | None = None
    """Which proxies in front are believed (the `TrustedProxies` section); None as with `httpsys`."""

    https_redirection: HttpsRedirection | None = None
    """How clients of http are sent to https (the `HttpsRedirection` section); None as with `httpsys`."""

    hsts: Hsts | None = None
    """What browsers are told of https (the `Hsts` section); None as with `httpsys`."""


SERVER_SECTIONS: Final[Mapping[str, str]] = {
    "httpsys": "HttpSys",
    "kestrel": "Kestrel",
    "trusted_proxies": "TrustedProxies",
    "https_redirection": "HttpsRedirection",
    "hsts": "Hsts",
}
"""The attributes of `Config` that are of the server, and the sections that they are: one document of several has each."""

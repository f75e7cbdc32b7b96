"""An asyncio-native reverse-proxy framework: forward a request, or delegate it to another process's queue.

Everything that a program needs is here; `hostler.stages` has the stages, `hostler.testing` what tests need. A name is
imported when it is first asked for, so that a program starts with what it uses and no more.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hostler.authorization.decision import Denied, Granted
    from hostler.client.forwarder import Forwarder
    from hostler.config.access import (
        ApiKeyDefinition,
        AuthorizationDefinition,
        BasicDefinition,
        BearerDefinition,
        CorsDefinition,
    )
    from hostler.config.definitions import Definitions, RetryDefinition, TimeoutDefinition
    from hostler.config.environment import Environment
    from hostler.config.events import ConfigEvent, ConfigEventKind
    from hostler.config.https import Hsts, HttpsRedirection
    from hostler.config.limits import (
        ConcurrencyDefinition,
        RateLimitAlgorithm,
        RateLimiterDefinition,
        RedisDefinition,
        RedisWhenDown,
    )
    from hostler.config.model import (
        ActiveHealthCheck,
        AddressFamily,
        AffinityCookie,
        Cluster,
        Config,
        Destination,
        HashBy,
        HeaderMatch,
        HeaderMatchMode,
        HealthCheck,
        HttpClient,
        HttpRequest,
        LoadBalancing,
        Mirror,
        PassiveHealthCheck,
        QueryMatch,
        QueryMatchMode,
        Resolver,
        Route,
        SameSite,
        SecurePolicy,
        SessionAffinity,
        WebProxy,
        queue,
    )
    from hostler.config.source import FileSource, InMemorySource, Source
    from hostler.config.transforms import (
        request_transform,
        response_trailers_transform,
        response_transform,
    )
    from hostler.default_pipeline import DEFAULT_PIPELINE
    from hostler.errors import (
        CertificateError,
        ConfigError,
        DelegationError,
        Failure,
        HostlerError,
        LifespanError,
        ListenError,
        NoSuchQueueError,
        PrefixError,
        Problem,
        ProtocolError,
        QueueAccessError,
        QueueError,
        QueueExistsError,
        QueueNameError,
        Reason,
        Severity,
        Side,
        UnsupportedError,
        WorkerError,
    )
    from hostler.exchange import Exchange
    from hostler.mounting.application import Mounted
    from hostler.outcome import Kind, Outcome
    from hostler.pipeline import Handler, HandlerWithLifespan, Next, Stage, StageWithLifespan, compose
    from hostler.policies import Policies
    from hostler.processes.policy import WorkerPolicy
    from hostler.processes.serving import serving
    from hostler.proxy import Proxy
    from hostler.rate_limiting.policy import Refused
    from hostler.running import run, serve
    from hostler.server.base import QueueMode, ServerKind
    from hostler.server.options import (
        Certificate,
        ClientCertificates,
        Endpoint,
        ServerOptions,
        Timeouts,
        TlsOptions,
        TrustedHeaders,
        TrustedProxies,
    )
    from hostler.server.options.httpsys import HttpSysOptions
    from hostler.transforms.contexts import (
        RequestTransformContext,
        ResponseTrailersTransformContext,
        ResponseTransformContext,
    )

__all__ = [
    "DEFAULT_PIPELINE",
    "ActiveHealthCheck",
    "AddressFamily",
    "AffinityCookie",
    "ApiKeyDefinition",
    "AuthorizationDefinition",
    "BasicDefinition",
    "BearerDefinition",
    "Certificate",
    "CertificateError",
    "ClientCertificates",
    "Cluster",
    "ConcurrencyDefinition",
    "Config",
    "ConfigError",
    "ConfigEvent",
    "ConfigEventKind",
    "CorsDefinition",
    "Definitions",
    "DelegationError",
    "Denied",
    "Destination",
    "Endpoint",
    "Environment",
    "Exchange",
    "Failure",
    "FileSource",
    "Forwarder",
    "Granted",
    "Handler",
    "HandlerWithLifespan",
    "HashBy",
    "HeaderMatch",
    "HeaderMatchMode",
    "HealthCheck",
    "HostlerError",
    "Hsts",
    "HttpClient",
    "HttpRequest",
    "HttpSysOptions",
    "HttpsRedirection",
    "InMemorySource",
    "Kind",
    "LifespanError",
    "ListenError",
    "LoadBalancing",
    "Mirror",
    "Mounted",
    "Next",
    "NoSuchQueueError",
    "Outcome",
    "PassiveHealthCheck",
    "Policies",
    "PrefixError",
    "Problem",
    "ProtocolError",
    "Proxy",
    "QueryMatch",
    "QueryMatchMode",
    "QueueAccessError",
    "QueueError",
    "QueueExistsError",
    "QueueMode",
    "QueueNameError",
    "RateLimitAlgorithm",
    "RateLimiterDefinition",
    "Reason",
    "RedisDefinition",
    "RedisWhenDown",
    "Refused",
    "RequestTransformContext",
    "Resolver",
    "ResponseTrailersTransformContext",
    "ResponseTransformContext",
    "RetryDefinition",
    "Route",
    "SameSite",
    "SecurePolicy",
    "ServerKind",
    "ServerOptions",
    "SessionAffinity",
    "Severity",
    "Side",
    "Source",
    "Stage",
    "StageWithLifespan",
    "TimeoutDefinition",
    "Timeouts",
    "TlsOptions",
    "TrustedHeaders",
    "TrustedProxies",
    "UnsupportedError",
    "WebProxy",
    "WorkerError",
    "WorkerPolicy",
    "compose",
    "queue",
    "request_transform",
    "response_trailers_transform",
    "response_transform",
    "run",
    "serve",
    "serving",
]

_MODULES: Final = {
    "hostler.authorization.decision": [
        "Denied",
        "Granted",
    ],
    "hostler.client.forwarder": [
        "Forwarder",
    ],
    "hostler.config.access": [
        "ApiKeyDefinition",
        "AuthorizationDefinition",
        "BasicDefinition",
        "BearerDefinition",
        "CorsDefinition",
    ],
    "hostler.config.definitions": [
        "Definitions",
        "RetryDefinition",
        "TimeoutDefinition",
    ],
    "hostler.config.environment": [
        "Environment",
    ],
    "hostler.config.events": [
        "ConfigEvent",
        "ConfigEventKind",
    ],
    "hostler.config.https": [
        "Hsts",
        "HttpsRedirection",
    ],
    "hostler.config.limits": [
        "ConcurrencyDefinition",
        "RateLimitAlgorithm",
        "RateLimiterDefinition",
        "RedisDefinition",
        "RedisWhenDown",
    ],
    "hostler.config.model": [
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
        "WebProxy",
        "queue",
    ],
    "hostler.config.source": [
        "FileSource",
        "InMemorySource",
        "Source",
    ],
    "hostler.config.transforms": [
        "request_transform",
        "response_trailers_transform",
        "response_transform",
    ],
    "hostler.default_pipeline": [
        "DEFAULT_PIPELINE",
    ],
    "hostler.errors": [
        "CertificateError",
        "ConfigError",
        "DelegationError",
        "Failure",
        "HostlerError",
        "LifespanError",
        "ListenError",
        "NoSuchQueueError",
        "PrefixError",
        "Problem",
        "ProtocolError",
        "QueueAccessError",
        "QueueError",
        "QueueExistsError",
        "QueueNameError",
        "Reason",
        "Severity",
        "Side",
        "UnsupportedError",
        "WorkerError",
    ],
    "hostler.exchange": [
        "Exchange",
    ],
    "hostler.mounting.application": [
        "Mounted",
    ],
    "hostler.outcome": [
        "Kind",
        "Outcome",
    ],
    "hostler.pipeline": [
        "Handler",
        "HandlerWithLifespan",
        "Next",
        "Stage",
        "StageWithLifespan",
        "compose",
    ],
    "hostler.policies": [
        "Policies",
    ],
    "hostler.processes.policy": ["WorkerPolicy"],
    "hostler.processes.serving": [
        "serving",
    ],
    "hostler.proxy": [
        "Proxy",
    ],
    "hostler.rate_limiting.policy": [
        "Refused",
    ],
    "hostler.running": [
        "run",
        "serve",
    ],
    "hostler.server.base": [
        "QueueMode",
        "ServerKind",
    ],
    "hostler.server.options": [
        "Certificate",
        "ClientCertificates",
        "Endpoint",
        "ServerOptions",
        "Timeouts",
        "TlsOptions",
        "TrustedHeaders",
        "TrustedProxies",
    ],
    "hostler.server.options.httpsys": [
        "HttpSysOptions",
    ],
    "hostler.transforms.contexts": [
        "RequestTransformContext",
        "ResponseTrailersTransformContext",
        "ResponseTransformContext",
    ],
}
"""Where the public names stand: what type checkers see above."""

_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}

_PACKAGES: Final = ("asgi", "fleet", "probing", "stages", "testing")
"""What `import hostler` is enough for, as in `hostler.stages.balance`."""


if not TYPE_CHECKING:  # whom it would keep from seeing that a name does not exist

    def __getattr__(name: str) -> object:
        """Import what a name stands for (PEP 562)."""
        if name in _HOMES:
            found = globals()[name] = getattr(import_module(_HOMES[name]), name)
            return found
        if name in _PACKAGES:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )

    def __dir__() -> list[str]:
        """List what is here, whether it has been imported or not."""
        return sorted({*globals(), *__all__, *_PACKAGES})

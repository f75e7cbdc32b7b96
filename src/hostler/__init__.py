"""An asyncio-native reverse-proxy framework: forward a request, or delegate it to another process's queue.

Everything that a program needs is here; `hostler.stages` has the stages, `hostler.testing` what tests need.
"""

from __future__ import annotations

from hostler.client.forwarder import Forwarder
from hostler.config.model import (
    ActiveHealthCheck,
    AffinityCookie,
    Cluster,
    Config,
    Destination,
    HeaderMatch,
    HealthCheck,
    HttpClient,
    HttpRequest,
    PassiveHealthCheck,
    QueryMatch,
    Route,
    SessionAffinity,
    queue,
)
from hostler.errors import (
    ConfigError,
    DelegationError,
    Failure,
    HostlerError,
    ListenError,
    NoSuchQueueError,
    PrefixError,
    ProtocolError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
    Reason,
    Side,
    UnsupportedError,
    WorkerError,
)
from hostler.exchange import Exchange, Kind, Outcome
from hostler.pipeline import Handler, HandlerWithLifespan, Next, Stage, StageWithLifespan, compose
from hostler.policies import Policies
from hostler.proxy import DEFAULT_PIPELINE, Proxy
from hostler.running import run, serve
from hostler.server.base import QueueMode, ServerKind
from hostler.server.options import HttpSysOptions, ServerOptions, Timeouts
from hostler.serving import serving

__all__ = [
    "DEFAULT_PIPELINE", "ActiveHealthCheck", "AffinityCookie", "Cluster", "Config", "ConfigError", "DelegationError",
    "Destination", "Exchange", "Failure", "Forwarder", "Handler", "HandlerWithLifespan", "HeaderMatch", "HealthCheck", "HostlerError",
    "HttpClient", "HttpRequest", "HttpSysOptions", "Kind", "ListenError", "Next", "NoSuchQueueError", "Outcome", "PassiveHealthCheck",
    "Policies", "PrefixError", "ProtocolError", "Proxy", "QueryMatch", "QueueAccessError", "QueueError",
    "QueueExistsError", "QueueMode", "QueueNameError", "Reason", "Route", "ServerKind", "ServerOptions", "SessionAffinity", "Side",
    "Stage", "StageWithLifespan", "Timeouts", "UnsupportedError", "WorkerError", "compose", "queue", "run", "serve", "serving",
]  # fmt: skip

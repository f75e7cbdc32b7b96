"""Asking destinations whether they are well (YARP: HealthCheck.Active).

`request` says what they are asked, `policy` judges the answers, `monitor` does it again and again. What carries a probe
is the cluster's own sender, with its own settings. Imports fleet, configuration and stages; knows no server.
"""

from hostler.client.probe import ProbeRequest, ProbeResponse
from hostler.probing.policy import ACTIVE_HEALTH, ActiveHealthPolicy, ConsecutiveFailures, ProbeResult
from hostler.probing.request import PROBE_REQUEST, ProbeRequestFactory, probe_request

__all__ = [
    "ACTIVE_HEALTH",
    "PROBE_REQUEST",
    "ActiveHealthPolicy",
    "ConsecutiveFailures",
    "ProbeRequest",
    "ProbeRequestFactory",
    "ProbeResponse",
    "ProbeResult",
    "probe_request",
]

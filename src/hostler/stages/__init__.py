"""What happens to an exchange: one stage and its policies a file. Never imports a server implementation.

The stages have the names of their modules, so `hostler.stages.balance` is the stage; import what else a module
holds from the module: `from hostler.stages.balance.even import RoundRobin`.
"""

from hostler.stages.affinity import affinity
from hostler.stages.authorize import authorize
from hostler.stages.balance import balance
from hostler.stages.cache import cache
from hostler.stages.cors import cors
from hostler.stages.delegate import delegate
from hostler.stages.forward import forward
from hostler.stages.health import passive_health
from hostler.stages.https import hsts, https_redirection
from hostler.stages.limit_concurrency import limit_concurrency, limit_in_flight
from hostler.stages.limit_rate import limit_rate
from hostler.stages.limit_time import limit_time
from hostler.stages.mirror import mirror
from hostler.stages.request_id import request_id
from hostler.stages.retry import retry

__all__ = [
    "affinity",
    "authorize",
    "balance",
    "cache",
    "cors",
    "delegate",
    "forward",
    "hsts",
    "https_redirection",
    "limit_concurrency",
    "limit_in_flight",
    "limit_rate",
    "limit_time",
    "mirror",
    "passive_health",
    "request_id",
    "retry",
]

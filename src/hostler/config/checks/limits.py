"""Rules for rate limiters, and for how many exchanges there may be at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.checks.values import check_positive
from hostler.config.limits import REDIS_SCHEMES, RateLimitAlgorithm
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.limits import ConcurrencyDefinition, RateLimiterDefinition, RedisDefinition

__all__ = ["check_concurrency", "check_rate_limiter"]

_PARTITIONS: Final = ("ClientAddress", "Header", "Route")
_MOST_TIMES: Final = 100_000
"""A moving window keeps a time for each request."""


def check_rate_limiter(path: str, limiter: RateLimiterDefinition) -> Iterator[Problem]:
    """Find what is wrong with a rate limiter."""
    limit = limiter.permit_limit
    if limit < 1:
        yield Problem(f"{path}.PermitLimit", f"{limit} is out of range; use 1 or more requests")
    elif limit > _MOST_TIMES and limiter.algorithm is RateLimitAlgorithm.MOVING_WINDOW:
        message = f"{limit} is too much for a MovingWindow, which keeps the time of each; use at most {_MOST_TIMES}, or a SlidingWindow"
        yield Problem(f"{path}.PermitLimit", message)
    if not limiter.window >= 1 or limiter.window % 1:
        yield Problem(
            f"{path}.Window", f"{limiter.window:g} seconds is out of range; use whole seconds, 1 or more"
        )
    yield from _partition(path, limiter)
    if limiter.max_keys < 1:
        yield Problem(f"{path}.MaxKeys", f"{limiter.max_keys} is out of range; use 1 or more")
    if limiter.redis is not None:
        yield from _redis(f"{path}.Redis", limiter.redis)


def _partition(path: str, limiter: RateLimiterDefinition) -> Iterator[Problem]:
    by = limiter.partition_by
    if ":" not in by and by.lower() not in (name.lower() for name in _PARTITIONS):
        message = f'unknown partition "{by}"; use {", ".join(_PARTITIONS)}, or package.module:function'
        yield Problem(f"{path}.PartitionBy", message)
    if (by.lower() == "header") != bool(limiter.header):
        message = (
            f'is for "PartitionBy": "Header", and it is "{by}"; change one of them'
            if limiter.header
            else 'is missing: "PartitionBy": "Header" needs the header\'s name; add it'
        )
        yield Problem(f"{path}.Header", message)
    length = limiter.ipv6_prefix_length
    if not 1 <= length <= 128:
        yield Problem(f"{path}.Ipv6PrefixLength", f"{length} is out of range; use 1 to 128")


def _redis(path: str, redis: RedisDefinition) -> Iterator[Problem]:
    if not redis.url.startswith(REDIS_SCHEMES):
        yield Problem(
            f"{path}.Url", f'"{redis.url}" is no address of Redis; write {" or ".join(REDIS_SCHEMES)}...'
        )
    yield from check_positive(f"{path}.Timeout", redis.timeout)


def check_concurrency(path: str, limit: ConcurrencyDefinition) -> Iterator[Problem]:
    """Find what is wrong with a limit of exchanges at once."""
    if limit.permit_limit < 1:
        yield Problem(f"{path}.PermitLimit", f"{limit.permit_limit} is out of range; use 1 or more exchanges")
    if limit.queue_limit < 0:
        message = f"{limit.queue_limit} is out of range; use 0 or more exchanges that wait"
        yield Problem(f"{path}.QueueLimit", message)
    yield from check_positive(f"{path}.QueueTimeout", limit.queue_timeout)

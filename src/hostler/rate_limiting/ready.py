"""From a definition in a configuration to a policy; what it needs beyond hostler is imported here, when it is made."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from hostler.errors import ConfigError

if TYPE_CHECKING:
    from hostler.config.limits import RateLimiterDefinition
    from hostler.rate_limiting.policy import RateLimiterPolicy

__all__ = ["find_fault", "make_policy"]


def find_fault(definition: RateLimiterDefinition) -> tuple[str, str] | None:
    """Say why a rate limiter cannot be made here: the key, from the definition on, and what is missing."""
    from hostler.config.limits import REDIS_SCHEMES  # noqa: PLC0415

    needed = [("PermitLimit", "limits"), *([("Redis", "redis")] if definition.redis is not None else [])]
    for key, package in needed:
        if find_spec(package) is None:
            return key, f'it needs {package}, which is not installed; pip install "hostler[limits]"'
    if definition.redis is not None and definition.redis.url.startswith(REDIS_SCHEMES):
        from hostler.rate_limiting.redis import pool_url  # noqa: PLC0415

        try:
            pool_url(definition.redis.url)
        except ValueError as error:
            return "Redis.Url", f'"{definition.redis.url}" is no address of Redis: {error}; correct it'
    if ":" in definition.partition_by:
        from hostler.rate_limiting.keys import key_of  # noqa: PLC0415

        try:
            key_of(definition)
        except ConfigError as error:
            return "PartitionBy", error.problems[0].message
    return None


def make_policy(definition: RateLimiterDefinition, name: str) -> RateLimiterPolicy:
    """Make the rate limiter of that name."""
    if definition.redis is not None:
        from hostler.rate_limiting.redis import RedisWindows  # noqa: PLC0415

        return RedisWindows(definition, definition.redis, name)
    from hostler.rate_limiting.memory import BoundedMemory  # noqa: PLC0415
    from hostler.rate_limiting.windows import Windows, make_strategy  # noqa: PLC0415

    return Windows(definition, name, make_strategy(definition.algorithm, BoundedMemory(definition.max_keys)))

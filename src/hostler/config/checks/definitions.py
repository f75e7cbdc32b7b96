"""Rules for the policies that a document defines, but for their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hostler.config.checks.access import check_authorization, check_cors
from hostler.config.checks.limits import check_concurrency, check_rate_limiter
from hostler.config.checks.values import check_ids, check_positive, check_statuses
from hostler.errors import Problem, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.definitions import Definitions, RetryDefinition, TimeoutDefinition

__all__ = ["check_definitions"]

_UPGRADED: Final = 101


def check_definitions(path: str, definitions: Definitions) -> Iterator[Problem]:
    """Find what is wrong with the `Policies` section."""
    yield from check_ids(f"{path}.Timeouts", definitions.timeouts)
    for name, timeout in definitions.timeouts.items():
        yield from _timeout(f"{path}.Timeouts.{name}", timeout)
    yield from check_ids(f"{path}.RateLimiters", definitions.rate_limiters)
    for name, limiter in definitions.rate_limiters.items():
        yield from check_rate_limiter(f"{path}.RateLimiters.{name}", limiter)
    yield from check_ids(f"{path}.Concurrency", definitions.concurrency)
    for name, concurrency in definitions.concurrency.items():
        yield from check_concurrency(f"{path}.Concurrency.{name}", concurrency)
    yield from check_ids(f"{path}.Cors", definitions.cors)
    for name, cors in definitions.cors.items():
        yield from check_cors(f"{path}.Cors.{name}", cors)
    yield from check_ids(f"{path}.Authorization", definitions.authorization)
    for name, authorization in definitions.authorization.items():
        yield from check_authorization(f"{path}.Authorization.{name}", authorization)
    yield from check_ids(f"{path}.Retries", definitions.retries)
    for name, retry in definitions.retries.items():
        yield from _retry(f"{path}.Retries.{name}", retry)


def _retry(path: str, retry: RetryDefinition) -> Iterator[Problem]:
    if retry.max_attempts < 1:
        yield Problem(f"{path}.MaxAttempts", f"{retry.max_attempts} is out of range; use 1 or more")
    known = {reason.yarp_name.lower(): reason.yarp_name for reason in Reason if reason.status != _UPGRADED}
    for index, name in enumerate(retry.failures):
        if name.lower() not in known:
            message = f'unknown failure "{name}"; use {", ".join(known.values())}'
            yield Problem(f"{path}.Failures[{index}]", message)
    yield from check_statuses(f"{path}.Statuses", retry.statuses)
    for index, method in enumerate(retry.methods):
        if not method.isascii() or not method.isupper():
            yield Problem(
                f"{path}.Methods[{index}]", f'"{method}" is no method; write it in capitals, such as GET'
            )
    for field in ("max_body_size", "budget_percent", "budget_reserve"):
        value = getattr(retry, field)
        if value < 0:
            yield Problem(
                f"{path}.{field.title().replace('_', '')}", f"{value} is out of range; use 0 or more"
            )
    for key, seconds in (("TryTimeout", retry.try_timeout), ("Timeout", retry.timeout)):
        if seconds is not None:
            yield from check_positive(f"{path}.{key}", seconds)


def _timeout(path: str, timeout: TimeoutDefinition) -> Iterator[Problem]:
    yield from check_positive(f"{path}.Timeout", timeout.timeout)
    status = timeout.timeout_status_code
    if not 400 <= status <= 599:
        yield Problem(f"{path}.TimeoutStatusCode", f"{status} is no status of an error; use 400 to 599")

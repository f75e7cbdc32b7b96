"""Rules for the policies that a document defines, but for their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hostler.config.checks.access import check_authorization, check_cors
from hostler.config.checks.limits import check_concurrency, check_rate_limiter
from hostler.config.checks.values import check_ids, check_positive, check_statuses
from hostler.errors import Problem, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hostler.config.definitions import Definitions, RetryDefinition, TimeoutDefinition

__all__ = ["check_definitions"]

_UPGRADED: Final = 101


def check_definitions(path: str, definitions: Definitions) -> Iterator[Problem]:
    """Find what is wrong with the `Policies` section."""
    for kind, check in _CHECKS.items():
        defined = getattr(definitions, kind)
        section = f"{path}.{kind.title().replace('_', '')}"
        yield from check_ids(section, defined)
        for name, definition in defined.items():
            yield from check(f"{section}.{name}", definition)


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


_CHECKS: Final[Mapping[str, Callable[[str, Any], Iterator[Problem]]]] = {
    "timeouts": _timeout,
    "rate_limiters": check_rate_limiter,
    "concurrency": check_concurrency,
    "cors": check_cors,
    "authorization": check_authorization,
    "retries": _retry,
}
"""By the attribute of `Definitions`: what is wrong with a definition at a path."""

"""Rules for the policies that a document defines, but for their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.checks.access import check_authorization, check_cors
from hostler.config.checks.values import check_ids, check_positive
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.config.definitions import Definitions, TimeoutDefinition

__all__ = ["check_definitions"]


def check_definitions(path: str, policies: Definitions) -> Iterator[Problem]:
    """Find what is wrong with the `Policies` section."""
    yield from check_ids(f"{path}.Timeouts", policies.timeouts)
    for name, timeout in policies.timeouts.items():
        yield from _timeout(f"{path}.Timeouts.{name}", timeout)
    yield from check_ids(f"{path}.Cors", policies.cors)
    for name, cors in policies.cors.items():
        yield from check_cors(f"{path}.Cors.{name}", cors)
    yield from check_ids(f"{path}.Authorization", policies.authorization)
    for name, authorization in policies.authorization.items():
        yield from check_authorization(f"{path}.Authorization.{name}", authorization)


def _timeout(path: str, timeout: TimeoutDefinition) -> Iterator[Problem]:
    yield from check_positive(f"{path}.Timeout", timeout.timeout)
    status = timeout.timeout_status_code
    if not 400 <= status <= 599:
        yield Problem(f"{path}.TimeoutStatusCode", f"{status} is no status of an error; use 400 to 599")

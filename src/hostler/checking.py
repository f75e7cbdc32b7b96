"""Everything that keeps a proxy from running with a configuration."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from hostler.config.checks import check
from hostler.errors import CertificateError, ConfigError, Problem, Severity
from hostler.policies import Policies
from hostler.server.check import check_prefixes
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hostler.config.model import Config, HttpClient, Route

__all__ = [
    "Check",
    "accept",
    "find_problems",
    "find_problems_in_steps",
    "find_undelegated",
    "find_unkept",
    "has_errors",
]

Check: TypeAlias = "Callable[[Config], Iterable[Problem]]"
"""Finds problems of a configuration."""

_log: Final = logging.getLogger("hostler.proxy")


def find_problems(
    config: Config, policies: Policies | None = None, checks: Iterable[Check] = ()
) -> list[Problem]:
    """List everything that keeps a proxy from running with a configuration, and what `checks` find."""
    return finish(find_problems_in_steps(config, policies, checks))


def find_problems_in_steps(
    config: Config, policies: Policies | None, checks: Iterable[Check]
) -> Steps[list[Problem]]:
    """As `find_problems`, in steps."""
    known = Policies() if policies is None else policies
    found = yield from check_prefixes(config)
    found += known.problems_of_definitions(config.definitions)
    if config.httpsys is not None:
        from hostler.server.configured import check_httpsys  # noqa: PLC0415 - for who has the section

        found += check_httpsys(config.httpsys)
    if config.kestrel is not None:
        from hostler.server.kestrel import check_kestrel  # noqa: PLC0415 - as above

        found += check_kestrel(config.kestrel)
    if config.trusted_proxies is not None:
        from hostler.server.trusted import check_trusted  # noqa: PLC0415 - as above

        found += check_trusted(config.trusted_proxies)
    reported = {problem.path for problem in found}
    problems = yield from check(config, known.problems)
    found += [problem for problem in problems if problem.path not in reported]
    for route in config.routes:
        yield
        if route.transforms:
            found += _check_transforms(route, known)
    for cluster in config.clusters:
        yield
        client = cluster.http_client
        if client.client_certificate is not None or client.certificate_authority is not None:
            found += _check_files(cluster.id, client)
    for more in checks:
        yield from _ask(more, config, found)
    return found


def _ask(validator: Check, config: Config, found: list[Problem]) -> Steps[None]:
    """Add what a user's function finds; one that raises is a problem itself."""
    try:
        for problem in validator(config):
            yield
            found.append(problem)
    except Exception as error:  # noqa: BLE001 - a user's
        name = getattr(validator, "__qualname__", None) or type(validator).__qualname__
        _log.exception("the validator %s raised", name)
        found.append(Problem("", f"the validator {name} raised {error!r}; correct it"))


def _check_transforms(route: Route, policies: Policies) -> Iterable[Problem]:
    from hostler.transforms.reading import check_transforms  # noqa: PLC0415 - where there are transforms, as below

    yield from check_transforms(route.transforms, f"Routes.{route.id}.Transforms", policies.transforms)
    if route.response_caching and policies.transforms:
        from hostler.config.checks.caching import find_own_transforms  # noqa: PLC0415

        yield from find_own_transforms(route, policies.transforms)


def _check_files(cluster: str, client: HttpClient) -> Iterable[Problem]:
    from hostler.client.tls.contexts import tls_context  # noqa: PLC0415 - for who names files

    try:
        tls_context(client)
    except CertificateError as error:
        yield Problem(f"Clusters.{cluster}.HttpClient", str(error))


def find_undelegated(config: Config, policies: Policies) -> Iterator[Problem]:
    """Find what does not hold for requests that are delegated by a server which hands over what came."""
    from hostler.config.checks.delegated import (  # noqa: PLC0415 - for HTTP.sys alone, as below
        find_unbelieved_proxies,
        find_unlimited_requests,
    )

    if any(route.transforms for route in config.routes):
        from hostler.transforms.warnings import find_undelegated_requests  # noqa: PLC0415

        yield from find_undelegated_requests(config, policies.transforms)
    yield from find_unlimited_requests(config)
    yield from find_unbelieved_proxies(config)


def find_unkept(config: Config) -> Iterator[Problem]:
    """Find the routes whose responses would be kept, but for a server that keeps none."""
    for route in config.routes:
        if route.response_caching:
            yield Problem(
                f"Routes.{route.id}.ResponseCaching",
                "does nothing here: this server keeps no responses; serve it with HTTP.sys on Windows, or remove the key",
                Severity.WARNING,
            )


def accept(config: Config, problems: Iterable[Problem]) -> Config:
    """Return a configuration whose problems are warnings, which are logged; raises ConfigError when some are more."""
    found = tuple(problems)
    if has_errors(found):
        raise ConfigError(found)
    for problem in found:
        _log.warning("%s", problem)
    return config


def has_errors(problems: Iterable[Problem]) -> bool:
    """Tell whether there is a problem that is more than a warning."""
    return any(problem.severity is Severity.ERROR for problem in problems)

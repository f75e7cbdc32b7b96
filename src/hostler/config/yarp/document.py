"""A whole document: its sections `ReverseProxy` and `Policies`, those of the server, its `Urls`; those of others are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from hostler.config.jsonc import read_json
from hostler.config.model import SERVER_SECTIONS, Config
from hostler.config.yarp.colons import unfold
from hostler.config.yarp.reading import ABSENT, read_definitions, read_section, read_server_sections
from hostler.config.yarp.scalars import shown
from hostler.config.yarp.sections import check_sections
from hostler.config.yarp.writing import write
from hostler.errors import ConfigError, Problem, Severity
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.config.places import Origin

__all__ = ["DocumentError", "Parsed", "build", "dump", "load", "loads"]


class DocumentError(ConfigError):
    """A document in which not everything can be read; `partial` is what can, so that it can be checked as well."""

    def __init__(self, problems: Iterable[Problem], partial: Config) -> None:
        super().__init__(problems)
        self.partial = partial


@frozen
class Parsed:
    """A document that was parsed, with its layers laid over each other."""

    value: object
    problems: tuple[Problem, ...] = ()
    """What is wrong with how it is written, such as keys that appear more than once."""

    origins: tuple[Origin, ...] = ()
    """Its layers, from the lowest up."""


def loads(text: str) -> Config:
    """Read a YARP document from its text. Raises `ConfigError`."""
    value, repeated = read_json(text)
    return load(Parsed(value, tuple(repeated)))


def load(document: object) -> Config:
    """Read a document that was parsed. Raises `ConfigError` with everything in it that cannot be read."""
    parsed = document if isinstance(document, Parsed) else Parsed(document)
    config, problems = finish(build(parsed))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise DocumentError(errors, config)
    return config


def build(parsed: Parsed) -> Steps[tuple[Config, list[Problem]]]:
    """Build the configuration that a parsed document says; as far as it can be read, and what is wrong with the rest.

    Sections that are not ours (Logging, ...) are left alone, unless they would change what a proxy does. Raises
    `ConfigError` for what is no document at all.
    """
    if not isinstance(parsed.value, dict):
        message = f'{shown(parsed.value)} is not a YARP document; expected {{"ReverseProxy": {{...}}}}'
        raise ConfigError([Problem("", message)])
    document, twice = unfold(parsed.value)
    parts = {key.lower(): value for key, value in document.items() if value not in ABSENT}
    problems = [*parsed.problems, *twice, *check_sections(document, parts)]
    urls: tuple[str, ...] = ()
    try:
        urls = _urls(parts.get("urls", ""))
    except ValueError as error:
        problems.append(Problem("Urls", str(error)))
    definitions, unread = read_definitions(parts.get("policies", {}))
    problems += unread
    server, unread = read_server_sections(parts)
    problems += unread
    section, unread = yield from read_section(parts.get("reverseproxy", {}))
    problems += unread
    routes, clusters = [], []
    for key, route in section.routes.items():
        yield
        routes.append(attrs.evolve(route, id=key))
    for key, cluster in section.clusters.items():
        yield
        clusters.append(attrs.evolve(cluster, id=key))
    return Config(routes, clusters, urls, definitions, **server), problems


def dump(config: Config) -> dict[str, Any]:
    """Write the document that loads to an equal configuration; what is YARP's default is left out.

    Ids must be unique. Times are written in TimeSpan's ticks of 100 nanoseconds.
    """
    section = {
        "Routes": {route.id: write(route) for route in config.routes},
        "Clusters": {cluster.id: write(cluster) for cluster in config.clusters},
    }
    urls = {"Urls": ";".join(config.urls)} if config.urls else {}
    policies = {"Policies": defined} if (defined := write(config.definitions)) else {}
    server = {
        label: write(said)
        for name, label in SERVER_SECTIONS.items()
        if (said := getattr(config, name)) is not None
    }
    return {
        **urls,
        **server,
        **policies,
        "ReverseProxy": {key: value for key, value in section.items() if value},
    }


def _urls(value: object) -> tuple[str, ...]:
    if not isinstance(value, str):
        message = 'is not a string; write the URLs in one, as "http://a;http://b"'
        raise ValueError(f"{shown(value)} {message}")  # noqa: TRY004 - one kind for all
    return tuple(url.strip() for url in value.split(";") if url.strip())

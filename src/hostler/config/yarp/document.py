"""A whole document: its `ReverseProxy` section and its `Urls`, and the sections of others, which are left alone."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from hostler.config.jsonc import read_json
from hostler.config.model import Config
from hostler.config.yarp.reading import ABSENT, read_section
from hostler.config.yarp.scalars import shown
from hostler.config.yarp.writing import write
from hostler.errors import ConfigError, Problem
from hostler.steps import Steps, finish

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["DocumentError", "build", "dump", "load", "load_file", "loads", "parse_file"]


class DocumentError(ConfigError):
    """A document in which not everything can be read; `partial` is what can, so that it can be checked as well."""

    def __init__(self, problems: Iterable[Problem], partial: Config) -> None:
        super().__init__(problems)
        self.partial = partial


def load_file(path: str | os.PathLike[str]) -> Config:
    """Read a YARP document from a file in UTF-8. Raises `ConfigError`, or `OSError` when it cannot be read."""
    return load(*parse_file(path))


def parse_file(path: str | os.PathLike[str]) -> tuple[object, list[Problem]]:
    """Parse a file in UTF-8: what `build` takes. Raises `ConfigError`, or `OSError` when it cannot be read."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 (byte {error.start}); save it as UTF-8"
        raise ConfigError([Problem("", message)]) from error
    return read_json(text)


def loads(text: str) -> Config:
    """Read a YARP document from its text. Raises `ConfigError`."""
    return load(*read_json(text))


def load(document: object, known: Iterable[Problem] = ()) -> Config:
    """Do what `build` does, at once."""
    return finish(build(document, known))


def build(document: object, known: Iterable[Problem] = ()) -> Steps[Config]:
    """Build the configuration that a parsed document says. Raises `ConfigError` with every problem in it.

    Sections that are not ours (Logging, AllowedHosts, Kestrel, ...) are left alone. `known` are problems of the
    document's text, to be raised with the others.
    """
    if not isinstance(document, dict):
        message = f'{shown(document)} is not a YARP document; expected {{"ReverseProxy": {{...}}}}'
        raise ConfigError([Problem("", message)])
    parts = {key.lower(): value for key, value in document.items() if value not in ABSENT}
    problems = [*known, *_misplaced(document, parts)]
    urls: tuple[str, ...] = ()
    try:
        urls = _urls(parts.get("urls", ""))
    except ValueError as error:
        problems.append(Problem("Urls", str(error)))
    section, unread = yield from read_section(parts.get("reverseproxy", {}))
    problems += unread
    routes, clusters = [], []
    for key, route in section.routes.items():
        yield
        routes.append(attrs.evolve(route, id=key))
    for key, cluster in section.clusters.items():
        yield
        clusters.append(attrs.evolve(cluster, id=key))
    config = Config(routes, clusters, urls)
    if problems:
        raise DocumentError(problems, config)
    return config


def dump(config: Config) -> dict[str, Any]:
    """Write the document that loads to an equal configuration; what is YARP's default is left out.

    Ids must be unique. Times are written in TimeSpan's ticks of 100 nanoseconds.
    """
    section = {
        "Routes": {route.id: write(route) for route in config.routes},
        "Clusters": {cluster.id: write(cluster) for cluster in config.clusters},
    }
    urls = {"Urls": ";".join(config.urls)} if config.urls else {}
    return {**urls, "ReverseProxy": {key: value for key, value in section.items() if value}}


def _misplaced(document: Mapping[str, object], parts: Mapping[str, object]) -> Iterator[Problem]:
    for key in document:
        name = key.lower()
        close = difflib.get_close_matches(name, ("reverseproxy", "urls"), n=1, cutoff=0.8)
        if name in {"routes", "clusters"} and "reverseproxy" not in parts:
            yield Problem(key, f'{key} is at the top level; move it under "ReverseProxy"')
        elif close and close[0] != name:
            meant = {"reverseproxy": "ReverseProxy", "urls": "Urls"}[close[0]]
            yield Problem(key, f'unknown section "{key}"; did you mean {meant}?')


def _urls(value: object) -> tuple[str, ...]:
    if not isinstance(value, str):
        message = 'is not a string; write the URLs in one, as "http://a;http://b"'
        raise ValueError(f"{shown(value)} {message}")  # noqa: TRY004 - one kind for all
    return tuple(url.strip() for url in value.split(";") if url.strip())

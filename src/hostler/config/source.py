"""Where configurations come from: documents on disk, the program itself, and whatever a user makes a source."""

from __future__ import annotations

import asyncio
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from attrs import evolve, frozen

from hostler.config.certificates import beside_document
from hostler.config.files import read_layer
from hostler.config.layers import Layer, merge
from hostler.config.yarp import Parsed, build
from hostler.config.yarp.colons import unfold
from hostler.errors import ConfigError
from hostler.steps import finish, in_slices

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterable

    from hostler.config.environment import Environment, Variables
    from hostler.config.model import Config
    from hostler.config.places import Origin
    from hostler.errors import Problem
    from hostler.steps import Steps

__all__ = [
    "FileSource",
    "InMemorySource",
    "Loaded",
    "ReadableSource",
    "Role",
    "Source",
    "file_sources",
]


@frozen(eq=False)
class Loaded:
    """What a source says at one time."""

    config: Config
    problems: tuple[Problem, ...] = ()
    """What cannot be read; the configuration is without it."""

    origins: tuple[Origin, ...] = ()
    """Its layers, from the lowest up."""

    left: tuple[str, ...] | None = None
    """Variables that say something of a route or cluster which this document has not; None when it takes all."""


class Source(Protocol):
    """What a proxy's configuration, or a part of it, comes from (YARP's IProxyConfigProvider)."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    async def load(self) -> Config | Loaded:
        """Return what it says now; whatever it raises is logged, and what it said before stays in force."""
        ...

    def changes(self) -> AsyncIterator[object]:
        """Yield whenever it may say something else; what is yielded has no meaning."""
        ...


@runtime_checkable
class ReadableSource(Protocol):
    """A source that can be read at once, before there is an event loop."""

    def read(self) -> Loaded:
        """Return what it says now; raises OSError and ConfigError."""
        ...


class InMemorySource:
    """A configuration that the program has, and replaces (YARP's LoadFromMemory)."""

    def __init__(self, config: Config, name: str = "memory") -> None:
        self.name = name
        self._config = config
        self._loaded = config
        self._updated: list[asyncio.Event] = []
        """Of those who wait for changes, in their event loops."""

    @property
    def config(self) -> Config:
        """What it says now."""
        return self._config

    def update(self, config: Config) -> None:
        """Say something else, whole, from now on; to be called where the proxy runs.

        The proxy loads it in its own time, and logs what is wrong with it; `Proxy.update` raises that.
        """
        self._config = config
        for event in self._updated:
            event.set()

    def read(self) -> Loaded:
        """Return what it says now."""
        self._loaded = self._config
        return Loaded(self._config)

    async def load(self) -> Loaded:
        """Return what it says now."""
        return self.read()

    async def changes(self) -> AsyncIterator[None]:
        """Yield after each update."""
        event = asyncio.Event()
        if self._config is not self._loaded:
            event.set()
        self._updated.append(event)
        try:
            while True:
                await event.wait()
                event.clear()
                yield
        finally:
            self._updated.remove(event)


class Role(enum.Enum):
    """Which variables a document takes."""

    ONLY = enum.auto()
    """All of them."""

    FIRST = enum.auto()
    """Those of the routes and clusters that it has, and those that belong to neither, such as `Urls`."""

    OTHER = enum.auto()
    """Those of the routes and clusters that it has."""


Stamp: TypeAlias = "tuple[int, int, int] | None"


class FileSource:
    """A document on disk with its layers: the file of the environment beside it, and variables."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        environment: Environment | None = None,
        *,
        role: Role = Role.ONLY,
        interval: float = 1.0,
    ) -> None:
        """`environment` None is the document alone; `interval` is how many seconds pass between two looks at the files."""
        self.path = Path(path)
        self.name = str(path)
        self._environment = environment
        self._role = role
        self._interval = interval
        self._seen = self._stamps()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The document, and the one that is laid over it where it is there."""
        if self._environment is None:
            return (self.path,)
        overlay = f"{self.path.stem}.{self._environment.name}{self.path.suffix}"
        return self.path, self.path.with_name(overlay)

    def _stamps(self) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, self.paths))

    def parse(self) -> tuple[Parsed, tuple[str, ...] | None]:
        """Read the files, and lay the layers over each other; returns the variables too that found no document.

        Raises OSError, ConfigError for what cannot be parsed.
        """
        self._seen = self._stamps()
        document, *overlays = self.paths
        layers = [read_layer(document), *(read_layer(path) for path in overlays if path.exists())]
        left = None
        if self._environment is not None:
            taken, left = _claim(self._environment.variables, layers, self._role)
            below = () if self._role is Role.OTHER else self._environment.host_variables.layers()
            layers = [*below, *layers, *taken.layers()]
        value, problems = merge(layers)
        return Parsed(value, tuple(problems), tuple(layer.origin for layer in layers)), left

    def read(self) -> Loaded:
        """Read the document; raises OSError, and ConfigError for what is no document at all."""
        return finish(self.build(*self.parse()))

    async def load(self) -> Loaded:
        """Do what `read` does, without stopping the event loop."""
        return await in_slices(self.build(*await asyncio.to_thread(self.parse)))

    def build(self, parsed: Parsed, left: tuple[str, ...] | None) -> Steps[Loaded]:
        """Make of what `parse` returned what `read` does."""
        try:
            config, problems = yield from build(parsed)
        except ConfigError as error:
            raise error.at(self.name) from error
        said = tuple(
            item if item.path else evolve(item, source=item.source or self.name) for item in problems
        )
        if config.kestrel is not None:
            from hostler.config.kestrel import beside  # noqa: PLC0415 - for who has the section

            config = evolve(config, kestrel=beside(config.kestrel, self.path.parent))
        return Loaded(beside_document(config, self.path.parent), said, parsed.origins, left)

    async def changes(self) -> AsyncIterator[None]:
        """Yield each time that a file is another one than at the last look.

        A document that is missing is no change. A file over it that is gone is one when it has not come back by the
        next look: some editors take a file away before they write it.
        """
        missed = False
        while True:
            await asyncio.sleep(self._interval)
            stamps = self._stamps()
            gone = any(now is None and was is not None for now, was in zip(stamps, self._seen, strict=True))
            missed, waits = gone, gone and not missed
            if stamps != self._seen and stamps[0] is not None and not waits:
                self._seen = stamps
                yield


def file_sources(
    paths: Iterable[str | os.PathLike[str]], environment: Environment | None = None
) -> tuple[FileSource, ...]:
    """Make the sources of several documents, which share the variables of an environment."""
    given = tuple(paths)
    if len(given) == 1:
        return (FileSource(given[0], environment),)
    return tuple(
        FileSource(path, environment, role=Role.OTHER if number else Role.FIRST)
        for number, path in enumerate(given)
    )


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


# -- variables over several documents ---------------------------------------------------------------------------------

_NAMED: Final = {("reverseproxy", "routes"): 3, ("reverseproxy", "clusters"): 3, ("policies",): 3}
"""What has names of the user's, and how many keys lead to one of them."""


def _claim(
    variables: Variables, layers: Iterable[Layer], role: Role
) -> tuple[Variables, tuple[str, ...] | None]:
    """Return the variables that are laid over a document, and the names of those that it has nothing for."""
    if role is Role.ONLY:
        return variables, None
    value, _ = merge(tuple(layers))
    taken, left = [], []
    for key, name in variables.names.items():
        steps = key.lower().split(":")
        depth = next((depth for within, depth in _NAMED.items() if tuple(steps[: len(within)]) == within), 0)
        if (depth == 0 and role is Role.FIRST) or (depth and _has(value, steps[:depth])):
            taken.append(key)
        elif depth:
            left.append(name)
    return variables.only(taken), tuple(left)


def _has(value: Any, steps: list[str]) -> bool:
    for step in steps:
        if not isinstance(value, dict):
            return False
        members = {key.lower(): item for key, item in unfold(value)[0].items()}
        if step not in members:
            return False
        value = members[step]
    return True

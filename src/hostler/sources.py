"""The sources of a proxy: what they say is loaded, put together and checked, and followed while the proxy runs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import evolve

from hostler.checking import accept, has_errors
from hostler.config.events import ConfigEvent, ConfigEventKind, tell
from hostler.config.model import SERVER_SECTIONS, Config
from hostler.config.source import Loaded, ReadableSource
from hostler.config.union import unite
from hostler.documents import describe, inspect
from hostler.errors import ConfigError, HostlerError
from hostler.filters import Filters
from hostler.steps import finish, in_slices

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from hostler.checking import Check
    from hostler.config.events import ConfigListener
    from hostler.config.source import Source
    from hostler.config.union import Draft
    from hostler.policies import Policies
    from hostler.steps import Steps

__all__ = ["LOAD_TIMEOUT", "RETRY", "Sources"]

RETRY: Final = 300.0
"""Seconds after which a source that failed, or that tells of no changes, is asked again: YARP's."""

LOAD_TIMEOUT: Final = 60.0
"""Seconds that a source may take to load."""

_log: Final = logging.getLogger("hostler.proxy")
_layers: Final = logging.getLogger("hostler.layers")
_reloads: Final = logging.getLogger("hostler.reload")


Apply: TypeAlias = "Callable[[Config, Config], Awaitable[bool]]"
"""Puts the first configuration in force, which was loaded while the second was; False if that is not any more."""


class Sources:
    """Everything that a proxy's configuration comes from.

    A source is loaded again when it tells of a change. While it cannot be read, it counts with what it said last, and
    is asked again after `retry` seconds.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        policies: Policies,
        *,
        filters: Filters = Filters(),  # noqa: B008 - a frozen value
        validators: Iterable[Check] = (),
        listeners: Iterable[ConfigListener] = (),
        urls: Iterable[str] = (),
        retry: float = RETRY,
    ) -> None:
        """`urls` take the place of what the sources say."""
        self._sources = tuple(sources)
        self._policies = policies
        self._filters = filters
        self._validators = tuple(validators)
        self._listeners = tuple(listeners)
        self._urls = tuple(urls)
        self._retry = retry
        self._said: dict[int, Loaded] = {}
        """What each source said when it could be read last."""

        self._changed: set[int] = set()
        self._wake: asyncio.Event | None = None
        """Of the event loop in which the sources are followed."""

        self._when_loaded: list[Callable[[], object]] = []
        """Called when what changed has been loaded."""

        self._named = self.names
        """The layers that have been said, or that need not be."""

        self._refusals: dict[str, str] = {}
        """Why something was not applied, as it was logged, until it can be."""

    @property
    def names(self) -> str:
        """What the sources are called, for messages."""
        return ", ".join(source.name for source in self._sources)

    @property
    def can_be_read(self) -> bool:
        """Whether all of it can be had before there is an event loop."""
        return not self._filters and all(isinstance(source, ReadableSource) for source in self._sources)

    def find_server(self) -> Config:
        """Return where and how to listen, as far as that is known before anything is loaded.

        Raises OSError and ConfigError.
        """
        said = [
            (source.name, source.read()) for source in self._sources if isinstance(source, ReadableSource)
        ]
        config = finish(unite(said)).config
        sections = {name: getattr(config, name) for name in SERVER_SECTIONS}
        return Config(urls=self._urls or config.urls, **sections)

    # -- the first time -----------------------------------------------------------------------------------------------

    def read(self) -> Config:
        """Return what the sources say; raises OSError, and ConfigError with every problem. Warnings are logged."""
        for number, source in enumerate(self._sources):
            assert isinstance(source, ReadableSource)
            with self._telling(source):
                self._said[number] = source.read()
        draft = finish(self._unite(self._said))
        self._name_layers(draft)
        with self._judging(draft):
            return accept(draft.config, finish(inspect(draft, self._policies, self._validators)))

    async def load(self) -> Config:
        """Return what the sources say, filtered; raises what a source raises, and ConfigError with every problem."""
        for number, source in enumerate(self._sources):
            with self._telling(source):
                self._said[number] = await _load(source)
        draft = await in_slices(self._unite(self._said))
        self._name_layers(draft)
        return await self._checked(draft)

    def _name_layers(self, draft: Draft) -> None:
        """Log which layers there are, where there are others than those that were named, and other ones than before."""
        if draft.names != self._named:
            self._named = draft.names
            if len(draft.origins) > len(self._sources):
                _layers.info("read in this order, where the last to say something prevails: %s", draft.names)

    # -- following ----------------------------------------------------------------------------------------------------

    def reload(self, done: Callable[[], object] = lambda: None) -> None:
        """Have every source loaded again, whether it changed or not, and `done` called when that has been tried."""
        if self._wake is None:
            done()
            return
        self._refusals.clear()
        self._when_loaded.append(done)
        for number in range(len(self._sources)):
            self._note(number)

    def _note(self, number: int) -> None:
        if self._wake is not None:
            self._changed.add(number)
            self._wake.set()

    async def follow(self, current: Callable[[], Config], apply: Apply) -> None:
        """Put in force what the sources say, whenever that has changed; what is wrong with it is logged.

        `current` returns the configuration in force, another object for each.
        """
        self._wake = asyncio.Event()
        began = current()
        failed: set[int] = set()
        async with asyncio.TaskGroup() as tasks:
            for number in range(len(self._sources)):
                tasks.create_task(self._watch(number))
            while True:
                try:
                    async with asyncio.timeout(self._retry if failed else None):
                        await self._wake.wait()
                except TimeoutError:
                    self._changed |= failed
                self._wake.clear()
                changed, self._changed = self._changed, set()
                waiting, self._when_loaded = self._when_loaded, []
                failed = await self._update(current(), began, apply, changed, failed - changed)
                for done in waiting:
                    done()

    async def _watch(self, number: int) -> None:
        source = self._sources[number]
        while True:
            try:
                async for _ in source.changes():
                    self._note(number)
            except Exception:  # noqa: BLE001 - a user's
                _log.exception("%s: waiting for changes failed; it is asked again", source.name)
            await asyncio.sleep(self._retry)
            self._note(number)

    async def _update(
        self,
        before: Config,
        began: Config,
        apply: Apply,
        changed: Collection[int],
        failed: set[int],
    ) -> set[int]:
        """Load sources, and put in force what all say now; returns those that could not be read."""
        loaded = await asyncio.gather(*(self._load_again(number) for number in changed))
        new = {number: said for number, said in zip(changed, loaded, strict=True) if said is not None}
        wrong = {number for number, said in new.items() if has_errors(said.problems)}
        if wrong:
            await self._refuse_all(new, wrong)
        good = {number: said for number, said in new.items() if number not in wrong}
        self._said |= good
        for number in good:
            self._refusals.pop(self._sources[number].name, None)
        if good:
            await self._put_in_force(before, began, apply)
        return failed | (set(changed) - good.keys())

    async def _load_again(self, number: int) -> Loaded | None:
        """Load a source; a failure is logged."""
        source = self._sources[number]
        try:
            with self._telling(source):
                return await _load(source)
        except Exception as error:  # noqa: BLE001 - a source is a user's
            self._refuse(source.name, error)
            return None

    async def _refuse_all(self, new: Mapping[int, Loaded], wrong: Iterable[int]) -> None:
        """Say everything that is wrong with documents of which something cannot be read."""
        draft = await in_slices(self._unite({**self._said, **new}))
        error = ConfigError(await in_slices(inspect(draft, self._policies, self._validators)))
        self._refuse(", ".join(self._sources[number].name for number in wrong), error)
        for number in wrong:
            self._tell(ConfigEvent(ConfigEventKind.LOAD_FAILED, None, self._sources[number].name, error))

    async def _put_in_force(self, before: Config, began: Config, apply: Apply) -> None:
        draft = await in_slices(self._unite(self._said))
        try:
            config = await self._checked(draft)
            with self._judging(draft, loaded=False):
                applied = await apply(config, before)
        except Exception as error:  # noqa: BLE001 - whatever a policy does, the sources are followed on
            self._refuse(self.names, error)
            return
        self._refusals.pop(self.names, None)
        if not applied:
            _log.warning(
                "%s was not applied: the program put another configuration in force meanwhile", self.names
            )
            return
        self._name_layers(draft)
        _reloads.info("%s was applied: %s", self.names, describe(config))
        self._warn_of_server(config, began)
        self.applied(config)

    def applied(self, config: Config) -> None:
        """Tell that a configuration of the sources came in force."""
        self._tell(ConfigEvent(ConfigEventKind.APPLIED, config))

    def _warn_of_server(self, config: Config, began: Config) -> None:
        for name, section in SERVER_SECTIONS.items():
            if getattr(config, name) != getattr(began, name):
                _log.warning(
                    "%s: %s has changed: a running proxy keeps the options that it began with; restart it to have these",
                    self.names, section,
                )  # fmt: skip
        if config.urls != began.urls:
            _log.warning(
                "%s: Urls are %s now and were %s: a running proxy listens where it did; restart it to have them "
                "followed, unless --url says where to listen",
                self.names, "; ".join(config.urls) or "none", "; ".join(began.urls) or "none",
            )  # fmt: skip

    # -- what they say ------------------------------------------------------------------------------------------------

    def _unite(self, said: Mapping[int, Loaded]) -> Steps[Draft]:
        draft = yield from unite(
            [(source.name, said[number]) for number, source in enumerate(self._sources) if number in said]
        )
        return evolve(draft, config=evolve(draft.config, urls=self._urls)) if self._urls else draft

    async def _checked(self, draft: Draft) -> Config:
        """Filter and check what was loaded; raises ConfigError with every problem."""
        with self._judging(draft):
            filtered = await self._filters.apply(draft)
            problems = await in_slices(inspect(filtered, self._policies, self._validators))
            return accept(filtered.config, problems)

    # -- what went wrong ----------------------------------------------------------------------------------------------

    @contextmanager
    def _telling(self, source: Source) -> Iterator[None]:
        """Tell the listeners when a source cannot be read."""
        try:
            yield
        except Exception as error:
            self._tell(ConfigEvent(ConfigEventKind.LOAD_FAILED, None, source.name, error))
            raise

    @contextmanager
    def _judging(self, draft: Draft, *, loaded: bool = True) -> Iterator[None]:
        """Tell the listeners what was loaded, and when it is refused."""
        if loaded:
            self._tell(ConfigEvent(ConfigEventKind.LOADED, draft.config))
        try:
            yield
        except Exception as error:
            self._tell(ConfigEvent(ConfigEventKind.APPLY_FAILED, draft.config, error=error))
            raise

    def _refuse(self, names: str, error: Exception) -> None:
        """Log why something was not applied, once for each reason."""
        refusal = repr(error)
        if self._refusals.get(names) == refusal:
            return
        self._refusals[names] = refusal
        if isinstance(error, OSError | HostlerError):
            _log.error("%s was not applied, the previous configuration stays in force:\n%s", names, error)
        else:
            _log.error("%s was not applied, the previous configuration stays in force", names, exc_info=error)

    def _tell(self, event: ConfigEvent) -> None:
        tell(self._listeners, event)


async def _load(source: Source) -> Loaded:
    """Load a source; raises TimeoutError, TypeError, and what the source raises."""
    try:
        async with asyncio.timeout(LOAD_TIMEOUT) as limit:
            said = await source.load()
    except TimeoutError as error:
        if limit.expired():
            raise TimeoutError(f"it was not loaded within {LOAD_TIMEOUT:g} seconds") from error
        raise
    if isinstance(said, Config):
        return Loaded(said)
    if isinstance(said, Loaded):
        return said
    raise TypeError(f"it loaded {said!r}; return a Config")

"""Asking resolvers which destinations take the place of those that clusters list; at first, and again and again.

Whatever puts a configuration in force has it `resolved` first, from what resolvers answered last. A destination that
was never asked for, or never found, is used as it is listed: its name is then looked up for each connection. `learn`
asks for what is not known yet, before a configuration comes in force; `follow` asks again when a period is over, and has
the same configuration put in force anew when an answer is another one.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

from attrs import define, evolve

from hostler.client.dns import RESOLVER
from hostler.config.checks.destination import check_destination
from hostler.config.checks.values import check_ids
from hostler.config.model import Destination
from hostler.steps import in_slices

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hostler.client.dns import DestinationResolver
    from hostler.config.model import Cluster, Config, Resolver
    from hostler.policies import Policies
    from hostler.steps import Steps

__all__ = ["MAX_FOUND", "PATIENCE", "RETRY_PERIOD", "Resolving"]

PATIENCE: Final = 10.0
"""Seconds that resolvers may take to answer."""

RETRY_PERIOD: Final = 10.0
"""Seconds after which one that failed is asked again, if its period is not shorter."""

MAX_FOUND: Final = 1000
"""Destinations that may take the place of one."""

_log: Final = logging.getLogger("hostler.resolving")

_Question: TypeAlias = "tuple[Resolver, str, str, str | None, str | None]"
"""The settings, and what of a destination an answer depends on: id, address, health, host."""


@define
class _Answer:
    """What a resolver said last."""

    destination: Destination
    """The one that it was asked for."""

    found: tuple[Destination, ...] = ()
    fault: str = ""
    """Why it could not say anything the last time."""

    due: float = 0.0
    """When it is asked again, in the event loop's time."""


class Resolving:
    """What the resolvers of a proxy have answered."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._resolvers: dict[Resolver, DestinationResolver] = {}
        self._answers: dict[_Question, _Answer] = {}
        self._changed: asyncio.Event | None = None
        """Of the event loop in which names are followed."""

    def resolved(self, config: Config) -> Config:
        """Return a configuration with what is known instead of what clusters list."""
        if all(_settings(cluster) is None for cluster in config.clusters):
            return config
        return evolve(config, clusters=map(self._resolved, config.clusters))

    def _resolved(self, cluster: Cluster) -> Cluster:
        settings = _settings(cluster)
        if settings is None:
            return cluster
        found: dict[str, Destination] = {}
        for listed in cluster.destinations:
            for destination in self._found(settings, listed):
                found.setdefault(destination.id.lower(), destination)
        return evolve(cluster, destinations=found.values())

    def _found(self, settings: Resolver, listed: Destination) -> Iterable[Destination]:
        answer = self._answers.get(_question(settings, listed))
        if answer is None or not answer.found:
            return [listed]
        if answer.destination == listed:
            return answer.found
        # another weight, say: it holds at once, also where nothing can be waited for
        return [
            evolve(listed, id=one.id, address=one.address, health=one.health, host=one.host)
            for one in answer.found
        ]

    def config_changed(self) -> None:
        """Have `follow` look at the configuration that is in force now."""
        if self._changed is not None:
            self._changed.set()

    async def learn(self, config: Config) -> bool:
        """Ask for what is listed and not known, all at once; returns whether anything was found.

        What cannot be found in time stays as it is listed.
        """
        return await self._ask_all(
            [
                (cluster, listed)
                for cluster, settings, listed in _listed(config)
                if _question(settings, listed) not in self._answers
            ]
        )

    async def follow(
        self, current: Callable[[], Config], apply: Callable[[Config], Awaitable[object]]
    ) -> NoReturn:
        """Ask again for what is listed in the current configuration, whenever a period is over.

        Has the configuration applied anew after answers that are other ones than before.
        """
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        self._changed = changed
        while True:
            changed.clear()
            config = current()
            listed = {
                _question(settings, item): (cluster, item) for cluster, settings, item in _listed(config)
            }
            now = loop.time()
            # what is not listed may be what `learn` has found for the next configuration
            self._answers = {
                question: answer
                for question, answer in self._answers.items()
                if question in listed or answer.due > now
            }
            due = [
                asked
                for question, asked in listed.items()
                if question not in self._answers or self._answers[question].due <= now
            ]
            if due:
                if await self._ask_all(due):
                    await _apply(apply, config)
                continue
            soonest = min((self._answers[question].due for question in listed), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(soonest):
                    await changed.wait()

    async def _ask_all(self, asked: list[tuple[Cluster, Destination]]) -> bool:
        """Ask for destinations of clusters, all at once; returns whether any answer is another one than before."""
        if not asked:
            return False
        asking = {asyncio.create_task(self._ask(*one)): one for one in asked}
        try:
            await asyncio.wait(asking, timeout=PATIENCE)
        finally:
            late = [task for task in asking if not task.done()]
            for task in late:
                task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)
        changes = [task.result() for task in asking if task.done() and not task.cancelled()]
        for task in late:
            self._note(*asking[task], (), f"no answer within {PATIENCE:g} s")
        return any(changes)

    async def _ask(self, cluster: Cluster, listed: Destination) -> bool:
        settings = _settings(cluster)
        assert settings is not None
        found: tuple[Destination, ...] = ()
        fault = "it was told nothing"
        try:
            if settings not in self._resolvers:
                self._resolvers[settings] = self._policies.make(RESOLVER, cluster)
            found = tuple(await self._resolvers[settings](listed))
            fault = await in_slices(_find_fault(found))
        except (OSError, UnicodeError) as error:
            fault = str(error) or repr(error)
        except Exception as error:  # noqa: BLE001 - a resolver may be anybody's, and the others are asked on
            fault = repr(error)
            before = self._answers.get(_question(settings, listed))
            if before is None or before.fault != fault:
                _log.exception("%s: the resolver failed", _name(cluster, listed))
        return self._note(cluster, listed, () if fault else found, fault)

    def _note(
        self, cluster: Cluster, listed: Destination, found: tuple[Destination, ...], fault: str
    ) -> bool:
        """Remember an answer; returns whether it is another one than before."""
        settings = _settings(cluster)
        assert settings is not None
        answer = self._answers.setdefault(_question(settings, listed), _Answer(listed))
        now, period, name = asyncio.get_running_loop().time(), settings.refresh_period, _name(cluster, listed)
        if fault:
            if fault != answer.fault:
                stays = ", ".join(one.address for one in answer.found) or "what is listed"
                _log.warning("%s was not found, %s stays: %s", name, _short(stays), fault)
            answer.fault, answer.due = fault, now + min(period, RETRY_PERIOD)
            return False
        count, found = len(found), found[:MAX_FOUND]
        if found != answer.found:
            if count > MAX_FOUND:
                _log.warning("%s is %d destinations, the first %d are used", name, count, MAX_FOUND)
            _log.info("%s is %s", name, _short(", ".join(one.address for one in found)))
        changed = (found, listed) != (answer.found, answer.destination)
        answer.destination, answer.found, answer.fault, answer.due = listed, found, "", now + period
        return changed


def _settings(cluster: Cluster) -> Resolver | None:
    return cluster.resolver if cluster.resolver is not None and cluster.resolver.enabled else None


def _listed(config: Config) -> Iterable[tuple[Cluster, Resolver, Destination]]:
    for cluster in config.clusters:
        settings = _settings(cluster)
        if settings is not None:
            for destination in cluster.destinations:
                yield cluster, settings, destination


def _question(settings: Resolver, listed: Destination) -> _Question:
    return settings, listed.id.lower(), listed.address, listed.health, listed.host


def _find_fault(found: tuple[object, ...]) -> Steps[str]:
    """Say why an answer cannot be used; "" when it can."""
    if not found:
        return "the resolver returned nothing"
    destinations = []
    for one in found:
        if not isinstance(one, Destination):
            return f"the resolver returned {one!r}, which is no Destination"
        destinations.append(one)
    problems = list(check_ids("", [one.id for one in destinations]))
    for one in destinations[:MAX_FOUND]:
        yield
        problems += check_destination(one.id, one)
    return str(problems[0]) if problems else ""


def _name(cluster: Cluster, listed: Destination) -> str:
    return f"cluster {cluster.id}, destination {listed.id}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."


async def _apply(apply: Callable[[Config], Awaitable[object]], config: Config) -> None:
    try:
        await apply(config)
    except Exception:  # noqa: BLE001 - whatever a policy does, names are followed on
        _log.exception("what was found was not applied, the destinations stay as they were")

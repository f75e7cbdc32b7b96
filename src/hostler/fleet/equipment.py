"""What a live cluster or route has because of its configuration: its policies, the client of its destinations.

An `Equipment` maps a `Part` to the thing itself. Each part is defined in the file of the stage that uses it, so a stage
finds its own thing by its own part, and nobody in between knows which parts there are. A `Recipe` says how a part is
made; it is made anew when its settings change, and otherwise kept across reloads, with its memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from attrs import frozen

from hostler.config.definitions import Definitions
from hostler.config.model import Cluster, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Equipment", "Part", "PolicyKind", "Recipe", "Shared", "equip"]

_NO_DEFINITIONS: Final = Definitions()

Owner = TypeVar("Owner", Cluster, Route)
T = TypeVar("T")


@frozen(eq=False)
class Part(Generic[T]):
    """A key of an `Equipment`; what it stands for is a `T`."""


def _no_fault(_: object) -> None:
    return None


def _no_arguments(_: object) -> tuple[Any, ...]:
    return ()


@frozen(eq=False, kw_only=True)
class PolicyKind(Part[T], Generic[Owner, T]):
    """A kind of policy: a part that a configuration chooses by name."""

    owner: type[Owner]
    """What names the policy: a cluster or a route."""

    key: str
    """Where it does, as YARP spells it, from there on: `SessionAffinity.Policy`."""

    named: Callable[[Owner], str | None]
    """The name that is given there, "" for the default; None where the policy is switched off."""

    default: str
    builtin: Mapping[str, Callable[..., T]]
    """What makes a policy, by YARP's name for it."""

    defined_in: str = ""
    """Where a document defines such policies: an attribute of `Definitions`; "" where it cannot."""

    define: Callable[..., T] | None = None
    """What makes a policy that a document defines: it gets the definition, and then the arguments."""

    find_fault: Callable[[Any], tuple[str, str] | None] = _no_fault
    """Says what keeps a definition without mistakes from being used here: the key, from there on, and why."""

    is_policy: bool = False
    """Whether a program names the policy itself, and not what makes one."""

    off: tuple[str, ...] = ()
    """YARP's names for no policy. No policy may have such a name."""

    reserved: tuple[str, ...] = ()
    """Other names that no policy of a user's may have."""

    arguments: Callable[[Owner], tuple[Any, ...]] = _no_arguments
    """What a policy is made of."""

    shared: bool = False
    """Whether those that name a policy, with the same arguments, have one object together, and not one each."""

    find_fault_here: Callable[[Owner], tuple[str, str] | None] = _no_fault
    """Says why a policy of hostler's own cannot be made on this machine: the key, from the owner on, and what to do."""

    equips: bool = True
    """Whether it is part of the equipment; else whoever uses such policies has them made (`Policies.make`)."""

    later: tuple[str, ...] = ()
    """YARP's names for policies that hostler does not have yet."""

    def settings(self, owner: Owner) -> tuple[Any, ...] | None:
        """Return the policy's name and its arguments; None where the policy is switched off."""
        name = self.named(owner)
        if name is None or name.lower() in map(str.lower, self.off):
            return None
        return (name, *self.arguments(owner))


class Equipment(dict[Part[Any], Any]):
    """The things of one live cluster or route, by part; what is switched off is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.made_of: dict[Part[Any], tuple[Any, ...]] = {}
        """The settings of each thing."""

    if TYPE_CHECKING:

        def __getitem__(self, part: Part[T], /) -> T:
            """Return what a part stands for."""

        def get(self, part: Part[T], default: T | None = None, /) -> T | None:
            """Return what a part stands for, None when it is switched off."""


class Equipped(Protocol):
    """A live cluster or route."""

    @property
    def config(self) -> Cluster | Route:
        """The configuration that it was made of."""
        ...

    @property
    def equipment(self) -> Equipment:
        """What it has because of that."""
        ...


@frozen(eq=False, kw_only=True)
class Recipe(Generic[Owner]):
    """How one part of the equipment of every cluster, or of every route, is made."""

    part: Part[Any]
    owner: type[Owner]
    settings: Callable[[Owner], tuple[Any, ...] | None]
    """What it is made of; None where there is to be none."""

    make: Callable[..., Any]
    """Called with the settings."""

    resolve: Callable[[tuple[Any, ...], Definitions], tuple[Any, ...]] | None = None
    """Adds what the document defines to the settings."""

    shared: bool = False
    """Whether all that have the same settings have one thing together."""


class Shared:
    """The things of one configuration that several have together; those of the one before it are found again."""

    def __init__(self, before: Shared | None = None) -> None:
        self._before = {} if before is None else before._things
        self._things: dict[tuple[Part[Any], Any], list[tuple[tuple[Any, ...], Any]]] = {}

    def find(self, recipe: Recipe[Any], settings: tuple[Any, ...]) -> Any:
        """Return the thing of a shared part that has these settings; it is made when there is none."""
        key = recipe.part, settings[0]
        things = self._things.setdefault(key, [])
        for held, thing in things:
            if held == settings:
                return thing
        known = [thing for held, thing in self._before.get(key, ()) if held == settings]
        made = known[0] if known else recipe.make(*settings)
        things.append((settings, made))
        return made

    def forget_before(self) -> None:
        """Let go of what the configuration before had, once this one is whole."""
        self._before = {}


def equip(
    recipes: Iterable[Recipe[Any]],
    config: Cluster | Route,
    previous: Equipped | None,
    definitions: Definitions = _NO_DEFINITIONS,
    shared: Shared | None = None,
) -> Equipment:
    """Make the equipment that a cluster or a route asks for.

    What has the same settings as in `previous`, the live one of the same id, is taken from there, what is shared from
    `shared`. Whatever `make` raises passes through.
    """
    shared = Shared() if shared is None else shared
    equipment = Equipment()
    for recipe in recipes:
        settings = recipe.settings(config) if isinstance(config, recipe.owner) else None
        if settings is None:
            continue
        if recipe.resolve is not None:
            settings = recipe.resolve(settings, definitions)
        part = recipe.part
        equipment.made_of[part] = settings
        if recipe.shared:
            equipment[part] = shared.find(recipe, settings)
        elif previous is not None and previous.equipment.made_of.get(part) == settings:
            equipment[part] = previous.equipment[part]
        else:
            equipment[part] = recipe.make(*settings)
    return equipment

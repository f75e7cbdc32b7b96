"""The table of policies: which kinds there are, and how a name in a configuration becomes an object.

A kind is one row here, an attribute of `Policies`, and a `PolicyKind` in the file of the stage that uses such policies.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from attrs import field, fields, frozen

from hostler.client.dns import RESOLVER
from hostler.config.definitions import Definitions
from hostler.config.model import Cluster, Route
from hostler.errors import ConfigError, Problem
from hostler.fleet.available import AVAILABLE_DESTINATIONS
from hostler.fleet.equipment import PolicyKind, Recipe
from hostler.importing import import_object
from hostler.probing import ACTIVE_HEALTH, PROBE_REQUEST
from hostler.stages.affinity import AFFINITY, AFFINITY_FAILURE
from hostler.stages.authorize import AUTHORIZATION
from hostler.stages.balance import BALANCE
from hostler.stages.cors import CORS
from hostler.stages.health import PASSIVE_HEALTH
from hostler.stages.limit_concurrency import CONCURRENCY
from hostler.stages.limit_rate import RATE_LIMITER
from hostler.stages.limit_time import TIMEOUT
from hostler.stages.retry import RETRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.authorization import AuthorizationPolicy
    from hostler.client.dns import DestinationResolver
    from hostler.config.definitions import TimeoutDefinition
    from hostler.config.limits import ConcurrencyDefinition
    from hostler.config.model import HealthCheck, Resolver, SessionAffinity
    from hostler.fleet.available import AvailableDestinationsPolicy
    from hostler.probing import ActiveHealthPolicy, ProbeRequestFactory
    from hostler.rate_limiting.policy import RateLimiterPolicy
    from hostler.stages.affinity import AffinityFailurePolicy, AffinityPolicy
    from hostler.stages.balance import BalancePolicy, Balancing
    from hostler.stages.cors import Cors
    from hostler.stages.health import PassiveHealthPolicy
    from hostler.stages.retry import RetryPolicy
    from hostler.transforms.reading import TransformFactory

__all__ = ["Policies"]

_NO_DEFINITIONS: Final = Definitions()

Owner = TypeVar("Owner", Cluster, Route)
T = TypeVar("T")

Kind: TypeAlias = PolicyKind[Any, Any]
Factory: TypeAlias = Callable[..., Any]
Factories: TypeAlias = Mapping[str, Factory]
Known: TypeAlias = Mapping[str, tuple[str, Factory]]
"""By a policy's name in lower case: the name as it is spelled, and what makes the policy."""


def _row(kind: Kind) -> Any:
    """Make the attribute of a kind, which holds a user's own policies of that kind."""
    return field(factory=dict, converter=_frozen, metadata={"kind": kind})


def _frozen(given: Factories) -> Factories:
    return MappingProxyType(dict(given))


@frozen(kw_only=True)
class Policies:
    """The policies that a proxy's configuration may name: your own, beside hostler's or in their place.

    Each argument maps names, which are case-insensitive, to what makes a policy object, for one cluster or for the
    routes that name it. A name with a colon in it, `package.module:attribute`, is imported instead. What a document
    defines itself is in `Config.definitions`.
    """

    balance: Mapping[str, Callable[[Balancing], BalancePolicy]] = _row(BALANCE)
    affinity: Mapping[str, Callable[[SessionAffinity], AffinityPolicy]] = _row(AFFINITY)
    affinity_failure: Mapping[str, Callable[[], AffinityFailurePolicy]] = _row(AFFINITY_FAILURE)
    active_health: Mapping[str, Callable[[Cluster], ActiveHealthPolicy]] = _row(ACTIVE_HEALTH)
    probe_request: Mapping[str, Callable[[Cluster], ProbeRequestFactory]] = _row(PROBE_REQUEST)
    passive_health: Mapping[str, Callable[[Cluster], PassiveHealthPolicy]] = _row(PASSIVE_HEALTH)
    available_destinations: Mapping[str, Callable[[HealthCheck], AvailableDestinationsPolicy]] = _row(
        AVAILABLE_DESTINATIONS
    )
    timeout: Mapping[str, Callable[[], TimeoutDefinition]] = _row(TIMEOUT)
    rate_limiter: Mapping[str, RateLimiterPolicy] = _row(RATE_LIMITER)
    """Policies themselves: async functions of an exchange."""
    concurrency: Mapping[str, Callable[[], ConcurrencyDefinition]] = _row(CONCURRENCY)
    cors: Mapping[str, Callable[[], Cors]] = _row(CORS)
    authorization: Mapping[str, AuthorizationPolicy] = _row(AUTHORIZATION)
    """Policies themselves: async functions of an exchange."""
    retry: Mapping[str, Callable[[], RetryPolicy]] = _row(RETRY)
    resolver: Mapping[str, Callable[[Resolver], DestinationResolver]] = _row(RESOLVER)

    transforms: Mapping[str, TransformFactory] = field(factory=dict, converter=_frozen)
    """What makes transforms of mappings of your own, by the key that names them (ITransformFactory)."""

    _known: Mapping[Kind, Known] = field(init=False, repr=False, eq=False)

    @_known.default
    def _all_known(self) -> Mapping[Kind, Known]:
        rows = [(row.metadata["kind"], getattr(self, row.name)) for row in fields(Policies) if row.metadata]
        return {kind: _without_case(kind.builtin, own) for kind, own in rows}

    def problems(
        self, owner: Cluster | Route, path: str, definitions: Definitions = _NO_DEFINITIONS
    ) -> Iterator[Problem]:
        """Find the unknown policies that a cluster or a route names; `path` is that of the cluster or the route."""
        for kind, known in self._known.items():
            settings = kind.settings(owner) if isinstance(owner, kind.owner) else None
            if settings is not None and _definition(kind, settings[0], definitions) is None:
                try:
                    make = _find(kind, known, settings[0], tuple(_defined(kind, definitions)))
                except LookupError as error:
                    lacks = f"{_section(kind)}.{settings[0]}" if kind.defined_in else ""
                    yield Problem(f"{path}.{kind.key}", str(error.args[0]), lacks=lacks)
                else:
                    if make in kind.builtin.values() and (fault := kind.find_fault_here(owner)):
                        yield Problem(f"{path}.{fault[0]}", fault[1])

    def problems_of_definitions(self, definitions: Definitions) -> Iterator[Problem]:
        """Find the policies, a document's and a program's, that have the name of another or one of YARP's."""
        for kind, known in self._known.items():
            taken = {name.lower() for name in (*kind.off, *kind.reserved)}
            path = _section(kind)
            for name, definition in _defined(kind, definitions).items():
                fault = kind.find_fault(definition)
                if fault is not None:
                    yield Problem(f"{path}.{name}.{fault[0]}", fault[1])
                if name.lower() in taken:
                    yield Problem(
                        f"{path}.{name}", f'"{name}" is YARP\'s name for something else; choose another'
                    )
                elif name.lower() in known:
                    yield Problem(
                        f"{path}.{name}", f'"{name}" is defined in the program too (Policies); choose another'
                    )
            for name in known.keys() & taken:
                spelled = known[name][0]
                if spelled not in kind.builtin:
                    yield Problem(
                        "Policies", f'"{spelled}" cannot be the name of a {kind.key}; choose another'
                    )

    @property
    def recipes(self) -> tuple[Recipe[Any], ...]:
        """How the policies that clusters and routes name are made; an unknown one raises LookupError."""
        return tuple(
            Recipe(
                part=kind,
                owner=kind.owner,
                settings=kind.settings,
                resolve=partial(_with_definition, kind),
                make=partial(_make, kind, known),
                shared=kind.shared,
            )
            for kind, known in self._known.items()
            if kind.equips
        )

    def make(self, kind: PolicyKind[Owner, T], owner: Owner) -> T:
        """Make the policy that a cluster or a route names, of a kind that is no part of its equipment."""
        settings = kind.settings(owner)
        assert settings is not None
        made: T = _find(kind, self._known[kind], settings[0])(*settings[1:])
        return made


def _section(kind: Kind) -> str:
    return f"Policies.{kind.defined_in.title().replace('_', '')}"


def _defined(kind: Kind, definitions: Definitions) -> Mapping[str, Any]:
    """Return what a document defines of a kind, by name."""
    defined: Mapping[str, Any] = getattr(definitions, kind.defined_in) if kind.defined_in else {}
    return defined


def _definition(kind: Kind, name: str, definitions: Definitions) -> object | None:
    defined = _defined(kind, definitions)
    exact: object | None = defined.get(name)
    if exact is not None:
        return exact
    return next((made for spelled, made in defined.items() if spelled.lower() == name.lower()), None)


def _with_definition(kind: Kind, settings: tuple[Any, ...], definitions: Definitions) -> tuple[Any, ...]:
    """Put the definition of a policy behind its name, None where the document has none."""
    name, *arguments = settings
    return (name if ":" in name else name.lower(), _definition(kind, name, definitions), *arguments)


def _without_case(*layers: Factories) -> Known:
    return {name.lower(): (name, factory) for layer in layers for name, factory in layer.items()}


def _make(kind: Kind, known: Known, name: str, definition: object | None, *arguments: object) -> object:
    if definition is not None and kind.define is not None:
        return kind.define(definition, *arguments)
    found = _find(kind, known, name)
    return found if kind.is_policy else found(*arguments)


def _find(kind: Kind, known: Known, name: str, defined: tuple[str, ...] = ()) -> Factory:
    """Return what makes the policy of that name; raises LookupError with what to do.

    `defined` are the names of those that the document defines, which may have been meant.
    """
    found = known.get((name or kind.default).lower())
    if found is not None:
        return found[1]
    if ":" in name:
        return _import(name)
    spelled = {name.lower(): name for name in (*(name for name, _ in known.values()), *defined, *kind.off)}
    names = ", ".join(sorted(spelled.values()))
    if name.lower() in (later.lower() for later in kind.later):
        key = kind.key.rpartition(".")[2]
        raise LookupError(f'not supported yet: {key} "{name}"; remove it, or use {names}')
    close = difflib.get_close_matches(name.lower(), spelled, n=1)
    if close:
        hint = f"did you mean {spelled[close[0]]}?"
    elif kind.defined_in:
        hint = f"use {names}, package.module:name, or define it in {_section(kind)}"
    else:
        hint = f"use {names}, or package.module:name"
    raise LookupError(f'unknown policy "{name}"; {hint}')


def _import(name: str) -> Factory:
    try:
        found = import_object(name, "what makes a policy")
    except ConfigError as error:
        raise LookupError(f'"{name}" cannot be imported: {error.problems[0].message}') from error
    except Exception as error:  # importing runs a stranger's code
        raise LookupError(f'"{name}" cannot be imported, its module raised {error!r}; correct it') from error
    if callable(found):
        made: Factory = found
        return made
    raise LookupError(f'"{name}" is {found!r}, which cannot be called; name what makes the policy')

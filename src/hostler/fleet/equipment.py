"""What a live cluster or route has because of its configuration: its policies, the client of its destinations.

An `Equipment` maps a `Part` to the thing itself. Each part is defined in the file of the stage that uses it, so a stage
finds its own thing by its own part, and nobody in between knows which parts there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from attrs import frozen

from hostler.config.model import Cluster, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Equipment", "Part", "PolicyKind"]

Owner = TypeVar("Owner", Cluster, Route)
T = TypeVar("T")


@frozen(eq=False)
class Part(Generic[T]):
    """A key of an `Equipment`; what it stands for is a `T`."""


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

    arguments: Callable[[Owner], tuple[Any, ...]] = _no_arguments
    """What a policy is made of. It is kept, with its memory, for as long as its name and its arguments are the same."""

    later: tuple[str, ...] = ()
    """YARP's names for policies that hostler does not have yet."""


class Equipment(dict[Part[Any], Any]):
    """The things of one live cluster or route, by part; what is switched off is missing."""

    if TYPE_CHECKING:

        def __getitem__(self, part: Part[T], /) -> T:
            """Return what a part stands for."""

        def get(self, part: Part[T], default: T | None = None, /) -> T | None:
            """Return what a part stands for, None when it is switched off."""

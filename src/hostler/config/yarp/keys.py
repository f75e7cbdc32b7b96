"""The attributes of the model in the document: how their keys are spelt, and of which kind their values are."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen

from hostler.config.definitions import Definitions
from hostler.config.model import Cluster, Route, SessionAffinity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Key", "keys_of"]

# A colon is .NET's way to write a key within a key: a route's `Match` object is read, and written, as such keys.
_MATCH = ("path", "hosts", "methods", "headers", "query_parameters")
_KEYS: Mapping[type, Mapping[str, str]] = {
    Route: {name: f"Match:{name.title().replace('_', '')}" for name in _MATCH},
    Cluster: {"balance": "LoadBalancingPolicy", "affinity": "SessionAffinity"},
    SessionAffinity: {"key_name": "AffinityKeyName"},
}


@frozen(eq=False)
class Key:
    """The document's key of an attribute."""

    label: str
    name: str
    """The attribute's."""

    kind: Any
    """What the attribute holds when it is not None: a class, or `Mapping[...]`, `tuple[...]`."""

    default: Any
    """`attrs.NOTHING` where there is none."""

    is_secret: bool
    """Whether nobody is shown the value (`repr=False`)."""

    is_flags: bool
    """Whether it may be one text, with commas, as .NET writes flags."""


def _late_types(cls: type) -> Mapping[str, Any]:
    """Import the types of attributes that most configurations do without, and that their class does not import."""
    if cls is Cluster:
        from hostler.config import limits  # noqa: PLC0415

        return vars(limits)
    if cls is Definitions:
        from hostler.config import access, limits  # noqa: PLC0415

        return {**vars(access), **vars(limits)}
    return {}


@cache
def keys_of(cls: type) -> tuple[Key, ...]:
    """List the keys of a class of the model; not `id`, which is the key of the object itself, nor what follows from others."""
    hints, labels = get_type_hints(cls, localns=dict(_late_types(cls))), _KEYS.get(cls, {})
    return tuple(
        Key(
            labels.get(attribute.name)
            or attribute.metadata.get("key")
            or attribute.name.title().replace("_", ""),
            attribute.name,
            _without_none(hints[attribute.name]),
            attribute.default,
            attribute.repr is False,
            bool(attribute.metadata.get("flags")),
        )
        for attribute in attrs.fields(cls)
        if attribute.init and attribute.name != "id"
    )


def _without_none(kind: Any) -> Any:
    kinds = get_args(kind)
    if get_origin(kind) is None or NoneType not in kinds:
        return kind
    (held,) = (one for one in kinds if one is not NoneType)
    return held

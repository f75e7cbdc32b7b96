"""How the document's keys are spelt for the attributes of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostler.config.model import Cluster, Route, SessionAffinity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["key_of"]

# A colon is .NET's way to write a key within a key: a route's `Match` object is read, and written, as such keys.
_MATCH = ("path", "hosts", "methods", "headers", "query_parameters")
_KEYS: Mapping[type, Mapping[str, str]] = {
    Route: {name: f"Match:{name.title().replace('_', '')}" for name in _MATCH},
    Cluster: {"balance": "LoadBalancingPolicy", "affinity": "SessionAffinity"},
    SessionAffinity: {"key_name": "AffinityKeyName"},
}


def key_of(cls: type, name: str) -> str:
    """Name the document's key of an attribute."""
    return _KEYS.get(cls, {}).get(name) or name.title().replace("_", "")

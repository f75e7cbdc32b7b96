"""Writing the model as a document's section, without what is YARP's default."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from hostler.config.model import Destination
from hostler.config.transforms import CodeTransform
from hostler.config.yarp.keys import keys_of
from hostler.config.yarp.scalars import write_time
from hostler.errors import ConfigError, Problem

__all__ = ["write"]


def write(value: Any) -> dict[str, Any]:
    """Write an object of the model; its id is left out, since it is the key in the object around it."""
    written: dict[str, Any] = {}
    cls: type = type(value)
    for key in keys_of(cls):
        held = getattr(value, key.name)
        if held != key.default or key.name == "enabled":  # which is off where it is not said
            within, _, label = key.label.rpartition(":")
            into = written.setdefault(within, {}) if within else written
            into[label] = write_time(held) if key.kind is float and held is not None else _write(held)
    return written


def _write(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _write(item) for key, item in value.items()}
    if isinstance(value, CodeTransform):
        message = f"the function {value.name} cannot be written in a document; leave it out of the route's transforms"
        raise ConfigError([Problem("Transforms", message)])
    if isinstance(value, tuple):
        if any(isinstance(item, Destination) for item in value):
            return {item.id: write(item) for item in value}
        return [_write(item) for item in value]
    return write(value) if attrs.has(type(value)) else value

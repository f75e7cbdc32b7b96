"""Writing the model as a document's section, without what is YARP's default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from hostler.config.model import Destination
from hostler.config.yarp.keys import key_of
from hostler.config.yarp.scalars import write_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["write"]


def write(value: object) -> Any:
    """Write an object of the model; its id is left out, since it is the key in the object around it."""
    return _WRITER.unstructure(value)


def _unstructure_hook(cls: type) -> Callable[[Any], dict[str, Any]]:
    """Unstructure an attrs class without its defaults; `Enabled` is always said, since absent means off."""
    renamed = {
        name: override(rename=key_of(cls, name), omit=name == "id", omit_if_default=name != "enabled")
        for name in attrs.fields_dict(cls)
    }
    generated: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(cls, _WRITER, **renamed)  # type: ignore[arg-type]

    def unstructure(value: Any) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, item in generated(value).items():
            within, _, name = key.rpartition(":")
            (written.setdefault(within, {}) if within else written)[name] = item
        return written

    return unstructure


def _destinations(destinations: Iterable[Destination]) -> dict[str, Any]:
    return {destination.id: _WRITER.unstructure(destination) for destination in destinations}


def _converter() -> Converter:
    made = Converter()
    made.register_unstructure_hook_factory(attrs.has, _unstructure_hook)
    made.register_unstructure_hook_func(lambda kind: kind == tuple[Destination, ...], _destinations)
    made.register_unstructure_hook(float, write_time)  # a float of the model is always a time
    return made


_WRITER = _converter()

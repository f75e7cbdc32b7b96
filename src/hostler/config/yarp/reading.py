"""Reading a section into the model: cattrs builds the classes, with hooks that read as .NET's binder does.

Keys and enums have no case, null and empty count as absent, and a list may be an object with the keys "0", "1", ...
"""

from __future__ import annotations

import difflib
import enum
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import attrs
from cattrs import BaseValidationError, ClassValidationError, Converter, IterableValidationError
from cattrs.gen import make_dict_structure_fn, override

from hostler.config.model import METADATA_KEYS, Cluster, Destination, HttpRequest, Route
from hostler.config.yarp.colons import unfold
from hostler.config.yarp.failures import label_of, noted, problems_of
from hostler.config.yarp.keys import key_of
from hostler.config.yarp.scalars import (
    read_boolean,
    read_choice,
    read_integer,
    read_text,
    read_time,
    read_version,
    shown,
)

if TYPE_CHECKING:
    from hostler.errors import Problem
    from hostler.steps import Steps

__all__ = ["ABSENT", "Section", "read_section"]

ABSENT: tuple[object, ...] = (None, [], {})
"""What counts as if it were not there."""


@attrs.frozen
class Section:
    """The `ReverseProxy` section."""

    routes: dict[str, Route] = attrs.Factory(dict)
    clusters: dict[str, Cluster] = attrs.Factory(dict)


def read_section(section: object) -> Steps[tuple[Section, list[Problem]]]:
    """Read a section; what can be read of it, and a problem for each thing that cannot."""
    made = Section()
    problems: list[Problem] = []
    if isinstance(section, dict):
        section, problems = unfold(section)
    for part in _parts(section):
        yield
        try:
            read = _READER.structure(part, Section)
        except (ValueError, BaseValidationError) as error:
            read = _what_can_be_read(part)
            problems += problems_of(error, "")
        made.routes.update(read.routes)
        made.clusters.update(read.clusters)
    return made, problems


def _parts(section: object) -> Iterator[object]:
    """Split a section into sections of a few routes or clusters each, and one of the rest."""
    if not isinstance(section, dict):
        yield section
        return
    large = {key: value for key, value in section.items() if isinstance(value, dict) and len(value) > _PART}
    yield {key: value for key, value in section.items() if key not in large}
    for key, members in large.items():
        pairs = iter(members.items())
        while part := dict(itertools.islice(pairs, _PART)):
            yield {key: part}


_PART: Final = 10
"""How many routes, or clusters, are read in one step."""


_lenient: ContextVar[bool] = ContextVar("lenient", default=False)
"""Whether to leave out what cannot be read, rather than to fail."""


def _what_can_be_read(section: object) -> Section:
    """Read a section that has mistakes, without the members that they are in."""
    reset = _lenient.set(True)
    try:
        return _READER.structure(section, Section)
    except (ValueError, BaseValidationError):
        return Section()
    finally:
        _lenient.reset(reset)


def _class_hook(cls: type) -> Callable[[Any, Any], Any]:
    """Structure an attrs class: sort out the keys, then let cattrs' own function do the rest."""
    keys = {attribute.name: key_of(cls, attribute.name) for attribute in attrs.fields(cls)}
    renamed = {name: override(rename=key, struct_hook=_READ.get((cls, name))) for name, key in keys.items()}
    generated: Callable[..., Any] = make_dict_structure_fn(cls, _READER, **renamed)  # type: ignore[arg-type]
    defaults = {key: value for key, value in (("Enabled", False), ("Id", "")) if key in keys.values()}
    accepted = {key.lower(): key for name, key in keys.items() if name != "id"}

    def structure(value: Any, _: Any) -> Any:
        known: dict[str, Any] = {}
        failures: list[Exception] = []
        order: dict[str, int] = {}
        for key, item in _members(cls, value, failures):
            label = accepted.get(key.lower(), key)
            if label in known or label not in accepted.values():
                failures.append(_refused(cls, label, accepted, guess=len(failures) < _MAX_GUESSES))
            elif item not in ABSENT:
                known[label] = item
            order.setdefault(label, len(order))
        made = None
        try:
            made = generated(defaults | known, cls)
        except ClassValidationError as error:
            failures.extend(error.exceptions)
            if _lenient.get():
                broken = {label_of(cls, failure) for failure in error.exceptions}
                kept = {key: item for key, item in known.items() if key not in broken}
                made = generated(defaults | kept, cls)  # which fails again when one of them is required
        if failures and not (_lenient.get() and made is not None):
            failures.sort(key=lambda failure: order.get(label_of(cls, failure), len(order)))
            raise ClassValidationError(cls.__name__, failures, cls)
        return made

    return structure


def _members(cls: type, value: object, failures: list[Exception]) -> Iterator[tuple[str, object]]:
    """List what an object says, and add what it says twice to `failures`; a route's `Match` is opened."""
    if not isinstance(value, dict):
        raise ValueError(f"{shown(value)} is not an object; write {{...}}")  # noqa: TRY004 - one kind for all
    value, twice = unfold(value)
    failures += [noted(ValueError(problem.message), problem.path) for problem in twice]
    for key, item in value.items():
        if cls is not Route or key.lower() != "match":
            yield key, item
        elif isinstance(item, dict):
            yield from ((f"Match:{inner}", part) for inner, part in item.items())
        elif item not in ABSENT:
            yield key, item


_MAX_GUESSES: Final = 100
"""For how many unknown keys of an object it is guessed what was meant."""


def _refused(cls: type, key: str, accepted: Mapping[str, str], *, guess: bool) -> Exception:
    """Say why a key is none of a class's, noted with where it stands."""
    within, _, name = key.rpartition(":")
    siblings = {known.rpartition(":")[2] for known in accepted.values() if known.rpartition(":")[0] == within}
    siblings |= {"Match"} if cls is Route and not within else set()
    close = difflib.get_close_matches(
        name[:100].lower() if guess else "", lower := {known.lower(): known for known in siblings}, n=1
    )
    if key in accepted.values():
        message = "appears more than once (keys are case-insensitive); keep one"
    elif cls is Route and key.lower() == "routeid":
        message = "a route is named by its key in Routes (the list format is gone); remove RouteId"
    elif cls is Route and key.lower() == "match":
        message = 'is not an object; write {"Path": "/..."}'
    elif cls is Route and f"match:{key.lower()}" in accepted:
        message = f'"{key}" belongs under Match; move it there'
    elif close:
        message = f'unknown key "{name}"; did you mean {lower[close[0]]}?'
    else:
        message = f'unknown key "{name}"; remove it, or use one of {", ".join(sorted(siblings))}'
    return noted(ValueError(message), key)


def _mapping_hook(kind: Any) -> Callable[[Any, Any], Any]:
    """Structure an object whose keys are the user's: ids, metadata."""
    element = get_args(kind)[1]
    spelling = {key.lower(): key for key in METADATA_KEYS} if element is str else {}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f'{shown(value)} is not an object; write {{"name": ...}}')  # noqa: TRY004
        items = ((spelling.get(key.lower(), key), item) for key, item in value.items() if item is not None)
        return _collect(items, element, kind)

    return structure


def _list_hook(kind: Any) -> Callable[[Any, Any], Any]:
    """Structure a list, which ASP.NET may have flattened into {"0": ..., "1": ...}."""
    element = get_args(kind)[0]
    if element is Destination:
        return _mapping_hook(dict[str, Destination])  # the cluster makes the ids of the keys

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, dict) and all(re.fullmatch(r"[0-9]{1,9}", key) for key in value):
            value = [item for _, item in sorted(value.items(), key=lambda pair: int(pair[0]))]
        if not isinstance(value, list | tuple):
            raise ValueError(f"{shown(value)} is not a list; write [...]")  # noqa: TRY004 - one kind for all
        return tuple(_collect(enumerate(value), element, kind).values())

    return structure


def _collect(items: Iterable[tuple[Any, Any]], element: Any, kind: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    failures: list[Exception] = []
    for key, item in items:
        try:
            made[key] = _READER.structure(item, element)
        except (ValueError, BaseValidationError) as failure:
            failures.append(noted(failure, key))
    if failures and not _lenient.get():
        raise IterableValidationError(str(kind), failures, kind)
    return made


# What an attribute's type does not say about how it is read.
_READ: Mapping[tuple[type, str], Callable[[Any, Any], Any]] = {(HttpRequest, "version"): read_version}


def _converter() -> Converter:
    made = Converter()
    made.register_structure_hook_factory(attrs.has, _class_hook)
    made.register_structure_hook_factory(_made_of(dict, Mapping), _mapping_hook)
    made.register_structure_hook_factory(_made_of(tuple), _list_hook)
    made.register_structure_hook(enum.Enum, read_choice)
    for kind, hook in ((str, read_text), (bool, read_boolean), (int, read_integer), (float, read_time)):
        made.register_structure_hook(kind, hook)
    return made


def _made_of(*origins: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) in origins


_READER = _converter()

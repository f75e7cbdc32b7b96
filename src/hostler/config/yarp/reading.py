"""Reading a section into the model, as .NET's binder does.

Keys and enums have no case, null and empty count as absent, and a list may be an object with the keys "0", "1", ...
What cannot be read is left out, and reported with its place; whatever is around it is read.
"""

from __future__ import annotations

import difflib
import enum
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args, get_origin

import attrs

from hostler.config.definitions import Definitions
from hostler.config.model import METADATA_KEYS, Cluster, Destination, HttpRequest, Route
from hostler.config.yarp.colons import unfold
from hostler.config.yarp.keys import keys_of
from hostler.config.yarp.scalars import (
    read_boolean,
    read_choice,
    read_integer,
    read_text,
    read_time,
    read_version,
    shown,
)
from hostler.errors import Problem, Severity

if TYPE_CHECKING:
    from hostler.config.httpsys import HttpSys
    from hostler.config.kestrel import Kestrel
    from hostler.config.trusted import TrustedSection
    from hostler.steps import Steps

__all__ = [
    "ABSENT",
    "Section",
    "read_definitions",
    "read_httpsys",
    "read_kestrel",
    "read_section",
    "read_server_sections",
    "read_trusted",
]

ABSENT: tuple[object, ...] = (None, [], {})
"""What counts as if it were not there."""

Faults: TypeAlias = list[tuple[str, str]]
"""What cannot be read: where that is, from here (`.Match.Path`, `[1].Name`), and why."""

Reader: TypeAlias = Callable[[Any, Faults], Any]
"""Reads a value as far as possible, and adds its faults; without the rest it is `_NOTHING`. Raises ValueError."""

_NOTHING: Final = object()


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
        faults: Faults = []
        read = _attempt(_reader(Section), part, "", faults)
        if read is not _NOTHING:
            made.routes.update(read.routes)
            made.clusters.update(read.clusters)
        problems += [Problem(place[1:] or "ReverseProxy", why) for place, why in faults]
    return made, problems


def read_definitions(section: object) -> tuple[Definitions, list[Problem]]:
    """Read the `Policies` section; what can be read of it, and a problem for each thing that cannot."""
    if section == {}:
        return Definitions(), []
    read, problems = _read_whole(Definitions, section, "Policies")
    return read or Definitions(), problems


def read_httpsys(section: object) -> tuple[HttpSys | None, list[Problem]]:
    """Read the `HttpSys` section, as `read_definitions` does; None for one that says nothing."""
    if section in ABSENT:
        return None, []
    from hostler.config.httpsys import HttpSys  # noqa: PLC0415 - for who has the section

    return _read_whole(HttpSys, section, "HttpSys")


def read_kestrel(section: object) -> tuple[Kestrel | None, list[Problem]]:
    """Read the `Kestrel` section, as `read_httpsys` does."""
    if section in ABSENT:
        return None, []
    from hostler.config.kestrel import Kestrel  # noqa: PLC0415 - for who has the section

    if not isinstance(section, dict):
        return _read_whole(Kestrel, section, "Kestrel")
    unread = [key for key in section if key.partition(":")[0].lower() in _UNREAD_BY_KESTREL]
    read, problems = _read_whole(
        Kestrel, {key: item for key, item in section.items() if key not in unread}, "Kestrel"
    )
    message = "is not read, as it is not by Kestrel unless a program binds it; ServerOptions has limits and timeouts"
    problems += [Problem(f"Kestrel.{key}", message, Severity.WARNING) for key in unread]
    return read, problems


_UNREAD_BY_KESTREL: Final = frozenset(
    {
        "limits",
        "addserverheader",
        "allowalternateschemes",
        "allowhostheaderoverride",
        "allowresponseheadercompression",
        "allowsynchronousio",
        "disablestringreuse",
    }
)
"""Options of Kestrel that ASP.NET Core does not read of the section (KestrelConfigurationLoader)."""


def read_trusted(section: object) -> tuple[TrustedSection | None, list[Problem]]:
    """Read the `TrustedProxies` section, as `read_httpsys` does."""
    if section in ABSENT:
        return None, []
    from hostler.config.trusted import TrustedSection  # noqa: PLC0415 - for who has the section

    return _read_whole(TrustedSection, section, "TrustedProxies")


def read_server_sections(parts: Mapping[str, object]) -> tuple[dict[str, Any], list[Problem]]:
    """Read the sections of the server, by their keys in lower case; returns them by the attributes of `Config`."""
    httpsys, problems = read_httpsys(parts.get("httpsys"))
    kestrel, unread = read_kestrel(parts.get("kestrel"))
    problems += unread
    trusted, unread = read_trusted(parts.get("trustedproxies"))
    made: dict[str, Any] = {"httpsys": httpsys, "kestrel": kestrel, "trusted_proxies": trusted}
    problems += unread
    if parts.keys() & {"httpsredirection", "hsts"}:
        from hostler.config.https import Hsts, HttpsRedirection  # noqa: PLC0415 - for who has one

        for name, kind in (("https_redirection", HttpsRedirection), ("hsts", Hsts)):
            if kind.__name__.lower() in parts:
                made[name], unread = _read_whole(kind, parts[kind.__name__.lower()], kind.__name__)
                problems += unread
    return made, problems


def _read_whole(kind: type, section: object, path: str) -> tuple[Any, list[Problem]]:
    """Read a section that is one object; None for one of which nothing can be read."""
    faults: Faults = []
    read = _attempt(_reader(kind), section, path, faults)
    return None if read is _NOTHING else read, [Problem(place, why) for place, why in faults]


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


def _attempt(read: Reader, value: object, step: str, faults: Faults) -> Any:
    """Read what is one step further in; returns `_NOTHING` when it cannot be read at all."""
    inner: Faults = []
    try:
        made = read(value, inner)
    except ValueError as error:
        made = _NOTHING
        inner.append(("", str(error)))
    if inner:
        faults += [(step + place, why) for place, why in inner]
    return made


@cache
def _reader(kind: Any) -> Reader:
    """Return what reads a kind of value."""
    origin = get_origin(kind)
    if origin is tuple:
        return _list_reader(get_args(kind)[0])
    if origin is not None:
        return _mapping_reader(get_args(kind)[1])
    if attrs.has(kind):
        return _class_reader(kind)
    if issubclass(kind, enum.Enum):
        return lambda value, _: read_choice(value, kind)
    return _scalar(_SCALARS[kind])


def _scalar(read: Callable[[Any], Any]) -> Reader:
    return lambda value, _: read(value)


_SCALARS: Mapping[type, Callable[[Any], Any]] = {
    str: read_text,
    bool: read_boolean,
    int: read_integer,
    float: read_time,  # a float of the model is always a time
}


def _class_reader(cls: type) -> Reader:
    """Read an object with the keys of a class."""
    keys = {key.label: key for key in keys_of(cls)}
    readers = {
        key.label: _read_names if key.is_flags else _READ.get((cls, key.name)) or _reader(key.kind)
        for key in keys.values()
    }
    required = [key.label for key in keys.values() if key.default is attrs.NOTHING]
    defaults = {name: value for name, value in (("enabled", False), ("id", "")) if hasattr(cls, name)}
    accepted = {label.lower(): label for label in keys}

    def read(value: Any, faults: Faults) -> Any:
        refused: list[tuple[str, str, str]] = []  # a label, where from there, and why
        broken: list[tuple[str, str, str]] = []
        order: dict[str, int] = {}
        said: set[str] = set()
        made = defaults.copy()
        for key, item in _members(cls, value, refused):
            label = accepted.get(key.lower(), key)
            order.setdefault(label, len(order))
            if label in said or label not in keys:
                refused.append((label, "", _refusal(cls, label, accepted, guess=len(refused) < _MAX_GUESSES)))
            elif item not in ABSENT:
                said.add(label)
                inner: Faults = []
                found = _attempt(readers[label], item, "", inner)
                if found is not _NOTHING:
                    made[keys[label].name] = found
                secret = keys[label].is_secret
                broken += [(label, place, _UNREPEATED if secret else why) for place, why in inner]
        missing = [(label, "", "is missing and required; add it") for label in required if label not in said]
        for label, place, why in sorted(
            [*refused, *broken, *missing], key=lambda fault: order.get(fault[0], len(order))
        ):
            faults.append((f".{label.replace(':', '.')}{place}", why))
        return cls(**made) if all(keys[label].name in made for label in required) else _NOTHING

    return read


def _members(cls: type, value: object, refused: list[tuple[str, str, str]]) -> Iterator[tuple[str, object]]:
    """List what an object says, and add what it says twice to `refused`; a route's `Match` is opened."""
    if not isinstance(value, dict):
        raise ValueError(f"{shown(value)} is not an object; write {{...}}")  # noqa: TRY004 - one kind for all
    value, twice = unfold(value)
    refused += [(problem.path, "", problem.message) for problem in twice]
    for key, item in value.items():
        if cls is not Route or key.lower() != "match":
            yield key, item
        elif isinstance(item, dict):
            yield from ((f"Match:{inner}", part) for inner, part in item.items())
        elif item not in ABSENT:
            yield key, item


_UNREPEATED: Final = (
    "cannot be read, and is not repeated, since it may be a secret; write it as the documentation has it"
)
_MAX_GUESSES: Final = 100
"""For how many unknown keys of an object it is guessed what was meant."""


def _refusal(cls: type, key: str, accepted: Mapping[str, str], *, guess: bool) -> str:
    """Say why a key is none of a class's."""
    within, _, name = key.rpartition(":")
    siblings = {known.rpartition(":")[2] for known in accepted.values() if known.rpartition(":")[0] == within}
    siblings |= {"Match"} if cls is Route and not within else set()
    close = difflib.get_close_matches(
        name[:100].lower() if guess else "", lower := {known.lower(): known for known in siblings}, n=1
    )
    if key in accepted.values():
        return "appears more than once (keys are case-insensitive); keep one"
    if cls is Route and key.lower() == "routeid":
        return "a route is named by its key in Routes (the list format is gone); remove RouteId"
    if cls is Route and key.lower() == "match":
        return 'is not an object; write {"Path": "/..."}'
    if cls is Route and f"match:{key.lower()}" in accepted:
        return f'"{key}" belongs under Match; move it there'
    if elsewhere := getattr(cls, "ELSEWHERE", {}).get(key.lower()):
        return f"is not said here; {elsewhere}"
    if close:
        return f'unknown key "{name}"; did you mean {lower[close[0]]}?'
    return f'unknown key "{name}"; remove it, or use one of {", ".join(sorted(siblings))}'


def _mapping_reader(element: Any) -> Reader:
    """Read an object whose keys are the user's: ids, metadata."""
    spelling = {key.lower(): key for key in METADATA_KEYS} if element is str else {}

    def read(value: Any, faults: Faults) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f'{shown(value)} is not an object; write {{"name": ...}}')  # noqa: TRY004
        items = (
            (spelling.get(key.lower(), key), f".{spelling.get(key.lower(), key)}", item)
            for key, item in value.items()
            if item is not None
        )
        return _collect(items, _reader(element), faults)

    return read


def _list_reader(element: Any) -> Reader:
    """Read a list, which ASP.NET may have flattened into {"0": ..., "1": ...}."""
    if element is Destination:
        return _mapping_reader(element)  # the cluster makes the ids of the keys

    def read(value: Any, faults: Faults) -> tuple[Any, ...]:
        if isinstance(value, dict) and all(re.fullmatch(r"[0-9]{1,9}", key) for key in value):
            members = sorted(value.items(), key=lambda pair: int(pair[0]))
        elif isinstance(value, list | tuple):
            members = [(str(index), item) for index, item in enumerate(value)]
        else:
            raise ValueError(f"{shown(value)} is not a list; write [...]")
        items = ((key, f"[{key}]", item) for key, item in members)
        return tuple(_collect(items, _reader(element), faults).values())

    return read


def _collect(items: Iterable[tuple[Any, str, object]], read: Reader, faults: Faults) -> dict[Any, Any]:
    """Read the members of an object or a list, given as key, step and value; without those that cannot be read."""
    made: dict[Any, Any] = {}
    for key, step, item in items:
        found = _attempt(read, item, step, faults)
        if found is not _NOTHING:
            made[key] = found
    return made


def _read_names(value: Any, faults: Faults) -> tuple[Any, ...]:
    """Read a list of names, or what .NET writes of flags: one text with commas."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    read: tuple[Any, ...] = _list_reader(str)(names, faults)
    return read


# What an attribute's type does not say about how it is read.
_READ: Mapping[tuple[type, str], Reader] = {
    (HttpRequest, "version"): _scalar(read_version),
    (Route, "transforms"): _list_reader(Mapping[str, str]),
}

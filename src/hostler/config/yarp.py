"""A YARP JSON document <-> the configuration model.

`load` has cattrs build the model's classes, with hooks that read scalars as .NET's binder does: keys
and enums in any case, numbers and booleans also in quotes, times as TimeSpans, null and empty as absent. Every
failure carries a note of where it happened, and all of them come out at once as one `ConfigError`, with paths
that start under the `ReverseProxy` section (`Routes.api.Match.Path`). `dump` writes what `load` reads.

What a document may not say although it can be read is `check`'s business.
"""

from __future__ import annotations

import difflib
import enum
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import attrs
from cattrs import BaseValidationError, ClassValidationError, Converter, IterableValidationError
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from hostler.config.jsonc import read_json
from hostler.config.model import (
    METADATA_KEYS,
    Cluster,
    Config,
    Destination,
    HttpRequest,
    Route,
    SessionAffinity,
)
from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    import os

__all__ = ["dump", "load", "load_file", "loads"]


@attrs.frozen
class _Section:
    """The `ReverseProxy` section."""

    routes: dict[str, Route] = attrs.Factory(dict)
    clusters: dict[str, Cluster] = attrs.Factory(dict)


def load_file(path: str | os.PathLike[str]) -> Config:
    """Read a YARP document from a file in UTF-8. Raises `ConfigError`, or `OSError` when it cannot be read."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 (byte {error.start}); save it as UTF-8"
        raise ConfigError([Problem("", message)]) from error
    return loads(text)


def loads(text: str) -> Config:
    """Read a YARP document from its text. Raises `ConfigError`."""
    document, repeated = read_json(text)
    return load(document, repeated)


def load(document: object, known: Iterable[Problem] = ()) -> Config:
    """Build the configuration that a parsed document says. Raises `ConfigError` with every problem in it.

    Sections that are not ours (Logging, AllowedHosts, Kestrel, ...) are left alone. `known` are problems of the
    document's text, to be raised with the others.
    """
    if not isinstance(document, dict):
        message = f'{_shown(document)} is not a YARP document; expected {{"ReverseProxy": {{...}}}}'
        raise ConfigError([Problem("", message)])
    parts = {key.lower(): value for key, value in document.items() if value not in _ABSENT}
    problems = [*known, *_misplaced(document, parts)]
    urls: tuple[str, ...] = ()
    try:
        urls = _urls(parts.get("urls", ""))
    except ValueError as error:
        problems.append(Problem("Urls", str(error)))
    section = parts.get("reverseproxy", {})
    try:
        read = _CONVERTER.structure(section, _Section)
    except (ValueError, BaseValidationError) as error:
        problems.extend(_problems(error, ""))
        read = _what_can_be_read(section)
    config = Config(
        tuple(attrs.evolve(route, id=key) for key, route in read.routes.items()),
        tuple(attrs.evolve(cluster, id=key) for key, cluster in read.clusters.items()),
        urls,
    )
    if problems:
        raise ConfigError(problems, config)
    return config


_lenient: ContextVar[bool] = ContextVar("lenient", default=False)
"""Whether to leave out what cannot be read, rather than to fail."""


def _what_can_be_read(section: object) -> _Section:
    """Read a section that has mistakes, without the members that they are in."""
    reset = _lenient.set(True)
    try:
        return _CONVERTER.structure(section, _Section)
    except (ValueError, BaseValidationError):
        return _Section()
    finally:
        _lenient.reset(reset)


def dump(config: Config) -> dict[str, Any]:
    """Write the document that loads to an equal configuration; what is YARP's default is left out.

    Ids must be unique. Times are written in TimeSpan's ticks of 100 nanoseconds.
    """
    section = {
        "Routes": {route.id: _CONVERTER.unstructure(route) for route in config.routes},
        "Clusters": {cluster.id: _CONVERTER.unstructure(cluster) for cluster in config.clusters},
    }
    urls = {"Urls": ";".join(config.urls)} if config.urls else {}
    return {**urls, "ReverseProxy": {key: value for key, value in section.items() if value}}


def _misplaced(document: Mapping[str, object], parts: Mapping[str, object]) -> Iterator[Problem]:
    for key in document:
        name = key.lower()
        close = difflib.get_close_matches(name, ("reverseproxy", "urls"), n=1, cutoff=0.8)
        if name in {"routes", "clusters"} and "reverseproxy" not in parts:
            yield Problem(key, f'{key} stands at the top; put it under "ReverseProxy"')
        elif close and close[0] != name:
            meant = {"reverseproxy": "ReverseProxy", "urls": "Urls"}[close[0]]
            yield Problem(key, f'"{key}" is not a section that hostler knows; did you mean {meant}?')


def _urls(value: object) -> tuple[str, ...]:
    if not isinstance(value, str):
        message = 'is not a string; write the URLs in one, as "http://a;http://b"'
        raise ValueError(f"{_shown(value)} {message}")  # noqa: TRY004 - one kind for all
    return tuple(url.strip() for url in value.split(";") if url.strip())


def _problems(error: Exception, path: str) -> Iterator[Problem]:
    """Flatten cattrs' groups into problems; a failure's own note says where in its group it stands."""
    if isinstance(error, BaseValidationError):
        for failure in error.exceptions:
            yield from _problems(failure, path + _step(error, failure))
    elif isinstance(error, KeyError):
        yield Problem(path[1:], "is missing and required; add it")
    else:
        yield Problem(path[1:] or "ReverseProxy", str(error))


def _step(group: BaseValidationError, failure: Exception) -> str:
    if isinstance(group, ClassValidationError):
        return "." + _label(group.cl, failure).replace(":", ".")
    index = _note(failure).index
    return f"[{index}]" if isinstance(index, int) else f".{index}"


def _label(cls: type, failure: Exception) -> str:
    note = _note(failure)
    return _key(cls, note.name) if isinstance(note, AttributeValidationNote) else str(note.index)


def _note(failure: Exception) -> Any:
    return failure.__notes__[0]


# A colon is .NET's way to write a key within a key: a route's `Match` object is read, and written, as such keys.
_MATCH = ("path", "hosts", "methods", "headers", "query_parameters")
_KEYS: Mapping[type, Mapping[str, str]] = {
    Route: {name: f"Match:{name.title().replace('_', '')}" for name in _MATCH},
    Cluster: {"balance": "LoadBalancingPolicy", "affinity": "SessionAffinity"},
    SessionAffinity: {"key_name": "AffinityKeyName"},
}


def _key(cls: type, name: str) -> str:
    """Name the document's key of an attribute."""
    return _KEYS.get(cls, {}).get(name) or name.title().replace("_", "")


def _class_hook(cls: type) -> Callable[[Any, Any], Any]:
    """Structure an attrs class: sort out the keys, then let cattrs' own function do the rest."""
    keys = {attribute.name: _key(cls, attribute.name) for attribute in attrs.fields(cls)}
    renamed = {name: override(rename=key, struct_hook=_READ.get((cls, name))) for name, key in keys.items()}
    generated: Callable[..., Any] = make_dict_structure_fn(cls, _CONVERTER, **renamed)  # type: ignore[arg-type]
    defaults = {key: value for key, value in (("Enabled", False), ("Id", "")) if key in keys.values()}
    accepted = {key.lower(): key for name, key in keys.items() if name != "id"}

    def structure(value: Any, _: Any) -> Any:
        known: dict[str, Any] = {}
        failures: list[Exception] = []
        order: dict[str, int] = {}
        for key, item in _members(cls, value):
            label = accepted.get(key.lower(), key)
            if label in known or label not in accepted.values():
                failures.append(_refused(cls, label, accepted))
            elif item not in _ABSENT:
                known[label] = item
            order.setdefault(label, len(order))
        made = None
        try:
            made = generated(defaults | known, cls)
        except ClassValidationError as error:
            failures.extend(error.exceptions)
            if _lenient.get():
                broken = {_label(cls, failure) for failure in error.exceptions}
                kept = {key: item for key, item in known.items() if key not in broken}
                made = generated(defaults | kept, cls)  # which fails again when one of them is required
        if failures and not (_lenient.get() and made is not None):
            failures.sort(key=lambda failure: order.get(_label(cls, failure), len(order)))
            raise ClassValidationError(cls.__name__, failures, cls)
        return made

    return structure


_ABSENT: tuple[object, ...] = (None, [], {})


def _members(cls: type, value: object) -> Iterator[tuple[str, object]]:
    """List what an object says; a route's `Match` is opened."""
    if not isinstance(value, dict):
        raise ValueError(f"{_shown(value)} is not an object; write {{...}}")  # noqa: TRY004 - one kind for all
    for key, item in value.items():
        if cls is not Route or key.lower() != "match":
            yield key, item
        elif isinstance(item, dict):
            yield from ((f"Match:{inner}", part) for inner, part in item.items())
        elif item not in _ABSENT:
            yield key, item


def _refused(cls: type, key: str, accepted: Mapping[str, str]) -> Exception:
    """Say why a key is none of a class's, noted with where it stands."""
    within, _, name = key.rpartition(":")
    siblings = {known.rpartition(":")[2] for known in accepted.values() if known.rpartition(":")[0] == within}
    siblings |= {"Match"} if cls is Route and not within else set()
    close = difflib.get_close_matches(
        name.lower(), lower := {known.lower(): known for known in siblings}, n=1
    )
    if key in accepted.values():
        message = "stands more than once (case does not matter); keep one"
    elif cls is Route and key.lower() == "routeid":
        message = "a route is named by its key in Routes (the list format is gone); remove RouteId"
    elif cls is Route and key.lower() == "match":
        message = 'is not an object; write {"Path": "/..."}'
    elif cls is Route and f"match:{key.lower()}" in accepted:
        message = f'"{key}" belongs under Match; move it there'
    elif close:
        message = f'"{name}" is not a key here; did you mean {lower[close[0]]}?'
    else:
        message = f'"{name}" is not a key here; remove it, or use one of {", ".join(sorted(siblings))}'
    return _noted(ValueError(message), key)


def _noted(failure: Exception, index: str | int) -> Exception:
    failure.add_note(IterableValidationNote("", index, object))
    return failure


def _unstructure_hook(cls: type) -> Callable[[Any], dict[str, Any]]:
    """Unstructure an attrs class without its defaults; `Enabled` is always said, since absent means off."""
    renamed = {
        name: override(rename=_key(cls, name), omit=name == "id", omit_if_default=name != "enabled")
        for name in attrs.fields_dict(cls)
    }
    generated: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(cls, _CONVERTER, **renamed)  # type: ignore[arg-type]

    def unstructure(value: Any) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, item in generated(value).items():
            within, _, name = key.rpartition(":")
            (written.setdefault(within, {}) if within else written)[name] = item
        return written

    return unstructure


def _mapping_hook(kind: Any) -> Callable[[Any, Any], Any]:
    """Structure an object whose keys are the user's: ids, metadata."""
    element = get_args(kind)[1]
    spelling = {key.lower(): key for key in METADATA_KEYS} if element is str else {}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f'{_shown(value)} is not an object; write {{"name": ...}}')  # noqa: TRY004
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
            raise ValueError(f"{_shown(value)} is not a list; write [...]")  # noqa: TRY004 - one kind for all
        return tuple(_collect(enumerate(value), element, kind).values())

    return structure


def _collect(items: Iterable[tuple[Any, Any]], element: Any, kind: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    failures: list[Exception] = []
    for key, item in items:
        try:
            made[key] = _CONVERTER.structure(item, element)
        except (ValueError, BaseValidationError) as failure:
            failures.append(_noted(failure, key))
    if failures and not _lenient.get():
        raise IterableValidationError(str(kind), failures, kind)
    return made


_TIME = re.compile(
    r"\s*(?P<sign>-)?(?:(?P<only_days>\d{1,8})|"
    r"(?:(?P<days>\d{1,8})(?:\.|:(?=\d+:\d+:\d)))?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?)?)\s*",
    re.ASCII,
)
_TICKS = 10_000_000
_VERSIONS = {"1": "1.0", "1.0": "1.0", "1.1": "1.1", "2": "2", "2.0": "2", "3": "3", "3.0": "3"}


def _text(value: Any, _: Any = None) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise ValueError(f'{_shown(value)} is not text; write "..."')


def _boolean(value: Any, _: Any) -> bool:
    made = {"true": True, "false": False}.get(str(value).strip().lower())
    if made is None:
        raise ValueError(f"{_shown(value)} is neither true nor false; write one of them")
    return made


def _integer(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", str(value)):
        raise ValueError(f"{_shown(value)} is not a whole number; write one without fraction and exponent")
    return int(value)


def _seconds(value: Any, _: Any) -> float:
    """Read a TimeSpan: `[-][d.]hh:mm[:ss[.fffffff]]`, or whole days."""
    found = None if isinstance(value, bool | float) else _TIME.fullmatch(str(value))
    part = (
        {key: int(digits or 0) for key, digits in found.groupdict("0").items() if key != "sign"}
        if found
        else {}
    )
    if not found or part["hours"] > 23 or part["minutes"] > 59 or part["seconds"] > 59:
        message = 'is not a time; write "hh:mm:ss", or "d.hh:mm:ss" from 24 hours on (a bare number is days)'
        raise ValueError(f"{_shown(value)} {message}")
    minutes = ((part["days"] + part["only_days"]) * 24 + part["hours"]) * 60 + part["minutes"]
    ticks = (minutes * 60 + part["seconds"]) * _TICKS + int((found["fraction"] or "0").ljust(7, "0"))
    return (-ticks if found["sign"] else ticks) / _TICKS


def _time_text(seconds: float) -> str:
    ticks = round(seconds * _TICKS)
    whole, fraction = divmod(abs(ticks), _TICKS)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{hour:02}:{minute:02}:{second:02}" + (f".{fraction:07}" if fraction else "")
    return ("-" if ticks < 0 else "") + (f"{days}." if days else "") + text


def _choice(value: Any, kind: type[enum.Enum]) -> enum.Enum:
    for member in kind:
        if str(member.value).lower() == str(value).strip().lower():
            return member
    raise ValueError(
        f"{_shown(value)} is none of {', '.join(str(member.value) for member in kind)}; write one of them"
    )


def _version(value: Any, _: Any) -> str:
    made = _VERSIONS.get(_text(value).strip())
    if made is None:
        raise ValueError(f"{_shown(value)} is not a version of HTTP; write one of 1.0, 1.1, 2, 3")
    return made


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


# What an attribute's type does not say about how it is read.
_READ: Mapping[tuple[type, str], Callable[[Any, Any], Any]] = {(HttpRequest, "version"): _version}


def _destinations(destinations: Iterable[Destination]) -> dict[str, Any]:
    return {destination.id: _CONVERTER.unstructure(destination) for destination in destinations}


def _converter() -> Converter:
    made = Converter()
    made.register_structure_hook_factory(attrs.has, _class_hook)
    made.register_structure_hook_factory(_made_of(dict, Mapping), _mapping_hook)
    made.register_structure_hook_factory(_made_of(tuple), _list_hook)
    made.register_structure_hook(enum.Enum, _choice)
    for kind, hook in ((str, _text), (bool, _boolean), (int, _integer), (float, _seconds)):
        made.register_structure_hook(kind, hook)
    made.register_unstructure_hook_factory(attrs.has, _unstructure_hook)
    made.register_unstructure_hook_func(lambda kind: kind == tuple[Destination, ...], _destinations)
    made.register_unstructure_hook(float, _time_text)  # a float of the model is always a time
    return made


def _made_of(*origins: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) in origins


_CONVERTER = _converter()

"""What documents and their layers come to, as one document to be shown to a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import attrs

from hostler.config.definitions import Definitions
from hostler.config.https import Hsts, HttpsRedirection
from hostler.config.httpsys import HttpSys
from hostler.config.kestrel import Kestrel
from hostler.config.layers import Layer, has_ids, merge
from hostler.config.places import Origin, Place, find_place
from hostler.config.trusted import TrustedSection
from hostler.config.yarp.colons import unfold
from hostler.config.yarp.keys import keys_of
from hostler.config.yarp.reading import Section
from hostler.errors import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hostler.config.yarp import Parsed

__all__ = ["write_effective"]

_SECTIONS: Final[Mapping[str, type]] = {
    "urls": str,
    "kestrel": Kestrel,
    "trustedproxies": TrustedSection,
    "httpsys": HttpSys,
    "httpsredirection": HttpsRedirection,
    "hsts": Hsts,
    "policies": Definitions,
    "reverseproxy": Section,
}
"""What is shown, in this order."""

_HIDDEN: Final = "***"
_SECRET_HEADERS: Final = ("authorization", "cookie", "key", "token", "secret")
"""Words in the name of a header whose value a transform may set, and which is nobody's business."""


def write_effective(documents: Iterable[Parsed], *, with_origins: bool = False) -> str:
    """Write the sections that hostler reads as JSON, all layers merged; what is secret is hidden.

    `with_origins` adds to each value, as a comment, the file and line or the variable that says it. What is wrong with
    the documents is not looked at; of what two documents say, the last prevails.
    """
    given = list(documents)
    opened = [_unfolded(parsed.value, ()) for parsed in given if isinstance(parsed.value, dict)]
    joined, _ = merge([Layer(Origin("", Place), value) for value in opened or [{}]])
    assert isinstance(joined, dict)
    found = {key.lower(): (key, value) for key, value in joined.items()}
    urls = [value for document in opened for key, value in document.items() if key.lower() == "urls"]
    if len(urls) > 1 and all(isinstance(value, str) for value in urls):
        found["urls"] = (found["urls"][0], ";".join(urls))
    shown = {
        found[name][0]: _without_secrets(found[name][1], kind)
        for name, kind in _SECTIONS.items()
        if name in found
    }
    places = {origin.name: origin.read_places() for parsed in given for origin in parsed.origins}
    return "\n".join(_lines(shown, lambda path: _comment(path, places) if with_origins else "")) + "\n"


def _unfolded(value: Any, path: tuple[str, ...]) -> Any:
    """Return a value without colons in its keys, all the way down."""
    if isinstance(value, list):
        return [_unfolded(item, (*path, str(index))) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    members = value if has_ids(path) else unfold(value)[0]
    return {key: _unfolded(item, (*path, key)) for key, item in members.items()}


# -- secrets ----------------------------------------------------------------------------------------------------------


def _without_secrets(value: Any, kind: Any) -> Any:
    """Hide what the model marks as secret, and users and passwords in addresses."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_without_secrets(item, _element_of(kind)) for item in value]
    if not isinstance(value, dict):
        return value
    if attrs.has(kind):
        return _object_without_secrets(value, kind)
    inner = _element_of(kind)
    return {key: _hide_header(key, _without_secrets(item, inner), value) for key, item in value.items()}


def _element_of(kind: Any) -> Any:
    """Return what a list or a mapping has in it."""
    found = get_args(kind) or (Any,)
    return found[0] if get_origin(kind) is tuple else found[-1]


def _object_without_secrets(value: Mapping[str, Any], kind: type) -> dict[str, Any]:
    keys = {key.label.lower(): key for key in keys_of(kind)}
    made: dict[str, Any] = {}
    for name, item in value.items():
        key = keys.get(name.lower())
        if key is not None and key.is_secret:
            made[name] = _hidden(item)
        else:
            made[name] = _without_secrets(item, Any if key is None else key.kind)
    return made


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value if value is None else _HIDDEN


def _hide_header(key: str, item: Any, transform: Mapping[str, Any]) -> Any:
    """Hide what a transform sets a header to, whose name says that it is secret."""
    if key.lower() not in {"set", "append"}:
        return item
    names = [
        str(name).lower()
        for where, name in transform.items()
        if where.lower().endswith(("header", "trailer"))
    ]
    return _HIDDEN if any(word in name for word in _SECRET_HEADERS for name in names) else item


# -- writing ----------------------------------------------------------------------------------------------------------


def _comment(path: str, places: dict[str, Place]) -> str:
    found = find_place(path, places)
    if found is None:
        return ""
    source, line = found
    return f"  // {source}" if line is None else f"  // {source}:{line}"


def _lines(
    value: Any, comment: Callable[[str], str], path: str = "", head: str = "", tail: str = ""
) -> Iterator[str]:
    """Write a value; `head` is what stands before it, `tail` behind it."""
    if not isinstance(value, dict | list) or not value:
        yield f"{head}{json.dumps(value, ensure_ascii=False)}{tail}{comment(path) if path else ''}"
        return
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    yield f"{head}{'{' if isinstance(value, dict) else '['}"
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for number, (key, item) in enumerate(members, 1):
        name = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(value, dict) else ""
        step = f"[{key}]" if str(key).isdecimal() else f".{key}"
        rest = "," if number < len(value) else ""
        yield from _lines(item, comment, f"{path}{step}".removeprefix("."), f"{indent}{name}", rest)
    yield f"{indent[2:]}{'}' if isinstance(value, dict) else ']'}{tail}"

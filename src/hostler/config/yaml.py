"""Documents in YAML: objects, lists and text; what else YAML can do is left out on purpose.

A plain scalar is the text that is written there, as a variable's value is, and only `null`, `~` and nothing at all are
null: no `no` becomes false, no `1:30:00` a number of seconds, no `007` a 7. Whoever reads the document makes numbers and
booleans of text, as .NET's binder does. Tags other than those of YAML's own types are refused. Aliases and `<<` are
read, up to a bound on what they repeat.

The parser's events are read rather than the nodes that PyYAML composes of them, which it does recursively.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from hostler.config.places import Place
from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_yaml", "read_yaml_places"]

_MAX_DEPTH: Final = 64
_MAX_REPEATED: Final = 100_000
"""How many values aliases may repeat."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TAG: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset(
    {None, "!", *(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))}
)


def read_yaml(text: str) -> tuple[object, list[Problem]]:
    """Read YAML; returns the document, and a problem for each key that appears more than once.

    Keys of one object must differ in more than case; of those that do not, the first counts. Raises `ConfigError` with
    the line and column of any other mistake.
    """
    reader = _Reader()
    reader.read(_events(text))
    return reader.document.value, reader.problems


def read_yaml_places(text: str) -> Place:
    """Read where the members of a document are that `read_yaml` has read."""
    reader = _Reader()
    reader.read(_events(text))
    return reader.document.place


@define(eq=False)
class _Node:
    """A value, whole or not yet, and how large it is with everything in it."""

    value: Any
    place: Place
    size: int = 1
    is_open: bool = False
    key: str | None = None
    """Of the member whose value comes next."""

    spelling: dict[str, str] = field(factory=dict)
    """Of an object's keys, by their lower case."""

    merged: list[_Node] = field(factory=list)
    """What `<<` names."""


class _Reader:
    """Makes a document of a parser's events."""

    def __init__(self) -> None:
        self.document = _Node(None, Place(1))
        self.problems: list[Problem] = []
        self._open: list[_Node] = []
        self._anchors: dict[str, _Node] = {}
        self._repeated = 0

    def read(self, events: Iterator[Any]) -> None:
        """Read a document; raises ConfigError."""
        for event in events:
            kind = type(event).__name__
            if kind == "AliasEvent":
                self._add(self._find(event), event)
            elif kind == "ScalarEvent":
                self._read_scalar(event)
            elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
                self._begin({} if kind.startswith("M") else [], event)
            elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
                self._end(event)
            elif kind == "DocumentStartEvent" and self.document.value is not None:
                raise _refusal(event, "a second document begins here; keep one in a file")

    def _read_scalar(self, event: Any) -> None:
        _check_tag(event)
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            parent.key = event.value
            parent.place.members.setdefault(_path_of(event.value), Place(event.start_mark.line + 1))
            return
        is_null = event.implicit[0] and event.tag is None and event.value in _NULLS
        node = _Node(None if is_null or event.tag == f"{_TAG}null" else event.value, _place(event))
        self._note_anchor(event, node)
        self._add(node, event)

    def _begin(self, value: object, event: Any) -> None:
        _check_tag(event)
        if len(self._open) >= _MAX_DEPTH:
            raise _refusal(
                event, f"nests deeper than {_MAX_DEPTH} levels; is it a document of routes and clusters?"
            )
        node = _Node(value, _place(event), is_open=True)
        node.place.is_list = isinstance(value, list)
        self._note_anchor(event, node)
        self._open.append(node)

    def _end(self, event: Any) -> None:
        node = self._open.pop()
        for merged in node.merged:
            self._merge(node, merged, event)
        node.is_open = False
        self._add(node, event)

    def _note_anchor(self, event: Any, node: _Node) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _find(self, event: Any) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise _refusal(event, f"there is no anchor &{event.anchor} before this alias")
        if node.is_open:
            raise _refusal(event, f"the alias *{event.anchor} is within what it stands for")
        self._repeat(node, event)
        return node

    def _repeat(self, node: _Node, event: Any) -> None:
        self._repeated += node.size
        if self._repeated > _MAX_REPEATED:
            raise _refusal(event, f"aliases repeat more than {_MAX_REPEATED:,} values; write them out")

    def _add(self, node: _Node, event: Any) -> None:
        """Put a value where it belongs."""
        if not self._open:
            self.document = node
            return
        parent = self._open[-1]
        parent.size += node.size
        if isinstance(parent.value, list):
            parent.place.members[f"[{len(parent.value)}]"] = node.place
            parent.value.append(node.value)
        elif parent.key is None:
            raise _refusal(event, "a key is an object, a list or an alias; write text")
        else:
            key, parent.key = parent.key, None
            self._add_member(parent, key, node, event)

    def _add_member(self, parent: _Node, key: str, node: _Node, event: Any) -> None:
        if key == "<<":
            parent.merged += self._named(node, event)
            return
        place = parent.place.members[_path_of(key)]
        if key.lower() in parent.spelling:
            path = ".".join([*(outer.key or "" for outer in self._open[:-1]), key]).removeprefix(
                "ReverseProxy."
            )
            message = f'"{key}" appears more than once in one object (keys are case-insensitive); keep one'
            self.problems.append(Problem(path, message, line=event.start_mark.line + 1))
            return
        parent.spelling[key.lower()] = key
        parent.value[key] = node.value
        place.members, place.is_list = node.place.members, node.place.is_list

    def _named(self, node: _Node, event: Any) -> list[_Node]:
        """Return the objects that `<<` names: one, or those of a list."""
        if isinstance(node.value, dict):
            return [node]
        if isinstance(node.value, list) and all(isinstance(item, dict) for item in node.value):
            members = node.place.members.values()
            return [
                _Node(item, place, spelling={key.lower(): key for key in item})
                for item, place in zip(node.value, members, strict=True)
            ]
        raise _refusal(event, "<< names no object; write *anchor")

    def _merge(self, node: _Node, merged: _Node, event: Any) -> None:
        """Take the members of an object that another does not say itself."""
        self._repeat(merged, event)
        for key, value in merged.value.items():
            if node.spelling.setdefault(key.lower(), key) not in node.value:
                node.value[key] = value
                node.place.members.setdefault(_path_of(key), merged.place.members[_path_of(key)])


def _path_of(key: str) -> str:
    return key.lower().replace(":", ".")


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1)


def _check_tag(event: Any) -> None:
    if event.tag not in _TAGS:
        raise _refusal(event, f"the tag {event.tag} is not read; remove it")


def _events(text: str) -> Iterator[Any]:
    try:
        import yaml  # noqa: PLC0415 - for whoever has a document in YAML
    except ImportError as error:
        message = 'a document in YAML needs PyYAML: pip install "hostler[yaml]"'
        raise ConfigError([Problem("", message)]) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or str(error)
        line, column = (None, "") if mark is None else (mark.line + 1, f"column {mark.column + 1}: ")
        raise ConfigError([Problem("", f"{column}not YAML: {why}", line=line)]) from error


def _refusal(event: Any, why: str) -> ConfigError:
    mark = event.start_mark
    return ConfigError([Problem("", f"column {mark.column + 1}: {why}", line=mark.line + 1)])

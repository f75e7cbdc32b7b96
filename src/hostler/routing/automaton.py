r"""An automaton that finds a pattern in a text, in time linear in the text's length.

Its positions are the places of the pattern that consume a character. A set of positions is an integer with a bit for
each, and all of them advance together, so that no text makes it try one way after another. What comes of a set after a
character is kept (a DFA that is built as texts ask for it): a character mostly costs one look-up in a dict.

Case is ignored as `RegexOptions.IgnoreCase | RegexOptions.CultureInvariant` do: characters are the same when their
simple lower-case mappings are, except that `i` and U+0130 are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Automaton", "Characters", "Node", "variants"]

_MAX_KEPT: Final = 5000
"""Transitions that an automaton keeps, and characters of which it knows which positions they satisfy."""

_END: Final = ""
_FINAL_NEWLINE: Final = "\n$"
"""Beside the characters, what a set of positions advances over: the end of the text, and a newline that ends it."""

_START, _WORD, _OTHER = range(3)
"""What stands before a place in the text."""


# -- what a position consumes -----------------------------------------------------------------------------------------


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


_CATEGORIES: Final[dict[str, Callable[[str], bool]]] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_NOT_DIGIT": lambda character: not character.isdecimal(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda character: not character.isspace(),
    "CATEGORY_WORD": _is_word,
    "CATEGORY_NOT_WORD": lambda character: not _is_word(character),
}

_OTHER_CAPITALS: Final = {
    "k": "\u212a",
    "\xe5": "\u212b",
    "\u03c9": "\u2126",
    "\u03b8": "\u03f4",
    "\xdf": "\u1e9e",
}
"""Characters whose lower case is that of another capital too, or that have a capital which `str.upper` does not give."""


def _lower(character: str) -> str:
    """Return a character's simple lower-case mapping; U+0130 has none in the invariant culture."""
    mapped = character.lower()
    return mapped if len(mapped) == 1 else character


def variants(character: str) -> frozenset[str]:
    """Return a character and all that differ from it by case only."""
    low = _lower(character)
    known = (character, low, low.upper(), low.title(), _OTHER_CAPITALS.get(low, low))
    return frozenset(other for other in known if len(other) == 1 and _lower(other) == low)


@frozen
class Characters:
    """A set of characters."""

    ranges: tuple[tuple[int, int], ...]
    categories: tuple[str, ...] = ()
    negated: bool = False
    ignores_case: bool = False

    def __contains__(self, character: str) -> bool:
        return self._lists(character) != self.negated

    def _lists(self, character: str) -> bool:
        if any(_CATEGORIES[name](character) for name in self.categories):
            return True
        known = map(ord, variants(character) if self.ignores_case else character)
        return any(low <= code <= high for code in known for low, high in self.ranges)


# -- sets of positions ----------------------------------------------------------------------------------------------------


@define(eq=False)
class Node:
    """A place between two things in a pattern: what can be done there without consuming anything."""

    onward: list[int] = field(factory=list)
    """The nodes that can be gone to."""

    condition: str | None = None
    """What must hold to go there: the name of an `AT` code."""

    position: int | None = None
    """The position that consumes a character here."""


class _State(dict[str, "_State"]):
    """A set of positions that have just consumed a character, and what comes of it after the next one."""

    __slots__ = ("automaton", "before", "positions")

    def __init__(self, automaton: Automaton | None, positions: int, before: int) -> None:
        super().__init__()
        self.automaton = automaton
        self.positions = positions
        self.before = before

    def __missing__(self, symbol: str) -> _State:
        return self if self.automaton is None else self.automaton.advance(self, symbol)


class _Context:
    """What each position reaches without consuming anything, between one kind of character and another.

    `before` is what stands before, `kind` what comes next.
    """

    def __init__(self, nodes: list[Node], after: list[int], before: int, kind: str) -> None:
        reached = _reach(nodes, before, kind)
        self._by_bit = [reached[node] for node in after]
        self._by_byte: dict[tuple[int, int], int] = {}
        self._size = len(after) // 8 + 1

    def reach(self, positions: int) -> int:
        """Return what a set of positions reaches: eight at a time, from what is kept."""
        reached = 0
        known = self._by_byte
        for key in enumerate(positions.to_bytes(self._size, "little")):
            if key[1]:
                found = known.get(key)
                if found is None:
                    found = known[key] = self._reach_byte(*key)
                reached |= found
        return reached

    def _reach_byte(self, index: int, byte: int) -> int:
        reached = 0
        for bit, found in enumerate(self._by_bit[index * 8 : index * 8 + 8]):
            if byte >> bit & 1:
                reached |= found
        return reached


def _reach(nodes: list[Node], before: int, kind: str) -> list[int]:
    """Return the bits of what each node reaches.

    Nodes are made from the end of the pattern to its beginning, so that only loops lead to a higher number, and one
    pass for each loop inside another finds everything.
    """
    reached = [0] * len(nodes)
    reached[0] = 2
    changed = True
    while changed:
        changed = False
        for number, node in enumerate(nodes):
            if node.position is not None:
                found = 4 << node.position
            elif node.condition is None or _holds(node.condition, before, kind):
                found = reached[number]
                for other in node.onward:
                    found |= reached[other]
            else:
                continue
            if found != reached[number]:
                reached[number] = found
                changed = True
    return reached


class Automaton:
    """Advances sets of positions.

    Bit 0 stands for the place where a search begins, which is in every set; bit 1 for having matched; the others for
    the positions. `nodes` begin with the pattern's end; `positions` are what each consumes and the node after it;
    `first` is the node that the pattern begins with.
    """

    def __init__(self, nodes: list[Node], positions: list[tuple[Characters, int]], first: int) -> None:
        self._nodes = nodes
        self._after = [first, 0, *(node for _, node in positions)]
        self._consumed: dict[Characters, int] = {}
        for bit, (characters, _) in enumerate(positions, 2):
            self._consumed[characters] = self._consumed.get(characters, 0) | 1 << bit
        self._minds_words = any(node.condition in _WORD_CONDITIONS for node in nodes)
        self._contexts: dict[tuple[int, str], _Context] = {}
        self._satisfied: dict[str, int] = {}
        self._states: dict[tuple[int, int], _State] = {}
        self._kept = 0
        self._matched = _State(None, 0, _OTHER)
        self._start = _State(self, 1, _START)

    def finds(self, text: str) -> bool:
        """Tell whether the pattern is found anywhere in a text."""
        state = self._start
        if text[-1:] == "\n":
            for character in text[:-1]:
                state = state[character]
            state = state[_FINAL_NEWLINE]
        else:
            for character in text:
                state = state[character]
        return state[_END] is self._matched

    def advance(self, state: _State, symbol: str) -> _State:
        """Return the state after one more character, or after the end, and keep it."""
        if self._kept == _MAX_KEPT:
            self._forget()
        reached = self._context(state.before, symbol).reach(state.positions)
        following = self._matched
        if not reached & 2:
            following = self._state(reached & self._satisfy(symbol[:1]) | 1, symbol)
        self._kept += 1
        state[symbol] = following
        return following

    def _forget(self) -> None:
        for state in (self._start, *self._states.values()):
            state.clear()
        self._states.clear()
        self._satisfied.clear()
        self._kept = 0

    def _state(self, positions: int, symbol: str) -> _State:
        before = _WORD if self._minds_words and _is_word(symbol[:1]) else _OTHER
        key = (positions, before)
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = _State(self, positions, before)
        return found

    def _context(self, before: int, symbol: str) -> _Context:
        kind = symbol
        if symbol not in {_END, _FINAL_NEWLINE}:
            kind = "w" if self._minds_words and _is_word(symbol) else " "
        found = self._contexts.get((before, kind))
        if found is None:
            found = self._contexts[before, kind] = _Context(self._nodes, self._after, before, kind)
        return found

    def _satisfy(self, character: str) -> int:
        """Return the positions that consume a character; none consumes the end."""
        found = self._satisfied.get(character)
        if found is None:
            found = 0
            for characters, bits in self._consumed.items():
                if character and character in characters:
                    found |= bits
            self._satisfied[character] = found
        return found


_WORD_CONDITIONS: Final = frozenset({"AT_BOUNDARY", "AT_NON_BOUNDARY"})


def _holds(condition: str, before: int, kind: str) -> bool:
    """Tell whether a condition holds between what stands before and what comes next."""
    match condition:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return before == _START
        case "AT_END":
            return kind in {_END, _FINAL_NEWLINE}
        case "AT_END_STRING":
            return kind == _END
        case "AT_BOUNDARY":
            return (before == _WORD) != (kind == "w")
        case _:
            return (before == _WORD) == (kind == "w")

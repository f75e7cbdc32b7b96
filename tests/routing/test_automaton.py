"""Case, as .NET's invariant culture ignores it."""

from __future__ import annotations

import sys
from collections import defaultdict

import pytest

from hostler.routing.automaton import variants
from hostler.routing.expression import Expression


def test_characters_are_the_same_when_their_simple_lower_case_is():
    same = defaultdict(set)
    for character in map(chr, range(sys.maxunicode + 1)):
        lowered = character.lower()
        if len(lowered) == 1 and (character.upper() != character or lowered != character):
            same[lowered] |= {character, lowered}
    for characters in same.values():
        for character in characters:
            assert variants(character) == characters


@pytest.mark.parametrize(
    ("pattern", "same", "others"),
    [
        ("^k$", "kK\u212a", ""),
        ("^i$", "iI", "\u0130\u0131"),
        ("^\u0130$", "\u0130", "iI"),
        ("^s$", "sS", "\u017f"),
        ("^\xdf$", "\xdf\u1e9e", "sS"),
        ("^\u03c3$", "\u03c3\u03a3", "\u03c2"),
        ("^[j-l]$", "kK\u212a", "i"),
        ("^[^k]$", "i", "kK\u212a"),
        ("^[^\u212a]$", "i", "kK\u212a"),
        ("^(?-i:[^k])$", "K\u212a", "k"),
        ("^\u01c5$", "\u01c4\u01c5\u01c6", "d"),
    ],
)
def test_case(pattern, same, others):
    expression = Expression(pattern)
    assert "".join(filter(expression.search, same + others)) == same

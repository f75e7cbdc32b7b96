"""Regular expressions: the same answers as re's, in a time that no text can stretch."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hostler.routing.expression import MAX_LENGTH, MAX_NODES, Expression

LONG = 8000


def found(pattern, text):
    return Expression(pattern).search(text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"^v\d+$", ["v1", "V123"], ["v", "xv1", "v1x", ""]),
        (r"^[a-z0-9-]{3,5}$", ["abc", "A-9", "abcde"], ["ab", "abcdef", "a_c"]),
        (r"^(jpe?g|png|)$", ["jpg", "JPEG", "png", ""], ["jpgg", "gif"]),
        (r"b", ["abc", "B"], ["ac"]),
        (r"", ["", "a"], []),
        (r"^[^/x]*$", ["", "abc"], ["a/b", "aXb"]),
        (r"\bcat\b", ["a cat", "cat", "the-CAT-sat"], ["cats", "concat"]),
        (r"\Bcat", ["concat"], ["cat", "a cat"]),
        (r"^a.c$", ["abc", "a\u2028c"], ["a\nc"]),
        (r"(?s)^a.c$", ["a\nc"], []),
        (r"(?x) ^ a  b $ # two letters", ["ab"], ["a b"]),
        (r"(?-i:^a)b", ["ab", "aB"], ["Ab"]),
        (r"^a$", ["a", "a\n"], ["a\n\n", "\na"]),
        (r"^a\Z", ["a"], ["a\n"]),
        (r"^\w+\s\W\D\S$", ["ab c x"[:2] + " -xy"], ["ab -1y"]),
        (r"^(?:(?:a*)*)*$", ["", "aaa"], ["aab"]),
        (r"^(a{2}){2,3}?$", ["aaaa", "aaaaaa"], ["aa", "aaaaa", "aaaaaaaa"]),
        (r"(?P<year>\d{4})-(?P<month>\d\d)", ["on 2024-01-31"], ["2024-1"]),
        (r"x{0}y", ["y"], ["x"]),
        (r"^(){3}a(?:){2,}$", ["a"], ["aa"]),
    ],
)  # fmt: skip
def test_what_a_pattern_finds(pattern, yes, no):
    assert [text for text in yes if not found(pattern, text)] == []
    assert [text for text in no if found(pattern, text)] == []


ATOMS = st.sampled_from(
    ["a", "b", "C", "-", ".", r"\d", r"\w", r"\W", r"\s", r"\S", "[ab]", "[^a]", "[a-c1]", r"[^\w-]", r"[\dB]", "^", "$", r"\Z",
     r"\A", r"\b", r"\B", "(?-i:a)", "(?s:.)", "\n"]
)  # fmt: skip
REPEATS = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{2,}", "{,2}", "*?", "+?", "??", "{0,3}?"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: "(?:" + "|".join(items) + ")"),
        st.tuples(inner, REPEATS).map(lambda pair: f"({pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.lists(st.text("abcABC1-_ \n/", min_size=1, max_size=8), min_size=1, max_size=4))
@example(r"(a|b)*a(a|b){2}$", ["abab", "abbb", "aab\n"])
@example(r"(\b)*a", ["-a"])
@example(r"(^|b)+a$", ["cba", "a\n"])
def test_every_answer_is_that_of_re(pattern, texts):
    expression = Expression(pattern)
    for text in texts:
        assert expression.search(text) == (re.search(pattern, text, re.IGNORECASE) is not None), text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^(a+)+$", "a" * LONG + "!"),
        (r"^(a|a)*$", "a" * LONG + "!"),
        (r"^(a|aa)+$", "a" * LONG + "!"),
        (r"a*a*a*a*b", "a" * LONG),
        (r"(.*)*x$", "ab" * (LONG // 2)),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a1" * (LONG // 2)),
        (r"(a|b)*a(a|b){60}c", "".join("ab"[number * number % 7 % 2] for number in range(LONG))),
        (r"^(a?){300}a{300}$", "a" * LONG),
        (r"(?:\w{1,400}-)+$", "".join(chr(0x4E00 + number % 900) for number in range(LONG))),
        ("(" * 100 + "a" + "*)" * 100 + "b", "a" * LONG),
    ],
)
def test_no_text_keeps_it_busy(pattern, text):
    expression = Expression(pattern)
    before = time.process_time()
    assert not expression.search(text)
    assert time.process_time() - before < 1


def test_what_it_keeps_has_a_limit():
    expression = Expression(r"(a|b)*a(a|b){14}c|[^a]\b\w")
    for start in range(0, 0xD000, 0x100):
        text = "".join(chr(code) for code in range(start, start + 0x100)) + f"{start:016b}".translate(
            {48: 97, 49: 98}
        )
        expression.search(text)
    automaton = expression._automaton
    assert sum(map(len, (automaton._start, *automaton._states.values()))) <= 5000
    assert len(automaton._satisfied) <= 5000


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(a)\1", "a back-reference, which no matcher bounds in time; write it without, or look at the value in a stage"),
        (r"(a)?(?(1)b|c)", "a condition on a group"),
        (r"(?>a+)b", "an atomic group"),
        (r"a++b", "a possessive repeat"),
        (r"(?=a)", "look-around"),
        (r"a(?<!b)", "look-around"),
        (r"(?!)", "look-around"),
        (r"a{99999999999}", "the repetition number is too large"),
        (r"a{9999999}", f"more than {MAX_NODES} states with its repeats written out, use smaller repeats"),
        (r"((a{40}){40}){40}", f"more than {MAX_NODES} states"),
        (r"(?:^){999999999}", f"more than {MAX_NODES} states"),
        ("(" * 3000 + ")" * 3000, f"it has 6000 characters, at most {MAX_LENGTH} are allowed"),
        ("(" * 490 + ")" * 490, "its groups nest too deeply, write it with fewer"),
        (r"(?m)^a", "use the flags i, s and x only"),
        (r"(?a:\w)", "use the flags i, s and x only"),
        (r"*", "nothing to repeat at position 0"),
        (r"[b-a]", "bad character range b-a"),
    ],
)  # fmt: skip
def test_what_is_refused(pattern, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Expression(pattern)


def test_a_repeat_of_nothing_ends():
    assert found("(?:(?:){999999999}){999999999}a", "a")
    assert found("(?:){5,}", "")

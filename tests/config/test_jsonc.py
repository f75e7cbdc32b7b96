"""JSON with comments, trailing commas and repeated keys."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.config.jsonc import read_json
from hostler.errors import ConfigError


def refused_text(text):
    try:
        _, problems = read_json(text)
    except ConfigError as error:
        problems = error.problems
    assert problems
    return [str(problem) for problem in problems]


class TestJson:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ('\ufeff{"a": 1}', {"a": 1}),
            ("// first\n[1, // one\n 2 /* two */, /* three\n */ ]", [1, 2]),
            ('{"a": [1, 2,], "b": {"c": 3 , } , }', {"a": [1, 2], "b": {"c": 3}}),
            ('"http://a/*b*/,]"', "http://a/*b*/,]"),
            (r'["\"// ,]", "\\", "/*"]', ['"// ,]', "\\", "/*"]),
            ("[/**/1/***/]//", [1]),
        ],
    )
    def test_what_is_read(self, text, value):
        assert read_json(text) == (value, [])

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("", "line 1: column 1"),
            ("[1, 2", "line 1: column 6"),
            ('{\n  "a": 1\n  "b": 2\n}', "line 3: column 3"),
            ("/* one\ntwo */ [1 // three\n x]", "line 3: column 2"),
            ("\ufeffx", "line 1: column 1"),
            ("[1]\n  /* never", "line 2: column 3"),
            ("[,]", "line 1: column 2"),
            ("{,}", "line 1: column 2"),
            ('"abc // def', "line 1: column 1"),
            ("[1 /x]", "line 1: column 4"),
        ],
    )
    def test_a_mistake_is_placed(self, text, where):
        [message] = refused_text(text)
        assert message.startswith(f"{where}: not JSON: ")

    @pytest.mark.parametrize("text", ["[1,,]", "[1,/**/,]", '{"a":,}', '{"a":1,,}', ",]"])
    def test_a_trailing_comma_follows_a_value(self, text):
        assert "not JSON" in refused_text(text)[0]

    @pytest.mark.parametrize(
        ("text", "why"),
        [("[NaN]", "NaN is not JSON"), ("[" * 100_000, ""), ("9" * 5000, "limit")],
    )
    def test_what_python_would_read_or_choke_on(self, text, why):
        [message] = refused_text(text)
        assert message.startswith("the document is not JSON that can be read: ")
        assert why in message

    def test_repeated_keys_are_named_with_their_place(self):
        text = '{"ReverseProxy": {"Routes": {"a": {"x": 1, "X": 2}}}, "l": [{"k": 1, "k": {"z": 1, "z": 2}}], "L": 1}'
        ending = "appears more than once in one object (keys are case-insensitive); keep one"
        assert refused_text(text) == [
            f'Routes.a.X: "X" {ending}',
            f'l[0].k: "k" {ending}',
            f'L: "L" {ending}',
        ]

    def test_a_deep_document_is_no_trap(self):
        depth = 500
        assert refused_text('{"a": 1, "A": 2, "b": ' + "[" * depth + "]" * depth + "}")[0].startswith("A: ")

    @pytest.mark.parametrize("piece", ['"\\"', "/*", ",", ", ", "[", '"', "//"])
    def test_reading_takes_time_in_proportion(self, piece):
        refused_text(piece * 100_000)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text('a"\\/*,[]{}: \n')
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('b"\\/*,]}'), inner),
)
SPACE = st.sampled_from(["", " ", "\n", "// }],\n", '/* " ] , // */', "/*\n*/\r\n"])


@st.composite
def decorated(draw, value):
    """Write a value as JSON with comments and trailing commas wherever they may stand."""
    if isinstance(value, list | dict):
        opening, closing = "[]" if isinstance(value, list) else "{}"
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        items = [
            ("" if key is None else json.dumps(key) + draw(SPACE) + ":") + draw(decorated(item))
            for key, item in pairs
        ]
        last = draw(st.sampled_from(["", ","])) + draw(SPACE) if items else ""
        text = opening + draw(SPACE) + ",".join(items) + last + closing
    else:
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return draw(SPACE) + text + draw(SPACE)


@given(st.data(), JSON)
def test_comments_and_trailing_commas_never_change_the_meaning(data, value):
    assert read_json(data.draw(decorated(value))) == (value, [])


@given(st.text('"\\/*,[]{}:1\n '))
def test_any_text_is_json_or_a_configuration_error(text):
    try:
        plain = json.loads(text)
    except ValueError:
        plain = None
    try:
        value, repeated = read_json(text)
    except ConfigError:
        assert plain is None
    else:
        assert plain is None or repeated or value == plain

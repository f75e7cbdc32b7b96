"""Lists in header values, and the fields of one connection only."""

import re

import pytest

from hostler.http.fields import (
    HOP_BY_HOP,
    TEXT,
    TEXT_PATTERN,
    TOKEN,
    TOKEN_PATTERN,
    connection_options,
    has_token,
)


class TestCharacters:
    @pytest.mark.parametrize(("characters", "pattern"), [(TOKEN, TOKEN_PATTERN), (TEXT, TEXT_PATTERN)])
    def test_a_pattern_matches_the_same(self, characters, pattern):
        assert set(re.findall(pattern, bytes(range(256)))) == {bytes([byte]) for byte in characters}

    def test_of_a_token_are_neither_separators_nor_blanks_nor_controls(self):
        assert set(range(0x21, 0x7F)) - set(TOKEN) == set(b'"(),/:;<=>?@[\\]{}')

    def test_of_a_value_are_all_but_controls(self):
        assert set(range(256)) - set(TEXT) == {*range(0x20), 0x7F} - {0x09}


class TestTokens:
    @pytest.mark.parametrize(
        "value",
        [b"chunked", b"CHUNKED", b"gzip, chunked", b"gzip,chunked,x", b" chunked ", b"a,\tChunked"],
    )
    def test_a_token_is_found_without_case_between_commas(self, value):
        assert has_token(value, b"chunked")

    @pytest.mark.parametrize("value", [b"", b"chunkedx", b"x-chunked", b"chunked x", b"chun, ked"])
    def test_part_of_a_word_is_not_the_token(self, value):
        assert not has_token(value, b"chunked")

    def test_options_are_lower_case_and_without_blanks_or_empty_ones(self):
        assert connection_options(b"Close , X-One,, upgrade") == {b"close", b"x-one", b"upgrade"}

    def test_an_empty_connection_header_has_no_options(self):
        assert connection_options(b"") == frozenset()

    def test_hop_by_hop_names_are_lower_case(self):
        assert {name.lower() for name in HOP_BY_HOP} == HOP_BY_HOP

"""Lists in header values, and the fields of one connection only."""

import pytest

from hostler.http.fields import HOP_BY_HOP, connection_options, has_token


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

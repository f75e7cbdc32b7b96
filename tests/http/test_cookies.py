from __future__ import annotations

import pytest

from hostler.http.cookies import cookie_values


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ([], []),
        ([b"a=1"], [b"1"]),
        ([b" b=2 ;  a = 1 ; c"], [b"1"]),
        ([b"a=1; a=2", b"b=3", b"a=4"], [b"1", b"2", b"4"]),
        ([b"a="], [b""]),
        ([b"a=b=c"], [b"b=c"]),
        ([b"A=1; aa=2; a"], []),
        ([b'b="a=1"'], []),
    ],
)
def test_the_values_of_a_cookie(lines, values):
    assert cookie_values(lines, b"a") == values

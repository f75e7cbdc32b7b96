from __future__ import annotations

import pytest

from hostler.http.cookies import cookie_values


@pytest.mark.parametrize(
    ("headers", "values"),
    [
        ([], []),
        ([(b"Cookie", b"a=1")], [b"1"]),
        ([(b"COOKIE", b" b=2 ;  a = 1 ; c")], [b"1"]),
        ([(b"Cookie", b"a=1; a=2"), (b"Accept", b"a=3"), (b"cookie", b"a=4")], [b"1", b"2", b"4"]),
        ([(b"Cookie", b"a=")], [b""]),
        ([(b"Cookie", b"a=b=c")], [b"b=c"]),
        ([(b"Cookie", b"A=1; aa=2; a")], []),
        ([(b"Cookie", b'b="a=1"')], []),
        ([(b"Cookie2", b"a=1"), (b"Kookie", b"a=1")], []),
    ],
)
def test_the_values_of_a_cookie(headers, values):
    assert cookie_values(headers, b"a") == values

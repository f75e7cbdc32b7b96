"""Times as HTTP writes them."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.http.date import http_date


@pytest.mark.parametrize(
    ("seconds", "date"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),  # RFC 9110's own
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1.999, "Thu, 01 Jan 1970 00:00:01 GMT"),
    ],
)
def test_a_date(seconds, date):
    assert http_date(seconds) == date


@given(st.integers(0, 253402300799))
def test_any_date_is_as_the_standard_library_writes_it(seconds):
    assert http_date(seconds) == formatdate(seconds, usegmt=True)

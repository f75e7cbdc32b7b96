"""When it is said that a certificate ends."""

import logging

import pytest

from hostler.server.usermode.tls.examination import Examined
from hostler.server.usermode.tls.expiry import Expiry

DAY = 86400


def said(days, lifetime=90, step=0.5):
    """Return on which days before the end something was said, looking every half a day; and what at last."""
    end = 1_000 * DAY
    examined = Examined("a.pem", end - lifetime * DAY, end, ("a.test",))
    expiry, found = Expiry(), []
    left = days
    while left >= -3:
        line = expiry.due(examined, end - left * DAY)
        if line is not None:
            found.append((left, line[0]))
        left -= step
    return found


@pytest.mark.parametrize(
    ("days", "lifetime", "expected"),
    [
        (40, 90, [30, 7, 1, 0, -0.5, -1.5, -2.5]),
        (20, 90, [20, 7, 1, 0, -0.5, -1.5, -2.5]),
        (5, 90, [5, 1, 0, -0.5, -1.5, -2.5]),
        (6, 6, [1, 0, -0.5, -1.5, -2.5]),
        (1, 1, [0, -0.5, -1.5, -2.5]),
    ],
)
def test_once_each_and_then_every_day(days, lifetime, expected):
    found = said(days, lifetime)
    assert [left for left, _ in found] == expected
    assert all(level == (logging.WARNING if left > 0 else logging.ERROR) for left, level in found)


def test_the_line_says_which_file_and_when():
    examined = Examined("a.pem", 0, 100 * DAY, ())
    _level, text = Expiry().due(examined, 93 * DAY)
    assert text == "a.pem: it ends in 7 days, on 1970-04-11 00:00 UTC; renew it"
    _, text = Expiry().due(examined, 99.5 * DAY)
    assert text == "a.pem: it ends within a day, on 1970-04-11 00:00 UTC; renew it"
    _, text = Expiry().due(examined, 101 * DAY)
    assert text == "a.pem: it ended on 1970-04-11 00:00 UTC, and clients do not accept it; renew it"

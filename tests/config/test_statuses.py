from __future__ import annotations

import re

import pytest

from hostler.config.statuses import parse_statuses


def test_numbers_and_classes():
    assert parse_statuses([]) == frozenset()
    assert parse_statuses(["429", "503", "503"]) == {429, 503}
    assert parse_statuses(["5xx", "404"]) == {404, *range(500, 600)}
    assert parse_statuses(["2XX"]) == set(range(200, 300))


@pytest.mark.parametrize(
    "text", ["", "5", "50", "5000", "5x", "5x3", "5xX", "1xx", "100", "600", "-503", "٥٠٣", "500-504", " 503"]
)
def test_what_is_no_status(text):
    with pytest.raises(
        ValueError, match=re.escape(f'"{text}" is no final status; write a number such as "503", or "5xx"')
    ):
        parse_statuses([text])

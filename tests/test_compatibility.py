"""The page of YARP's keys, held against the model that documents are read into."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_origin

import attrs
import pytest

from hostler.config.model import Cluster, Destination, Route
from hostler.config.yarp.keys import keys_of

PAGE = (Path(__file__).parents[1] / "docs" / "yarp-compatibility.md").read_text()


def keys(cls, prefix=""):
    """Yield every key that a class of the model is read from, in dots."""
    for key in keys_of(cls):
        name = prefix + key.label.replace(":", ".")
        kind = key.kind
        if get_origin(kind) is tuple and get_args(kind)[0] is Destination:
            yield from keys(Destination, f"{name}.*.")
        elif attrs.has(kind):
            yield from keys(kind, f"{name}.")
        else:
            yield name


def rows(section):
    """Yield the keys of a section's table with what is said of each; `A.B`, `C` is `A.B` and `A.C`."""
    table = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for names, said in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE):
        within = ""
        for name in re.findall(r"`([^`]+)`", names):
            full = name if "." in name or not within else f"{within}.{name}"
            within = full.rpartition(".")[0]
            yield full, said


def stands_for(row, key):
    return row == key or (row.endswith(".*") and key.startswith(row[:-1]))


SECTIONS = pytest.mark.parametrize(("section", "cls"), [("Routes", Route), ("Clusters", Cluster)])


@SECTIONS
def test_every_key_of_the_model_is_on_the_page(section, cls):
    listed = [row for row, _ in rows(section)]
    missing = [key for key in keys(cls) if not any(stands_for(row, key) for row in listed)]
    assert missing == []


@SECTIONS
def test_every_key_on_the_page_is_one_of_the_model(section, cls):
    known = list(keys(cls))
    unknown = [
        row
        for row, _ in rows(section)
        if not any(stands_for(row, key) or key.startswith(f"{row}.") for key in known)
    ]
    assert unknown == []


@SECTIONS
def test_every_key_says_what_becomes_of_it(section, cls):
    words = (
        "supported",
        "hostler's own",
        "refused",
        "accepted",
        "without effect",
        "has no meaning",
        "are read",
        "RequestVersion",
    )
    assert [row for row, said in rows(section) if not any(word in said for word in words)] == []

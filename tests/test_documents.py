"""Loading a document in slices."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from hostler import checking, steps
from hostler.config import yarp
from hostler.config.model import QUEUE_METADATA
from hostler.config.source import FileSource
from hostler.fleet.snapshot import Fleet
from hostler.policies import Policies
from hostler.sources import Sources


def document(count):
    """Make a document of so many routes, clusters and queues."""
    routes = {
        f"r{number}": {
            "ClusterId": f"c{number}",
            "Match": {"Path": f"/{number}/{{id:int}}", "Methods": ["GET"]},
        }
        for number in range(count)
    }
    address = {"Address": "http://*:80/", "Metadata": {QUEUE_METADATA: "q"}}
    clusters = {f"c{number}": {"Destinations": {"d": address}} for number in range(count)}
    return {"ReverseProxy": {"Routes": routes, "Clusters": clusters}}


def calls_in(steps):
    """Do a work; return its result, and how many functions each step called."""
    counts = []
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    while True:
        count = 0
        sys.setprofile(seen)
        try:
            next(steps)
        except StopIteration as end:
            return end.value, [*counts, count]
        finally:
            sys.setprofile(None)
        counts.append(count)


def read(count):
    return calls_in(yarp.build(yarp.Parsed(document(count))))


def check(count):
    return calls_in(checking.find_problems_in_steps(yarp.load(document(count)), Policies(), ()))


def build(count):
    return calls_in(Fleet(Policies().recipes).build(yarp.load(document(count))))


@pytest.mark.parametrize("work", [read, check, build])
def test_no_step_of_a_reload_is_longer_for_more_routes(work):
    """But for what takes less than a microsecond for each: looking for equal ids, ranks, freezing lists."""
    few, many = (work(count)[1] for count in (100, 1000))
    assert max(many) < max(few) + 5 * 900
    assert sorted(many)[-10] <= sorted(few)[-10] + 20
    assert len(many) > 5 * len(few)


async def test_others_have_their_turn_while_a_document_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "_SLICE", 0.0)
    path = tmp_path / "appsettings.json"
    path.write_text(json.dumps(document(200)))
    loading = asyncio.create_task(Sources([FileSource(path)], Policies()).load())
    turns = 0
    while not loading.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(loading.result().routes) == 200
    assert turns > 200

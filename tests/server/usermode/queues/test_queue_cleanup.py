"""What remains of a named queue when nobody needs it any more: nothing."""

from __future__ import annotations

import pytest

from hostler import QueueMode, ServerOptions
from hostler.errors import NoSuchQueueError
from hostler.server.usermode.queues.directory import QueueDirectory
from hostler.server.usermode.queues.link import KIND
from hostler.server.usermode.queues.rule import delegation_rules


@pytest.fixture
def directory(runtime):
    return QueueDirectory("orders")


def test_the_last_to_let_go_clears_the_queue_away(directory):
    first = directory.open(QueueMode.CREATE)
    second = directory.open(QueueMode.ATTACH)
    first.release()
    assert directory.exists()
    second.release()
    second.release()
    assert not directory.path.exists()
    with pytest.raises(NoSuchQueueError):
        directory.open(QueueMode.ATTACH)
    directory.open(QueueMode.CREATE).release()


def test_what_killed_processes_left_goes_too(directory):
    handle = directory.open(QueueMode.CREATE)
    for name in ("member-1-1", ".member-1-2"):
        (directory.path / name).touch()
    handle.release()
    assert not directory.path.exists()


def test_while_a_lender_watches_the_directory_stays_and_the_queue_does_not(directory):
    handle = directory.open(QueueMode.CREATE)
    watch, path = directory.bind_watch()
    with watch:
        handle.release()
        assert not directory.exists()
        assert [item.name for item in directory.path.iterdir()] == [path.name]
        watch.recv(64)
        again = directory.open(QueueMode.CREATE)
        listener, member = directory.bind_member(KIND)
        with listener:
            assert watch.recv(64), "it hears of the queue that came back"
            directory.leave(member)
        again.release()
    path.unlink()
    directory.clear()
    assert not directory.path.exists()


def test_clearing_away_what_is_held_or_not_there_is_nothing(directory):
    directory.clear()
    handle = directory.open(QueueMode.CREATE)
    directory.clear()
    assert directory.exists()
    handle.release()


async def test_a_lender_that_closes_takes_the_rest_away(directory):
    handle = directory.open(QueueMode.CREATE)
    rules = delegation_rules(ServerOptions())
    rule = rules.open("Orders", "http://*:80/")
    rule.target._open()
    handle.release()
    assert directory.path.exists()
    rules.close_all()
    assert not directory.path.exists()
    rules.close(rule)

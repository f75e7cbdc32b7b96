"""A document on disk, and when it counts as another one."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from hostler.config.source import FileSource
from hostler.errors import ConfigError

DOCUMENT = {"ReverseProxy": {"Clusters": {"c": {"Destinations": {"d": {"Address": "http://a/"}}}}}}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "appsettings.json"
    file.write_text(json.dumps(DOCUMENT))
    return file


class Changes:
    """Counts the changes that a source tells of."""

    def __init__(self, source):
        self.source = source
        self.count = 0
        self._some = asyncio.Event()

    async def __aenter__(self):
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _follow(self):
        async for _ in self.source.changes():
            self.count += 1
            self._some.set()

    async def next(self):
        async with asyncio.timeout(5):
            await self._some.wait()
        self._some.clear()

    async def looks(self, times=5):
        """Wait until the source must have looked so many times."""
        await asyncio.sleep(self.source._interval * times)


def test_the_document_is_read(path):
    assert FileSource(path).parse().value == DOCUMENT
    assert FileSource(str(path)).path == path


def test_what_cannot_be_read_or_used_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileSource(tmp_path / "none.json").parse()
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    with pytest.raises(ConfigError):
        FileSource(broken).parse()


async def test_a_file_that_stays_as_it_is_is_no_change(path):
    source = FileSource(path, 0.002)
    source.parse()
    async with Changes(source) as changes:
        await changes.looks()
        assert changes.count == 0


async def test_a_file_that_is_written_again_is_a_change_each_time(path):
    async with Changes(FileSource(path, 0.002)) as changes:
        for text in ("{}", "{ }", "{  }"):
            path.write_text(text)
            await changes.next()


async def test_a_file_of_the_same_size_and_another_time_is_a_change(path):
    async with Changes(FileSource(path, 0.002)) as changes:
        os.utime(path, ns=(1, 1))
        await changes.next()


async def test_a_file_that_is_replaced_by_another_is_a_change(path):
    """Editors and configuration tools write a new file and rename it; its size and time may be the old one's."""
    was = path.stat()
    async with Changes(FileSource(path, 0.002)) as changes:
        other = path.with_suffix(".new")
        other.write_bytes(path.read_bytes())
        os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
        other.replace(path)
        await changes.next()


async def test_a_missing_file_is_no_change_and_its_return_is_one(path):
    async with Changes(FileSource(path, 0.002)) as changes:
        path.unlink()
        await changes.looks()
        assert changes.count == 0
        path.write_text("{}")
        await changes.next()


async def test_a_file_that_appears_later_is_a_change(tmp_path):
    path = tmp_path / "later.json"
    async with Changes(FileSource(path, 0.002)) as changes:
        path.write_text("{}")
        await changes.next()


async def test_what_changes_before_it_is_read_is_read_once(path):
    source = FileSource(path, 0.002)
    path.write_text("{}")
    source.parse()
    async with Changes(source) as changes:
        await changes.looks()
        assert changes.count == 0


async def test_a_reload_is_a_change_whatever_the_file_is(path):
    source = FileSource(path, 60)
    source.reload()  # nobody waits for changes yet
    async with Changes(source) as changes:
        await asyncio.sleep(0)
        source.reload()
        await changes.next()
        path.unlink()
        source.reload()
        await changes.next()
        assert changes.count == 2


def test_a_source_is_followed_in_one_event_loop_after_another(path):
    async def follow():
        source.reload()
        async with Changes(source) as changes:
            await asyncio.sleep(0)
            source.reload()
            await changes.next()
            await asyncio.sleep(0)

    source = FileSource(path, 60)
    for _ in range(2):
        asyncio.run(follow())

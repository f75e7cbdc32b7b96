"""A document on disk, and when it counts as another one."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from hostler.config.environment import Environment
from hostler.config.model import Cluster, Config, HeaderMatchMode, Route
from hostler.config.source import FileSource, InMemorySource, file_sources
from hostler.documents import examine
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
    assert FileSource(path).read().config.clusters[0].destinations[0].address == "http://a/"
    assert FileSource(str(path)).path == path


def test_what_cannot_be_read_or_used_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileSource(tmp_path / "none.json").read()
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    with pytest.raises(ConfigError):
        FileSource(broken).read()


async def test_a_file_that_stays_as_it_is_is_no_change(path):
    source = FileSource(path, interval=0.002)
    source.read()
    async with Changes(source) as changes:
        await changes.looks()
        assert changes.count == 0


async def test_a_file_that_is_written_again_is_a_change_each_time(path):
    async with Changes(FileSource(path, interval=0.002)) as changes:
        for text in ("{}", "{ }", "{  }"):
            path.write_text(text)
            await changes.next()


async def test_a_file_of_the_same_size_and_another_time_is_a_change(path):
    async with Changes(FileSource(path, interval=0.002)) as changes:
        os.utime(path, ns=(1, 1))
        await changes.next()


async def test_a_file_that_is_replaced_by_another_is_a_change(path):
    """Editors and configuration tools write a new file and rename it; its size and time may be the old one's."""
    was = path.stat()
    async with Changes(FileSource(path, interval=0.002)) as changes:
        other = path.with_suffix(".new")
        other.write_bytes(path.read_bytes())
        os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
        other.replace(path)
        await changes.next()


async def test_a_missing_file_is_no_change_and_its_return_is_one(path):
    async with Changes(FileSource(path, interval=0.002)) as changes:
        path.unlink()
        await changes.looks()
        assert changes.count == 0
        path.write_text("{}")
        await changes.next()


async def test_a_file_that_appears_later_is_a_change(tmp_path):
    path = tmp_path / "later.json"
    async with Changes(FileSource(path, interval=0.002)) as changes:
        path.write_text("{}")
        await changes.next()


async def test_what_changes_before_it_is_read_is_read_once(path):
    source = FileSource(path, interval=0.002)
    path.write_text("{}")
    source.read()
    async with Changes(source) as changes:
        await changes.looks()
        assert changes.count == 0


# -- layers -----------------------------------------------------------------------------------------------------------


def environment(name="Production", **variables):
    return Environment.of(name, variables)


def address(loaded):
    return loaded.config.clusters[0].destinations[0].address


ADDRESS = "ReverseProxy__Clusters__c__Destinations__d__Address"
OVER = {"reverseproxy:clusters:C:destinations:d": {"address": "http://over/"}}


def test_each_layer_prevails_over_those_before_it(path):
    assert address(FileSource(path, environment()).read()) == "http://a/"
    path.with_name("appsettings.Staging.json").write_text(json.dumps(OVER))
    assert address(FileSource(path, environment()).read()) == "http://a/"
    loaded = FileSource(path, environment("Staging")).read()
    assert address(loaded) == "http://over/"
    assert [origin.name for origin in loaded.origins] == [
        str(path),
        str(path.with_name("appsettings.Staging.json")),
    ]
    loaded = FileSource(path, environment("Staging", **{ADDRESS.upper(): "http://variable/"})).read()
    assert address(loaded) == "http://variable/"
    assert address(FileSource(path).read()) == "http://a/"


def test_where_aspnet_would_listen_is_below_the_document(path):
    around = environment(ASPNETCORE_URLS="http://below/")
    assert FileSource(path, around).read().config.urls == ("http://below/",)
    path.write_text(json.dumps({**DOCUMENT, "Urls": "http://document/"}))
    assert FileSource(path, around).read().config.urls == ("http://document/",)
    around = environment(ASPNETCORE_URLS="http://below/", URLS="http://above/")
    assert FileSource(path, around).read().config.urls == ("http://above/",)


def test_what_is_wrong_is_said_of_the_layer_that_says_it(path):
    path.write_text(
        '{"ReverseProxy": {\n"Routes": {"r": {"ClusterId": "c", "Order": 1, "Match": {"Path": "/"}}}}}'
    )
    path.with_name("appsettings.Production.json").write_text(
        '{"ReverseProxy": {"Routes": {"r": {\n"Timeout": "soon",\n"timeout": "x",\n"Match": {"Hosts": ["ok", 5, {}]}}}}}'
    )
    around = environment(
        ReverseProxy__Routes__r__Order="first",
        ReverseProxy__Routes__r__Match__Methods__3="GETT",
    )
    _, problems = examine([FileSource(path, around)])
    found = [(problem.source.rpartition("/")[2], problem.line, problem.path) for problem in problems]
    over = "appsettings.Production.json"
    assert found == [
        ("appsettings.json", 2, "Routes.r.ClusterId"),
        (over, 2, "Routes.r.timeout"),
        (over, 2, "Routes.r.Timeout"),
        (over, 4, "Routes.r.Match.Hosts[2]"),
        ("ReverseProxy__Routes__r__Order", None, "Routes.r.Order"),
        ("ReverseProxy__Routes__r__Match__Methods__3", None, "Routes.r.Match.Methods[0]"),
    ]


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1, "A": 2}'])
def test_a_layer_that_cannot_be_used_is_named(path, text):
    over = path.with_name("appsettings.Production.json")
    over.write_text(text)
    try:
        problems = FileSource(path, environment()).read().problems
    except ConfigError as error:
        problems = error.problems
    assert [problem.source for problem in problems] == [str(over)]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("Order", "-5", -5),
        ("Order", "+5", 5),
        ("Order", " 5 ", 5),
        ("MaxRequestBodySize", "-1", -1),
        ("Timeout", "00:00:10", 10.0),
        ("Timeout", "1.00:00:00", 86400.0),
        ("Timeout", "1", 86400.0),
        ("Match__Headers__0__IsCaseSensitive", "True", True),
        ("Match__Headers__0__Mode", "exists", HeaderMatchMode.EXISTS),
        ("Metadata__a", "True", "True"),
        ("Metadata__a", "", ""),
        ("AuthorizationPolicy", "", ""),
    ],
)
def test_a_variable_is_read_as_text_in_a_document_is(path, key, text, value):
    variables = {
        f"ReverseProxy__Routes__r__{key}": text,
        "ReverseProxy__Routes__r__Match__Headers__0__Name": "x",
    }
    loaded = FileSource(path, environment(**variables)).read()
    assert loaded.problems == ()
    [route] = loaded.config.routes
    names = {"Match__Headers__0__IsCaseSensitive": "headers[0].is_case_sensitive"}
    found = {
        "Order": route.order,
        "MaxRequestBodySize": route.max_request_body_size,
        "Timeout": route.timeout,
        "AuthorizationPolicy": route.authorization_policy,
        "Metadata__a": route.metadata.get("a"),
        "Match__Headers__0__Mode": route.headers[0].mode,
    }
    assert found.get(key, route.headers[0].is_case_sensitive if key in names else None) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("Order", ""),
        ("Order", "1.0"),
        ("Order", "0x5"),
        ("Timeout", ""),
        ("Timeout", "10s"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(path, key, text):
    name = f"ReverseProxy__Routes__r__{key}"
    _, problems = examine([FileSource(path, environment(**{name: text}))])
    assert name in [problem.source for problem in problems if problem.path == f"Routes.r.{key}"]


# -- changes of layers ------------------------------------------------------------------------------------------------


async def test_a_layer_that_comes_changes_and_goes_is_a_change_each_time(path):
    over = path.with_name("appsettings.Production.json")
    async with Changes(FileSource(path, environment(), interval=0.002)) as changes:
        over.write_text("{}")
        await changes.next()
        over.write_text("{ }")
        await changes.next()
        over.unlink()
        await changes.next()
        await changes.looks()
        assert changes.count == 3


async def test_a_layer_that_is_back_by_the_next_look_was_never_gone(path, monkeypatch):
    """Some editors take a file away before they write it: its layer is not missing for that moment."""
    over = path.with_name("appsettings.Production.json")
    over.write_text("{}")
    source = FileSource(path, environment(), interval=0)
    seen = source._stamps()
    looks = iter([(seen[0], None), (seen[0], (1, 2, 3))])
    monkeypatch.setattr(source, "_stamps", lambda: next(looks, (seen[0], (1, 2, 3))))
    changes = source.changes()
    await anext(changes)
    assert source._seen == (seen[0], (1, 2, 3))
    await changes.aclose()


# -- several documents ------------------------------------------------------------------------------------------------


def two(tmp_path, **variables):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(json.dumps(DOCUMENT))
    second.write_text(
        json.dumps(
            {"Urls": "http://b/", "ReverseProxy:Routes:Shop": {"ClusterId": "c", "Match": {"Path": "/"}}}
        )
    )
    return file_sources([first, second], environment(**variables))


def test_a_variable_is_laid_over_the_document_that_has_what_it_names(tmp_path):
    sources = two(
        tmp_path,
        REVERSEPROXY__ROUTES__SHOP__ORDER="5",
        ReverseProxy__Clusters__c__Destinations__d__Address="http://over/",
        ReverseProxy__Routes__new__Order="7",
        Urls="http://variable/",
    )
    draft, problems = examine(sources)
    assert draft.config.routes == (Route("/", "c", id="Shop", order=5),)
    assert draft.config.clusters == (Cluster("c", {"d": "http://over/"}),)
    assert draft.config.urls == ("http://variable/", "http://b/")
    [warning] = problems
    assert str(warning).startswith(
        "ReverseProxy__Routes__new__Order: warning: is not read: none of the documents"
    )


def test_each_document_has_its_own_file_of_the_environment(tmp_path):
    sources = two(tmp_path)
    (tmp_path / "b.Production.json").write_text('{"ReverseProxy": {"Routes": {"shop": {"Order": 3}}}}')
    draft, problems = examine(sources)
    assert problems == []
    assert draft.config.routes[0].order == 3


def test_the_same_document_twice(tmp_path):
    sources = two(tmp_path)
    _, problems = examine([sources[1], sources[1]])
    assert [problem.path for problem in problems if "duplicate" in problem.message] == ["Routes.Shop"]


# -- in memory --------------------------------------------------------------------------------------------------------


async def test_a_configuration_in_memory_is_replaced_as_a_whole():
    source = InMemorySource(Config(urls=["http://a/"]))
    assert source.read().config.urls == ("http://a/",)
    async with Changes(source) as changes:
        await asyncio.sleep(0)
        for urls in (["http://b/"], ["http://c/"]):
            source.update(Config(urls=urls))
            assert source.config.urls == tuple(urls)
            await changes.next()
        assert changes.count == 2
    assert (await source.load()).config.urls == ("http://c/",)


async def test_what_was_replaced_before_anybody_waited_for_it_is_a_change():
    source = InMemorySource(Config())
    source.read()
    source.update(Config(urls=["http://a/"]))
    async with Changes(source) as changes:
        await changes.next()
    source.read()
    async with Changes(source) as changes:
        await asyncio.sleep(0)
        assert changes.count == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.timeout(5)
async def test_a_named_pipe_in_place_of_a_document_is_not_waited_for(path):
    source = FileSource(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="not JSON"):
        await source.load()
